// SPDX-License-Identifier: Apache-2.0
// The rival: gRPC C++'s callback server, echoing after a real decode.
#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>

#include "echo.grpc.pb.h"

class Echo final : public qmesh::test::Echo::CallbackService
{
	grpc::ServerUnaryReactor *Unary(grpc::CallbackServerContext *context, const qmesh::test::Msg *in,
					qmesh::test::Msg *out) override
	{
		out->set_data(in->data());
		out->set_n(in->n());
		out->set_text(in->text());
		auto *reactor = context->DefaultReactor();
		reactor->Finish(grpc::Status::OK);
		return reactor;
	}
};

int main()
{
	Echo echo;
	int port = 0;
	grpc::ServerBuilder builder;

	builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
	builder.RegisterService(&echo);
	auto server = builder.BuildAndStart();
	std::printf("port %d\n", port);
	std::fflush(stdout);
	server->Wait();
	return 0;
}
