// SPDX-License-Identifier: Apache-2.0
// The cases of gRPC's interop test description by gRPC C++ (Debian's libgrpc++):
// interop-cpp TARGET CERT|- LONG prints one line "ok CASE" or "FAIL CASE: why" each.
// CERT "-" is clear text, LONG 1 makes the soaks long.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grpc/testing/test.grpc.pb.h"

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;

static const int REQUEST = 271828, ANSWER = 314159;
static const std::vector<int> SIZES = {31415, 9, 2653, 58979};
static const std::vector<int> PAYLOADS = {27182, 8, 1828, 45904};

static std::string target, cert;
static bool is_long;

// A case ends with the first thing that is not as it should be.
static void want(bool ok, const std::string &what)
{
	if (!ok)
		throw std::runtime_error(what);
}

static void want_ok(const Status &s)
{
	want(s.ok(), "status " + std::to_string(s.error_code()) + ": " + s.error_message());
}

static void want_code(const Status &s, StatusCode code)
{
	want(s.error_code() == code,
	     "status " + std::to_string(s.error_code()) + ", not " + std::to_string(code));
}

static std::string file_text(const std::string &path)
{
	std::ifstream in(path);
	std::stringstream all;

	all << in.rdbuf();
	return all.str();
}

static std::shared_ptr<grpc::Channel> make_channel()
{
	grpc::ChannelArguments arguments;
	std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();

	arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
	if (cert != "-") {
		grpc::SslCredentialsOptions options;

		options.pem_root_certs = file_text(cert);
		credentials = grpc::SslCredentials(options);
	}
	return grpc::CreateCustomChannel(target, credentials, arguments);
}

struct Context : ClientContext {
	explicit Context(int ms = 20000)
	{
		set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(ms));
	}
};

static SimpleRequest simple()
{
	SimpleRequest q;

	q.set_response_size(ANSWER);
	q.mutable_payload()->set_body(std::string(REQUEST, '\0'));
	return q;
}

static StreamingOutputCallRequest output(const std::vector<int> &sizes, int payload = 0)
{
	StreamingOutputCallRequest q;

	for (int size : sizes)
		q.add_response_parameters()->set_size(size);
	if (payload)
		q.mutable_payload()->set_body(std::string(payload, '\0'));
	return q;
}

static StreamingInputCallRequest input(int payload)
{
	StreamingInputCallRequest q;

	q.mutable_payload()->set_body(std::string(payload, '\0'));
	return q;
}

static void want_zeros(const Payload &p, int n)
{
	want(p.body() == std::string(n, '\0'), "a payload of " + std::to_string(p.body().size()));
}

struct Cases {
	std::shared_ptr<grpc::Channel> channel = make_channel();
	std::unique_ptr<TestService::Stub> stub = TestService::NewStub(channel);

	void large(TestService::Stub &s)
	{
		Context c;
		SimpleResponse a;

		want_ok(s.UnaryCall(&c, simple(), &a));
		want_zeros(a.payload(), ANSWER);
	}

	void empty_unary()
	{
		Context c;
		Empty a;

		want_ok(stub->EmptyCall(&c, Empty(), &a));
		want(a.ByteSizeLong() == 0, "not empty");
	}

	void cacheable_unary()
	{
		long long last = 0;

		for (int i = 0; i < 2; i++) {
			Context c;
			SimpleResponse a;

			want_ok(stub->CacheableUnaryCall(&c, SimpleRequest(), &a));
			want(std::stoll(a.payload().body()) > last, "an old answer");
			last = std::stoll(a.payload().body());
			auto control = c.GetServerInitialMetadata().find("cache-control");
			want(control != c.GetServerInitialMetadata().end() &&
				     control->second == "max-age=60, public",
			     "cache-control");
		}
	}

	void large_unary()
	{
		large(*stub);
	}

	void client_compressed_unary()
	{
		const struct {
			grpc_compression_algorithm how;
			bool expect;
			StatusCode code;
		} rows[] = {
			{GRPC_COMPRESS_NONE, true, StatusCode::INVALID_ARGUMENT},
			{GRPC_COMPRESS_GZIP, true, StatusCode::OK},
			{GRPC_COMPRESS_NONE, false, StatusCode::OK},
			{GRPC_COMPRESS_GZIP, false, StatusCode::INVALID_ARGUMENT},
		};
		for (const auto &row : rows) {
			Context c;
			SimpleRequest q = simple();
			SimpleResponse a;

			c.set_compression_algorithm(row.how);
			q.mutable_expect_compressed()->set_value(row.expect);
			want_code(stub->UnaryCall(&c, q, &a), row.code);
			if (row.code == StatusCode::OK)
				want_zeros(a.payload(), ANSWER);
		}
	}

	void server_compressed_unary()
	{
		for (bool value : {true, false}) {
			Context c;
			SimpleRequest q = simple();
			SimpleResponse a;

			q.mutable_response_compressed()->set_value(value);
			want_ok(stub->UnaryCall(&c, q, &a));
			want_zeros(a.payload(), ANSWER);
		}
	}

	void client_streaming()
	{
		Context c;
		StreamingInputCallResponse a;
		auto w = stub->StreamingInputCall(&c, &a);

		for (int n : PAYLOADS)
			want(w->Write(input(n)), "cannot write");
		w->WritesDone();
		want_ok(w->Finish());
		want(a.aggregated_payload_size() == 74922,
		     std::to_string(a.aggregated_payload_size()));
	}

	void client_compressed_streaming()
	{
		StreamingInputCallRequest first = input(27182), second = input(45904);

		first.mutable_expect_compressed()->set_value(true);
		second.mutable_expect_compressed()->set_value(false);
		{
			Context c;
			StreamingInputCallResponse a;
			auto w = stub->StreamingInputCall(&c, &a);

			w->Write(first);
			w->WritesDone();
			want_code(w->Finish(), StatusCode::INVALID_ARGUMENT);
		}
		Context c;
		StreamingInputCallResponse a;

		c.set_compression_algorithm(GRPC_COMPRESS_GZIP);
		auto w = stub->StreamingInputCall(&c, &a);
		want(w->Write(first), "cannot write");
		want(w->Write(second, grpc::WriteOptions().set_no_compression()),
		     "cannot write plain");
		w->WritesDone();
		want_ok(w->Finish());
		want(a.aggregated_payload_size() == 73086,
		     std::to_string(a.aggregated_payload_size()));
	}

	void read_all(const StreamingOutputCallRequest &q, const std::vector<int> &sizes)
	{
		Context c;
		StreamingOutputCallResponse a;
		auto r = stub->StreamingOutputCall(&c, q);
		size_t n = 0;

		while (r->Read(&a)) {
			want(n < sizes.size(), "too many answers");
			want_zeros(a.payload(), sizes[n++]);
		}
		want_ok(r->Finish());
		want(n == sizes.size(), std::to_string(n) + " answers");
	}

	void server_streaming()
	{
		read_all(output(SIZES), SIZES);
	}

	void server_compressed_streaming()
	{
		StreamingOutputCallRequest q = output({31415, 92653});

		q.mutable_response_parameters(0)->mutable_compressed()->set_value(true);
		q.mutable_response_parameters(1)->mutable_compressed()->set_value(false);
		read_all(q, {31415, 92653});
	}

	void ping_pong()
	{
		Context c;
		StreamingOutputCallResponse a;
		auto both = stub->FullDuplexCall(&c);

		for (size_t i = 0; i < SIZES.size(); i++) {
			want(both->Write(output({SIZES[i]}, PAYLOADS[i])), "cannot write");
			want(both->Read(&a), "no answer");
			want_zeros(a.payload(), SIZES[i]);
		}
		both->WritesDone();
		want(!both->Read(&a), "an answer too many");
		want_ok(both->Finish());
	}

	void empty_stream()
	{
		Context c;
		StreamingOutputCallResponse a;
		auto both = stub->FullDuplexCall(&c);

		both->WritesDone();
		want(!both->Read(&a), "an answer");
		want_ok(both->Finish());
	}

	static void add_echoes(ClientContext &c)
	{
		c.AddMetadata("x-grpc-test-echo-initial", "test_initial_metadata_value");
		c.AddMetadata("x-grpc-test-echo-trailing-bin", "\xab\xab\xab");
	}

	static void want_echoes(const ClientContext &c)
	{
		const auto &first = c.GetServerInitialMetadata(),
			   &last = c.GetServerTrailingMetadata();
		auto initial = first.find("x-grpc-test-echo-initial");
		auto trailing = last.find("x-grpc-test-echo-trailing-bin");

		want(initial != first.end() && initial->second == "test_initial_metadata_value",
		     "initial");
		want(trailing != last.end() && trailing->second == "\xab\xab\xab", "trailing");
	}

	void custom_metadata()
	{
		Context c, d;
		SimpleResponse a;
		StreamingOutputCallResponse b;

		add_echoes(c);
		want_ok(stub->UnaryCall(&c, simple(), &a));
		want_echoes(c);
		add_echoes(d);
		auto both = stub->FullDuplexCall(&d);
		both->Write(output({ANSWER}, REQUEST));
		both->WritesDone();
		want(both->Read(&b), "no answer");
		want_zeros(b.payload(), ANSWER);
		want(!both->Read(&b), "an answer too many");
		want_ok(both->Finish());
		want_echoes(d);
	}

	static void want_status(const Status &s, int code, const std::string &message)
	{
		want(s.error_code() == code && s.error_message() == message,
		     std::to_string(s.error_code()) + " " + s.error_message());
	}

	void ends_with(int code, const std::string &message)
	{
		Context c, d;
		SimpleRequest q;
		SimpleResponse a;
		StreamingOutputCallRequest o;
		StreamingOutputCallResponse b;

		q.mutable_response_status()->set_code(code);
		q.mutable_response_status()->set_message(message);
		want_status(stub->UnaryCall(&c, q, &a), code, message);
		*o.mutable_response_status() = q.response_status();
		auto both = stub->FullDuplexCall(&d);
		both->Write(o);
		both->WritesDone();
		while (both->Read(&b))
			;
		want_status(both->Finish(), code, message);
	}

	void status_code_and_message()
	{
		ends_with(2, "test status message");
		for (int code = 1; code <= 16; code++)
			ends_with(code, "code " + std::to_string(code));
	}

	void special_status_message()
	{
		ends_with(
			2,
			"\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n");
	}

	void unimplemented_method()
	{
		Context c;
		Empty a;

		want_code(stub->UnimplementedCall(&c, Empty(), &a), StatusCode::UNIMPLEMENTED);
	}

	void unimplemented_service()
	{
		Context c;
		Empty a;

		want_code(
			UnimplementedService::NewStub(channel)->UnimplementedCall(&c, Empty(), &a),
			StatusCode::UNIMPLEMENTED);
	}

	void cancel_after_begin()
	{
		Context c;
		StreamingInputCallResponse a;
		auto w = stub->StreamingInputCall(&c, &a);

		c.TryCancel();
		want_code(w->Finish(), StatusCode::CANCELLED);
	}

	void cancel_after_first_response()
	{
		Context c;
		StreamingOutputCallResponse a;
		auto both = stub->FullDuplexCall(&c);

		both->Write(output({31415}, 27182));
		want(both->Read(&a), "no answer");
		c.TryCancel();
		want_code(both->Finish(), StatusCode::CANCELLED);
	}

	void timeout_on_sleeping_server()
	{
		for (int ms : {1, 200}) {
			Context c(ms);
			StreamingOutputCallRequest q = output({9}, 27182);
			StreamingOutputCallResponse a;

			q.mutable_response_parameters(0)->set_interval_us(5000000);
			auto both = stub->FullDuplexCall(&c);
			both->Write(q);
			want(!both->Read(&a), "an answer");
			want_code(both->Finish(), StatusCode::DEADLINE_EXCEEDED);
		}
	}

	void rpc_soak()
	{
		for (int i = 0; i < (is_long ? 1000 : 30); i++)
			large(*stub);
	}

	void channel_soak()
	{
		for (int i = 0; i < (is_long ? 100 : 5); i++)
			large(*TestService::NewStub(make_channel()));
	}
};

int main(int argc, char **argv)
{
#define CASE(name)                                                                                 \
	{                                                                                          \
#name, &Cases::name                                                                \
	}
	static const std::vector<std::pair<const char *, void (Cases::*)()>> all = {
		CASE(empty_unary),
		CASE(cacheable_unary),
		CASE(large_unary),
		CASE(client_compressed_unary),
		CASE(server_compressed_unary),
		CASE(client_streaming),
		CASE(client_compressed_streaming),
		CASE(server_streaming),
		CASE(server_compressed_streaming),
		CASE(ping_pong),
		CASE(empty_stream),
		CASE(custom_metadata),
		CASE(status_code_and_message),
		CASE(special_status_message),
		CASE(unimplemented_method),
		CASE(unimplemented_service),
		CASE(cancel_after_begin),
		CASE(cancel_after_first_response),
		CASE(timeout_on_sleeping_server),
		CASE(rpc_soak),
		CASE(channel_soak),
	};

	if (argc != 4) {
		std::fprintf(stderr, "usage: interop-cpp TARGET CERT|- LONG\n");
		return 2;
	}
	target = argv[1];
	cert = argv[2];
	is_long = std::string(argv[3]) == "1";
	Cases cases;
	for (const auto &one : all) {
		try {
			(cases.*one.second)();
			std::printf("ok %s\n", one.first);
		} catch (const std::exception &e) {
			std::printf("FAIL %s: %s\n", one.first, e.what());
		}
		std::fflush(stdout);
	}
	return 0;
}
