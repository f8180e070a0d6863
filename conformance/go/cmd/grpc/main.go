// grpc-go: status.FromError and Details as reader, status.WithDetails as server.
package main

import (
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"

	"errgrpc.example/conformance/internal/peer"
	"errgrpc.example/conformance/internal/rpc"
	pb "errgrpc.example/conformance/v1"
)

// read is what a client author writes.
func read(err error) peer.Said {
	st, _ := status.FromError(err)
	said := peer.Said{Status: uint32(st.Code()), Message: st.Message()}
	for i, detail := range st.Details() {
		switch detail := detail.(type) {
		case proto.Message:
			said.See(detail) // *errdetails.ErrorInfo, *errdetails.LocalizedMessage, *errdetails.BadRequest and so on
		case error: // of a type that is not linked into this program, or broken
			said.SeePacked(st.Proto().Details[i])
		}
	}
	return said
}

// fail is what a server author writes.
func fail(wanted peer.Read) error {
	var details []protoadapt.MessageV1
	for _, message := range wanted.Own() {
		details = append(details, protoadapt.MessageV1Of(message))
	}
	for _, detail := range wanted.Details {
		message, err := detail.Packed().UnmarshalNew()
		if err != nil {
			return status.Error(codes.Unimplemented, err.Error())
		}
		details = append(details, protoadapt.MessageV1Of(message))
	}
	st, err := status.New(codes.Code(wanted.Status), wanted.Message).WithDetails(details...)
	if err != nil {
		return status.Error(codes.Unimplemented, err.Error())
	}
	return st.Err()
}

func main() {
	if os.Args[1] == "client" {
		options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
		if len(os.Args) > 3 { // with a retry policy
			options = append(options, grpc.WithDefaultServiceConfig(os.Args[3]))
		}
		connection, err := grpc.NewClient(os.Args[2], options...)
		if err != nil {
			panic(err)
		}
		defer connection.Close()
		peer.Calls(rpc.Call(pb.NewConformanceServiceClient(connection), read))
		return
	}
	listener, server := peer.Listen(), grpc.NewServer()
	pb.RegisterConformanceServiceServer(server, &rpc.Service{Vectors: peer.Vectors(os.Args[2]), Fail: fail})
	go server.Serve(listener)
	peer.UntilEndOfInput(listener)
	server.Stop()
}
