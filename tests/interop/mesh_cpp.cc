// SPDX-License-Identifier: Apache-2.0
// A daemon of ours by stubs that gRPC C++'s generator made of our proto/:
// mesh-cpp TARGET CERT|- TENANT USER PASSWORD LABEL prints one line "ok CASE" or
// "FAIL CASE: why" each. CERT "-" is clear text.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "quazzar/mesh/v1/auth.grpc.pb.h"
#include "quazzar/mesh/v1/mesh.grpc.pb.h"

using namespace quazzar::mesh::v1;
using grpc::Status;
using grpc::StatusCode;

static void want(bool ok, const std::string &what)
{
	if (!ok)
		throw std::runtime_error(what);
}

static void want_code(const Status &s, StatusCode code)
{
	want(s.error_code() == code, std::to_string(s.error_code()) + ": " + s.error_message());
}

struct Context : grpc::ClientContext {
	explicit Context(const std::string &token = "", int ms = 20000)
	{
		set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(ms));
		if (!token.empty())
			AddMetadata("authorization", "Bearer " + token);
	}
};

/* The one detail of that kind, decoded. */
template <class Detail> static Detail detail_of(const Status &s)
{
	google::rpc::Status told;
	Detail detail;
	int n = 0;

	want(told.ParseFromString(s.error_details()), "details do not decode");
	want(told.code() == s.error_code() && told.message() == s.error_message(),
	     "another status");
	for (const auto &any : told.details())
		n += any.UnpackTo(&detail);
	want(n == 1, std::to_string(n) + " details");
	return detail;
}

struct Cases {
	std::unique_ptr<AuthService::Stub> auth;
	std::unique_ptr<MeshService::Stub> mesh;
	std::string tenant, user, password, label, token, made;
	int before = 0;

	Cases(const std::shared_ptr<grpc::Channel> &channel, char **argv)
	    : auth(AuthService::NewStub(channel)), mesh(MeshService::NewStub(channel)),
	      tenant(argv[3]), user(argv[4]), password(argv[5]), label(argv[6])
	{
	}

	int count()
	{
		Context c(token);
		ListDevicesResponse a;

		want_code(mesh->ListDevices(&c, ListDevicesRequest(), &a), StatusCode::OK);
		return a.devices_size();
	}

	void login()
	{
		Context c;
		LoginRequest q;
		LoginResponse a;

		q.set_tenant(tenant);
		q.set_user(user);
		q.set_password(password);
		want_code(auth->Login(&c, q, &a), StatusCode::OK);
		token = a.token();
		want(!token.empty(), "no token");
	}

	void list_devices()
	{
		before = count();
	}

	void create_device()
	{
		Context c(token);
		CreateDeviceRequest q;
		CreateDeviceResponse a;

		q.set_label(label);
		want_code(mesh->CreateDevice(&c, q, &a), StatusCode::OK);
		want(a.device().label() == label &&
			     a.config().find("[Interface]") != std::string::npos,
		     "config");
		made = a.device().id();
		want(count() == before + 1, "not in the list");
	}

	void watch_state()
	{
		Context c(token), d(token);
		WatchStateResponse one, two;
		UpdateDeviceRequest q;
		UpdateDeviceResponse a;
		auto stream = mesh->WatchState(&c, WatchStateRequest());

		want(stream->Read(&one), "no first message");
		q.set_id(made);
		q.set_label(label + " 2");
		want_code(mesh->UpdateDevice(&d, q, &a), StatusCode::OK);
		want(stream->Read(&two) && two.version() > one.version(), "no news");
		c.TryCancel();
		stream->Finish();
	}

	void error_info()
	{
		Context c(token);
		CreateDeviceRequest q;
		CreateDeviceResponse a;

		q.set_label(label + " 2");
		Status s = mesh->CreateDevice(&c, q, &a);
		want_code(s, StatusCode::ALREADY_EXISTS);
		auto info = detail_of<google::rpc::ErrorInfo>(s);
		want(info.reason() == "LABEL_TAKEN" && info.domain() == "mesh.quazzar",
		     info.ShortDebugString());
	}

	void bad_request()
	{
		Context c(token);
		GetDeviceRequest q;
		GetDeviceResponse a;

		q.set_id("no uuid");
		Status s = mesh->GetDevice(&c, q, &a);
		want_code(s, StatusCode::INVALID_ARGUMENT);
		auto bad = detail_of<google::rpc::BadRequest>(s);
		want(bad.field_violations_size() == 1 && bad.field_violations(0).field() == "id",
		     bad.ShortDebugString());
	}

	void no_token()
	{
		Context c;
		GetStateResponse a;
		Status s = mesh->GetState(&c, GetStateRequest(), &a);

		want_code(s, StatusCode::UNAUTHENTICATED);
		want(detail_of<google::rpc::ErrorInfo>(s).reason() == "TOKEN_MISSING", "reason");
	}

	void cancel()
	{
		Context c(token);
		WatchStateResponse one;
		auto stream = mesh->WatchState(&c, WatchStateRequest());

		want(stream->Read(&one), "no first message");
		c.TryCancel();
		want_code(stream->Finish(), StatusCode::CANCELLED);
	}

	void deadline()
	{
		Context c(token, 400);
		WatchStateResponse one;
		auto stream = mesh->WatchState(&c, WatchStateRequest());

		while (stream->Read(&one))
			;
		want_code(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
	}

	void delete_device()
	{
		Context c(token);
		DeleteDeviceRequest q;
		DeleteDeviceResponse a;

		q.set_id(made);
		want_code(mesh->DeleteDevice(&c, q, &a), StatusCode::OK);
		want(count() == before, "still in the list");
	}
};

static std::shared_ptr<grpc::Channel> make_channel(const std::string &target,
						   const std::string &cert)
{
	grpc::SslCredentialsOptions options;
	std::stringstream all;

	if (cert == "-")
		return grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
	all << std::ifstream(cert).rdbuf();
	options.pem_root_certs = all.str();
	return grpc::CreateChannel(target, grpc::SslCredentials(options));
}

int main(int argc, char **argv)
{
#define CASE(name)                                                                                 \
	{                                                                                          \
#name, &Cases::name                                                                \
	}
	static const std::vector<std::pair<const char *, void (Cases::*)()>> all = {
		CASE(login),      CASE(list_devices),  CASE(create_device), CASE(watch_state),
		CASE(error_info), CASE(bad_request),   CASE(no_token),      CASE(cancel),
		CASE(deadline),   CASE(delete_device),
	};

	if (argc != 7) {
		std::fprintf(stderr, "usage: mesh-cpp TARGET CERT|- TENANT USER PASSWORD LABEL\n");
		return 2;
	}
	Cases cases(make_channel(argv[1], argv[2]), argv);
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
