// connect-go: connect.Error and its details as reader and server; gRPC, gRPC-Web and Connect's own protocol.
package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"

	"connectrpc.com/connect"

	"errgrpc.example/conformance/internal/peer"
	pb "errgrpc.example/conformance/v1"
)

type client = connect.Client[pb.AnswerRequest, pb.AnswerResponse]

// read is what a client author writes.
func read(err error) peer.Said {
	var e *connect.Error
	if !errors.As(err, &e) {
		return peer.Said{Failed: err.Error()}
	}
	said := peer.Said{Status: uint32(e.Code()), Message: e.Message()}
	for _, detail := range e.Details() {
		if message, err := detail.Value(); err == nil {
			said.See(message) // *errdetails.ErrorInfo, *errdetails.LocalizedMessage, *errdetails.BadRequest and so on
		} else { // of a type that is not linked into this program, or broken
			said.Details = append(said.Details, peer.Detail{Type: detail.Type(), Base64: detail.Bytes()})
		}
	}
	return said
}

// fail is what a server author writes.
func fail(wanted peer.Read) error {
	messages := wanted.Own()
	for _, detail := range wanted.Details {
		messages = append(messages, detail.Packed())
	}
	e := connect.NewError(connect.Code(wanted.Status), errors.New(wanted.Message))
	for _, message := range messages {
		detail, err := connect.NewErrorDetail(message)
		if err != nil {
			return connect.NewError(connect.CodeUnimplemented, err)
		}
		e.AddDetail(detail)
	}
	for key, value := range wanted.Trailing {
		e.Meta().Set(key, value)
	}
	return e
}

func call(clients map[string]*client) func(context.Context, peer.Call) (peer.Said, error) {
	return func(ctx context.Context, asked peer.Call) (peer.Said, error) {
		messages, err := responses(ctx, clients[asked.Method], asked)
		if err == nil {
			return peer.Said{}, errors.New("the call ended without an error")
		}
		said := read(err)
		said.Messages, said.Trailing = messages, map[string]string{}
		if e := new(connect.Error); errors.As(err, &e) {
			for key, values := range e.Meta() {
				if key = strings.ToLower(key); strings.HasPrefix(key, "x-") {
					said.Trailing[key] = values[0]
				}
			}
		}
		return said, nil
	}
}

// responses makes a call: how many responses come before its error.
func responses(ctx context.Context, client *client, asked peer.Call) (messages int32, err error) {
	request := connect.NewRequest(&pb.AnswerRequest{Vector: asked.Vector, Messages: asked.Messages})
	headers := func(header http.Header) {
		for key, value := range asked.Metadata {
			header.Set(key, value)
		}
	}
	headers(request.Header())
	switch asked.Method {
	case "Unary":
		_, err = client.CallUnary(ctx, request)
	case "ServerStream":
		stream, failed := client.CallServerStream(ctx, request)
		if failed != nil {
			return 0, failed
		}
		defer stream.Close()
		for stream.Receive() {
			messages++
		}
		err = stream.Err()
	case "ClientStream":
		stream := client.CallClientStream(ctx)
		headers(stream.RequestHeader())
		_ = stream.Send(request.Msg) // an error that came meanwhile is what CloseAndReceive gives
		_, err = stream.CloseAndReceive()
	default:
		stream := client.CallBidiStream(ctx)
		headers(stream.RequestHeader())
		_ = stream.Send(request.Msg)
		_ = stream.CloseRequest()
		defer stream.CloseResponse()
		for ; err == nil; messages++ {
			_, err = stream.Receive()
		}
		messages-- // what was received last is the error
	}
	return messages, err
}

type service map[int32]peer.Read

func (vectors service) answer(vector int32) error {
	wanted, known := vectors[vector]
	if !known {
		return connect.NewError(connect.CodeUnimplemented, errors.New("no such vector"))
	}
	return fail(wanted)
}

func (vectors service) unary(_ context.Context, request *connect.Request[pb.AnswerRequest]) (*connect.Response[pb.AnswerResponse], error) {
	return nil, vectors.answer(request.Msg.Vector)
}

func (vectors service) serverStream(_ context.Context, request *connect.Request[pb.AnswerRequest], stream *connect.ServerStream[pb.AnswerResponse]) error {
	return vectors.stream(request.Msg, stream.Send)
}

func (vectors service) clientStream(_ context.Context, stream *connect.ClientStream[pb.AnswerRequest]) (*connect.Response[pb.AnswerResponse], error) {
	var first *pb.AnswerRequest
	for stream.Receive() {
		if first == nil {
			first = stream.Msg()
		}
	}
	if stream.Err() != nil || first == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("no request"))
	}
	return nil, vectors.answer(first.Vector)
}

func (vectors service) bidiStream(_ context.Context, stream *connect.BidiStream[pb.AnswerRequest, pb.AnswerResponse]) error {
	first, err := stream.Receive()
	if err != nil {
		return err
	}
	return vectors.stream(first, func(response *pb.AnswerResponse) error {
		return stream.Send(response)
	}, func() {
		for err == nil {
			_, err = stream.Receive()
		}
	})
}

// stream sends the responses, does what is left, and fails.
func (vectors service) stream(request *pb.AnswerRequest, send func(*pb.AnswerResponse) error, rest ...func()) error {
	for index := int32(1); index <= request.Messages; index++ {
		if err := send(&pb.AnswerResponse{Index: index}); err != nil {
			return err
		}
	}
	for _, do := range rest {
		do()
	}
	return vectors.answer(request.Vector)
}

func procedure(method string) string { return "/" + peer.Service + "/" + method }

func main() {
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	if os.Args[1] == "server" {
		vectors, mux, listener := service(peer.Vectors(os.Args[2])), http.NewServeMux(), peer.Listen()
		mux.Handle(procedure("Unary"), connect.NewUnaryHandler(procedure("Unary"), vectors.unary))
		mux.Handle(procedure("ServerStream"), connect.NewServerStreamHandler(procedure("ServerStream"), vectors.serverStream))
		mux.Handle(procedure("ClientStream"), connect.NewClientStreamHandler(procedure("ClientStream"), vectors.clientStream))
		mux.Handle(procedure("BidiStream"), connect.NewBidiStreamHandler(procedure("BidiStream"), vectors.bidiStream))
		server := &http.Server{Handler: mux, Protocols: h2c}
		go server.Serve(listener)
		peer.UntilEndOfInput(listener)
		server.Close()
		return
	}
	protocols := map[string][]connect.ClientOption{"grpc": {connect.WithGRPC()}, "grpc-web": {connect.WithGRPCWeb()}, "connect": nil}
	http2 := &http.Client{Transport: &http.Transport{Protocols: h2c}}
	clients := map[string]*client{}
	for _, method := range []string{"Unary", "ServerStream", "ClientStream", "BidiStream"} {
		url := "http://" + os.Args[3] + procedure(method)
		clients[method] = connect.NewClient[pb.AnswerRequest, pb.AnswerResponse](http2, url, protocols[os.Args[2]]...)
	}
	peer.Calls(call(clients))
}
