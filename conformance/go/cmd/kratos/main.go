// go-kratos: errors.FromError as reader, errors.New as server, over kratos's own gRPC transport.
package main

import (
	"context"
	"os"
	"time"

	"github.com/go-kratos/kratos/v2/errors"
	"github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/transport/grpc"
	"github.com/go-kratos/kratos/v2/transport/http/status"
	"google.golang.org/grpc/codes"

	"errgrpc.example/conformance/internal/peer"
	"errgrpc.example/conformance/internal/rpc"
	pb "errgrpc.example/conformance/v1"
)

// read is what a client author writes.
func read(err error) peer.Said {
	e := errors.FromError(err) // an HTTP status, the reason and the metadata; no domain and no other details
	said := peer.Said{Status: uint32(status.ToGRPCCode(int(e.Code))), Message: e.Message}
	if e.Reason != errors.UnknownReason {
		said.Reason, said.Metadata = &e.Reason, e.Metadata
	}
	return said
}

// fail is what a server author writes.
func fail(wanted peer.Read) error {
	e := errors.New(status.FromGRPCCode(codes.Code(wanted.Status)), "", wanted.Message)
	if wanted.Reason != nil {
		e.Reason = *wanted.Reason
	}
	return e.WithMetadata(wanted.Metadata)
}

func main() {
	log.SetLogger(log.NewStdLogger(os.Stderr))
	if os.Args[1] == "client" {
		connection, err := grpc.DialInsecure(context.Background(), grpc.WithEndpoint(os.Args[2]), grpc.WithTimeout(0))
		if err != nil {
			panic(err)
		}
		defer connection.Close()
		peer.Calls(rpc.Call(pb.NewConformanceServiceClient(connection), read))
		return
	}
	listener := peer.Listen()
	server := grpc.NewServer(grpc.Listener(listener), grpc.Timeout(time.Minute))
	pb.RegisterConformanceServiceServer(server, &rpc.Service{Vectors: peer.Vectors(os.Args[2]), Fail: fail})
	go server.Start(context.Background())
	peer.UntilEndOfInput(listener)
	server.Server.Stop()
}
