// Package rpc is the conformance service by grpc-go's stubs: a client that reads errors and a server that makes them as it is told.
package rpc

import (
	"context"
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"errgrpc.example/conformance/internal/peer"
	pb "errgrpc.example/conformance/v1"
)

// Call makes calls through a stub and gives their errors to a reader.
func Call(client pb.ConformanceServiceClient, read func(error) peer.Said) func(context.Context, peer.Call) (peer.Said, error) {
	return func(ctx context.Context, asked peer.Call) (peer.Said, error) {
		var trailer metadata.MD
		ctx = metadata.NewOutgoingContext(ctx, metadata.New(asked.Metadata))
		messages, err := responses(ctx, client, asked, grpc.Trailer(&trailer))
		if err == nil || errors.Is(err, io.EOF) {
			return peer.Said{}, errors.New("the call ended without an error")
		}
		said := read(err)
		said.Messages, said.Trailing = messages, map[string]string{}
		for key, values := range trailer {
			if strings.HasPrefix(key, "x-") {
				said.Trailing[key] = values[0]
			}
		}
		return said, nil
	}
}

// responses makes a call: how many responses come before its error.
func responses(ctx context.Context, client pb.ConformanceServiceClient, asked peer.Call, option grpc.CallOption) (int32, error) {
	request := &pb.AnswerRequest{Vector: asked.Vector, Messages: asked.Messages}
	var receive func() (*pb.AnswerResponse, error)
	switch asked.Method {
	case "Unary":
		_, err := client.Unary(ctx, request, option)
		return 0, err
	case "ServerStream":
		stream, err := client.ServerStream(ctx, request, option)
		if err != nil {
			return 0, err
		}
		receive = stream.Recv
	case "ClientStream":
		stream, err := client.ClientStream(ctx, option)
		if err != nil {
			return 0, err
		}
		_ = stream.Send(request) // an error that came meanwhile is what CloseAndRecv gives
		_, err = stream.CloseAndRecv()
		return 0, err
	default:
		stream, err := client.BidiStream(ctx, option)
		if err != nil {
			return 0, err
		}
		_ = stream.Send(request)
		_ = stream.CloseSend()
		receive = stream.Recv
	}
	for messages := int32(0); ; messages++ {
		if _, err := receive(); err != nil {
			return messages, err
		}
	}
}

// Service answers each vector with what Fail makes of it.
type Service struct {
	pb.UnimplementedConformanceServiceServer
	Vectors map[int32]peer.Read
	Fail    func(peer.Read) error
}

func (s *Service) answer(ctx context.Context, vector int32) error {
	wanted, known := s.Vectors[vector]
	if !known {
		return status.Error(codes.Unimplemented, "no such vector")
	}
	if err := grpc.SetTrailer(ctx, metadata.New(wanted.Trailing)); err != nil {
		return err
	}
	return s.Fail(wanted)
}

func (s *Service) Unary(ctx context.Context, request *pb.AnswerRequest) (*pb.AnswerResponse, error) {
	return nil, s.answer(ctx, request.Vector)
}

func (s *Service) ServerStream(request *pb.AnswerRequest, stream grpc.ServerStreamingServer[pb.AnswerResponse]) error {
	if err := send(stream, request.Messages); err != nil {
		return err
	}
	return s.answer(stream.Context(), request.Vector)
}

func (s *Service) ClientStream(stream grpc.ClientStreamingServer[pb.AnswerRequest, pb.AnswerResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if err := drain(stream); err != nil {
		return err
	}
	return s.answer(stream.Context(), first.Vector)
}

func (s *Service) BidiStream(stream grpc.BidiStreamingServer[pb.AnswerRequest, pb.AnswerResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if err := send(stream, first.Messages); err != nil {
		return err
	}
	if err := drain(stream); err != nil {
		return err
	}
	return s.answer(stream.Context(), first.Vector)
}

func send(stream interface {
	Send(*pb.AnswerResponse) error
}, messages int32) error {
	for index := int32(1); index <= messages; index++ {
		if err := stream.Send(&pb.AnswerResponse{Index: index}); err != nil {
			return err
		}
	}
	return nil
}

func drain(stream interface {
	Recv() (*pb.AnswerRequest, error)
}) error {
	for {
		if _, err := stream.Recv(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
