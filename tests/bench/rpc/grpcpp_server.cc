// SPDX-License-Identifier: Apache-2.0
// A rival: gRPC C++'s callback server, echoing after a real decode, and streaming.
//   grpcpp_server [CERT KEY]
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "echo.grpc.pb.h"

using qmesh::test::Msg;

class Numbers final : public grpc::ServerWriteReactor<Msg>
{
      public:
	explicit Numbers(const Msg &in) : left_(in.n())
	{
		out_.set_data(std::string(in.size(), '\0'));
		next();
	}
	void OnWriteDone(bool ok) override
	{
		if (ok)
			next();
		else
			Finish(grpc::Status::CANCELLED);
	}
	void OnDone() override { delete this; }

      private:
	void next()
	{
		if (sent_ == left_) {
			Finish(grpc::Status::OK);
			return;
		}
		out_.set_n(sent_++);
		StartWrite(&out_);
	}
	Msg out_;
	unsigned sent_ = 0, left_;
};

class Echo final : public qmesh::test::Echo::CallbackService
{
	grpc::ServerUnaryReactor *Unary(grpc::CallbackServerContext *context, const Msg *in,
					Msg *out) override
	{
		out->set_data(in->data());
		out->set_n(in->n());
		out->set_text(in->text());
		auto *reactor = context->DefaultReactor();
		reactor->Finish(grpc::Status::OK);
		return reactor;
	}
	grpc::ServerWriteReactor<Msg> *ServerStream(grpc::CallbackServerContext *,
						    const Msg *in) override
	{
		return new Numbers(*in);
	}
};

static std::string text_of(const char *path)
{
	std::ifstream file(path);
	std::stringstream text;

	text << file.rdbuf();
	return text.str();
}

int main(int argc, char **argv)
{
	Echo echo;
	int port = 0;
	grpc::ServerBuilder builder;
	auto credentials = grpc::InsecureServerCredentials();

	if (argc == 3) {
		grpc::SslServerCredentialsOptions options;

		options.pem_key_cert_pairs.push_back({text_of(argv[2]), text_of(argv[1])});
		credentials = grpc::SslServerCredentials(options);
	}
	builder.AddListeningPort("127.0.0.1:0", credentials, &port);
	builder.RegisterService(&echo);
	auto server = builder.BuildAndStart();
	std::printf("port %d\n", port);
	std::fflush(stdout);
	server->Wait();
	return 0;
}
