// Package peer is what the programs of all libraries share: the runner's lines, the vectors and their details.
package peer

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Service is the full name of the conformance service.
const Service = "errgrpc.conformance.v1.ConformanceService"

const deadline = 20 * time.Second

// Call is a line that a client reads.
type Call struct {
	ID       int               `json:"id"`
	Vector   int32             `json:"vector"`
	Method   string            `json:"method"`
	Messages int32             `json:"messages"`
	Metadata map[string]string `json:"metadata"`
}

// Said is a line that a client prints: what the library told of an error.
type Said struct {
	ID       int               `json:"id"`
	Failed   string            `json:"failed,omitempty"`
	Messages int32             `json:"messages"`
	Status   uint32            `json:"status"`
	Message  string            `json:"message"`
	Reason   *string           `json:"reason"`
	Domain   *string           `json:"domain"`
	Metadata map[string]string `json:"metadata"`
	Locale   *string           `json:"locale"`
	Hint     *string           `json:"hint"`
	Details  []Detail          `json:"details"`
	Trailing map[string]string `json:"trailing"`
}

// Detail is any other detail, with its message's bytes.
type Detail struct {
	Type   string `json:"type"`
	Base64 []byte `json:"base64"`
}

// See notes a detail that the library has decoded.
func (said *Said) See(detail proto.Message) {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		if said.Reason == nil {
			said.Reason, said.Domain, said.Metadata = &detail.Reason, &detail.Domain, notNil(detail.Metadata)
		}
	case *errdetails.LocalizedMessage:
		said.Locale, said.Hint = &detail.Locale, &detail.Message
	default:
		packed, err := anypb.New(detail)
		if err != nil {
			panic(err)
		}
		said.SeePacked(packed)
	}
}

// SeePacked notes a detail that the library has as it came.
func (said *Said) SeePacked(detail *anypb.Any) {
	said.Details = append(said.Details, Detail{string(detail.MessageName()), detail.Value})
}

func notNil(metadata map[string]string) map[string]string {
	if metadata == nil {
		return map[string]string{} // as null says that there was no ErrorInfo
	}
	return metadata
}

// Calls makes the calls of the input and prints what was said.
func Calls(call func(context.Context, Call) (Said, error)) {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines := json.NewDecoder(os.Stdin); ; {
		var asked Call
		if err := lines.Decode(&asked); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		said, err := call(ctx, asked)
		cancel()
		if err != nil {
			said.Failed = err.Error()
		}
		said.ID = asked.ID
		if err := json.NewEncoder(out).Encode(said); err != nil {
			panic(err)
		}
	}
}

// Read is what a vector says that a reader must see, and all that a server knows of it.
type Read struct {
	Status   uint32            `json:"status"`
	Message  string            `json:"message"`
	Reason   *string           `json:"reason"`
	Domain   *string           `json:"domain"`
	Metadata map[string]string `json:"metadata"`
	Locale   *string           `json:"locale"`
	Hint     *string           `json:"hint"`
	Details  []Detail          `json:"details"`
	Trailing map[string]string `json:"trailing"`
}

// Own are ErrorInfo and LocalizedMessage, those that the vector has.
func (read Read) Own() []proto.Message {
	var messages []proto.Message
	if read.Reason != nil {
		messages = append(messages, &errdetails.ErrorInfo{Reason: *read.Reason, Domain: *read.Domain, Metadata: read.Metadata})
	}
	if read.Hint != nil {
		messages = append(messages, &errdetails.LocalizedMessage{Locale: *read.Locale, Message: *read.Hint})
	}
	return messages
}

// Packed is a detail as it comes.
func (detail Detail) Packed() *anypb.Any {
	return &anypb.Any{TypeUrl: "type.googleapis.com/" + detail.Type, Value: detail.Base64}
}

// Vectors reads vectors.json: what is to be answered, by number.
func Vectors(path string) map[int32]Read {
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	var vectors []struct {
		Number int32 `json:"number"`
		Read   Read  `json:"read"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		panic(err)
	}
	byNumber := map[int32]Read{}
	for _, vector := range vectors {
		byNumber[vector.Number] = vector.Read
	}
	return byNumber
}

// Listen opens a free port.
func Listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return listener
}

// UntilEndOfInput tells the runner the port, and waits until it has enough.
func UntilEndOfInput(listener net.Listener) {
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		panic(err)
	}
}
