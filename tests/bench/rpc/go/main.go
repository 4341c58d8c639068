// SPDX-License-Identifier: Apache-2.0

// Two rivals in one program: grpc-go and connect-go (its gRPC side).
//
//	rival grpc|connect [CERT KEY]
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"

	"connectrpc.com/connect"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"rival/echo"
)

func answer(in *echo.Msg) *echo.Msg {
	return &echo.Msg{Data: in.Data, N: in.N, Text: in.Text}
}

func numbers(in *echo.Msg, send func(*echo.Msg) error) error {
	data := make([]byte, in.Size)
	for i := uint32(0); i < in.N; i++ {
		if err := send(&echo.Msg{Data: data, N: i}); err != nil {
			return err
		}
	}
	return nil
}

func unary(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	in := new(echo.Msg)
	if err := dec(in); err != nil {
		return nil, err
	}
	return answer(in), nil
}

func stream(_ any, s grpc.ServerStream) error {
	in := new(echo.Msg)
	if err := s.RecvMsg(in); err != nil {
		return err
	}
	return numbers(in, func(m *echo.Msg) error { return s.SendMsg(m) })
}

func serveGrpc(l net.Listener, cert, key string) error {
	var options []grpc.ServerOption
	if cert != "" {
		c, err := credentials.NewServerTLSFromFile(cert, key)
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(c))
	}
	s := grpc.NewServer(options...)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "qmesh.test.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "Unary", Handler: unary}},
		Streams:     []grpc.StreamDesc{{StreamName: "ServerStream", Handler: stream, ServerStreams: true}},
	}, struct{}{})
	return s.Serve(l)
}

func serveConnect(l net.Listener, cert, key string) error {
	mux := http.NewServeMux()
	const at = "/qmesh.test.Echo/"
	mux.Handle(at+"Unary", connect.NewUnaryHandler(at+"Unary",
		func(_ context.Context, r *connect.Request[echo.Msg]) (*connect.Response[echo.Msg], error) {
			return connect.NewResponse(answer(r.Msg)), nil
		}))
	mux.Handle(at+"ServerStream", connect.NewServerStreamHandler(at+"ServerStream",
		func(_ context.Context, r *connect.Request[echo.Msg], s *connect.ServerStream[echo.Msg]) error {
			return numbers(r.Msg, s.Send)
		}))
	if cert != "" {
		s := &http.Server{Handler: mux, TLSConfig: &tls.Config{NextProtos: []string{"h2"}}}
		return s.ServeTLS(l, cert, key)
	}
	return http.Serve(l, h2c.NewHandler(mux, &http2.Server{}))
}

func main() {
	cert, key := "", ""
	if len(os.Args) == 4 {
		cert, key = os.Args[2], os.Args[3]
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", l.Addr().(*net.TCPAddr).Port)
	if os.Args[1] == "grpc" {
		err = serveGrpc(l, cert, key)
	} else {
		err = serveConnect(l, cert, key)
	}
	panic(err)
}
