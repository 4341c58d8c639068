/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The translating doors on real sockets, over handlers that answer from what
 * they were asked: for test_rest.py and test_web.py. Prints the ports, ends when its input does.
 *
 *   gateway_driver SOCKET [CERT KEY]
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "gateway/gateway.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"
#include "server/rpc/call.h"
#include "server/rpc/grpc.h"
#include "server/rpc/health.h"
#include "server/rpc/reflection.h"
#include "server/rpc/server.h"

#define TOKEN "good-token"
#define N_DEVICES 5
#define SESSION_MS 3600000

static atomic_bool is_ready;

static char *copy(struct call *call, const char *s)
{
	return arena_strdup(&call->arena, s);
}

/* --- credentials --- */

static int authenticate(struct call *call, void *owner)
{
	const char *bearer = call_metadata(call, "authorization");
	const char *token = bearer ? bearer : call->session_cookie;

	(void)owner;
	if (!token)
		return 0;
	if (strncmp(token, "Bearer ", 7) == 0)
		token += 7;
	if (strcmp(token, "slow-token") == 0)
		usleep(1500000); /* a store that is busy; longer than any door waits with a head */
	if (strncmp(token, TOKEN, strlen(TOKEN)) != 0)
		return call_fail(call, ERR_TOKEN_INVALID, "The session is over. Sign in again.");
	call->caller.audience = AUDIENCE_USER;
	call->caller.role = ROLE_ADMIN;
	memset(call->caller.session_id.b, 7, 16);
	memset(call->caller.user_id.b, 8, 16);
	call->caller.expires_at_ms = clock_wall_ms() + SESSION_MS;
	if (strcmp(token, TOKEN "-short") == 0)
		call->caller.expires_at_ms = clock_wall_ms() + 200;
	return 0;
}

/* --- handlers --- */

static Pb__Device *make_device(struct call *call, unsigned n)
{
	Pb__Device *d = call_alloc(call, sizeof(*d));

	pb__device__init(d);
	d->id = arena_printf(&call->arena, "00000000-0000-7000-8000-%012u", n);
	d->label = arena_printf(&call->arena, "device %u <b>", n);
	d->rx_bytes = UINT64_MAX - n;
	return d;
}

static int get_state(struct call *call, const Pb__GetStateRequest *in, Pb__GetStateResponse *out)
{
	(void)in;
	out->state = call_alloc(call, sizeof(*out->state));
	pb__state__init(out->state);
	out->state->active = true;
	out->state->listen_port = 51820;
	out->state->generation = 18446744073709551615u;
	return 0;
}

static int list_devices(struct call *call, const Pb__ListDevicesRequest *in,
			Pb__ListDevicesResponse *out)
{
	unsigned at = in->page_token[0] ? (unsigned)strtoul(in->page_token + 1, NULL, 10) : 0;
	unsigned size = in->page_size ? in->page_size : N_DEVICES;

	out->devices = call_alloc(call, N_DEVICES * sizeof(*out->devices));
	while (at < N_DEVICES && out->n_devices < size)
		out->devices[out->n_devices++] = make_device(call, at++);
	if (at < N_DEVICES)
		out->next_page_token = arena_printf(&call->arena, "&%u", at);
	return 0;
}

/* The google.rpc.Status that the caller sent along is the answer, word for word. 0: none came. */
static int refuse_as_asked(struct call *call)
{
	_cleanup_(status_done) struct status st = {0};
	const char *asked = call_metadata(call, "x-refuse-bin");
	uint8_t bytes[16384];
	size_t len;

	if (!asked)
		return 0;
	if (text_unbase64(asked, strlen(asked), bytes, sizeof(bytes), &len) < 0 ||
	    status_decode(bytes, len, &st) < 0)
		return -EBADMSG;
	return call_fail_status(call, &st);
}

static int get_device(struct call *call, const Pb__GetDeviceRequest *in, Pb__GetDeviceResponse *out)
{
	int r = refuse_as_asked(call);

	if (r)
		return r;
	if (strcmp(in->id, "00000000-0000-7000-8000-000000000404") == 0)
		return call_fail(call, ERR_NOT_FOUND, "There is no such device.");
	out->device = make_device(call, 1);
	out->device->id = copy(call, in->id);
	return 0;
}

static int create_device(struct call *call, const Pb__CreateDeviceRequest *in,
			 Pb__CreateDeviceResponse *out)
{
	if (strcmp(in->label, "limited") == 0) {
		int r = call_fail(call, ERR_RATE_LIMITED, "Five a minute.");

		status_retry(&call->status, 12400);
		return r;
	}
	if (strcmp(in->label, "broken") == 0)
		return -EIO;
	out->config = copy(call, "[Interface]\nPrivateKey = secret\n");
	out->device = make_device(call, 9);
	out->device->label = copy(call, in->label);
	out->device->key_version = in->wait_ms;
	out->device->applied = in->keepalive_choice_case ? in->keepalive : true;
	call_header(call, "qmesh-generation", "%u", 42u);
	call_header(call, "qmesh-converged", "3/3;ms=%u", in->wait_ms);
	return 0;
}

static int delete_device(struct call *call, const Pb__DeleteDeviceRequest *in,
			 Pb__DeleteDeviceResponse *out)
{
	(void)in;
	(void)out;
	call_header(call, "qmesh-generation", "43");
	return 0;
}

static int list_audit(struct call *call, const Pb__ListAuditRequest *in, Pb__ListAuditResponse *out)
{
	(void)in;
	out->n_entries = 1;
	out->entries = call_alloc(call, sizeof(*out->entries));
	out->entries[0] = call_alloc(call, sizeof(**out->entries));
	pb__audit_entry__init(out->entries[0]);
	out->entries[0]->object = copy(call, "=1+1");
	return 0;
}

/* Three messages, 20 ms apart, then silence; version 100 ends at once with a refusal. */
static void watch_on(struct call *call, void *arg)
{
	Pb__WatchStateResponse m = PB__WATCH_STATE_RESPONSE__INIT;
	uint64_t *version = arg;

	m.version = ++*version;
	if (call_send(call, &m.base) == 0 && *version % 10 < 3)
		call_after(call, 20, watch_on, version);
}

static int watch_state(struct call *call, const Pb__WatchStateRequest *in)
{
	uint64_t *version = call_alloc(call, sizeof(*version));
	int r = refuse_as_asked(call);

	if (r)
		return r;
	if (in->version == 100)
		return call_fail(call, ERR_CP_UNREACHABLE, "The Control Panel does not answer.");
	*version = in->version;
	call_after(call, 1, watch_on, version);
	return CALL_PARKED;
}

static int login(struct call *call, const Pb__LoginRequest *in, Pb__LoginResponse *out)
{
	if (strcmp(in->password, "right") != 0)
		return call_fail(call, ERR_LOGIN_FAILED, "Name or password is wrong.");
	out->token = copy(call, TOKEN);
	out->expires_at = call_alloc(call, sizeof(*out->expires_at));
	google__protobuf__timestamp__init(out->expires_at);
	out->expires_at->seconds = clock_wall_ms() / 1000 + 28800;
	return 0;
}

static int logout(struct call *call, const Pb__LogoutRequest *in, Pb__LogoutResponse *out)
{
	(void)call;
	(void)in;
	(void)out;
	return 0;
}

static const struct mesh_service mesh = {
	.get_state = get_state,
	.list_devices = list_devices,
	.get_device = get_device,
	.create_device = create_device,
	.delete_device = delete_device,
	.list_audit = list_audit,
	.watch_state = watch_state,
};

static const struct auth_service auth = {.login = login, .logout = logout};

/* --- the server --- */

static void probe(void *owner, struct health_report *report)
{
	(void)owner;
	health_say(report, "WORTH_KNOWING", false, "this is nothing bad");
	if (!is_ready)
		health_say(report, "NOT_YET", true, "not \"yet\"");
}

static int listen_on(struct server *srv, struct listener_options o, const char *name)
{
	uint16_t port = 0;
	int r = server_listen(srv, &o, &port);

	if (r < 0)
		return err_trace(r);
	printf("%s %u\n", name, port);
	return 0;
}

static int start(struct server *srv, int argc, char **argv)
{
	struct listener_options plain = {
		.kind = LISTENER_PLAIN, .address = "127.0.0.1:0", .http2 = true, .name = "plain"};
	struct listener_options local = {.kind = LISTENER_UNIX,
					 .address = argv[1],
					 .http2 = true,
					 .admin_gid = (gid_t)-1,
					 .name = "local"};
	struct listener_options tls = {
		.kind = LISTENER_TLS, .address = "127.0.0.1:0", .http2 = true, .name = "tls"};
	int r = listen_on(srv, plain, "plain");

	if (r == 0)
		r = listen_on(srv, local, "unix");
	if (r == 0 && argc > 3) {
		tls.cert_file = argv[2];
		tls.key_file = argv[3];
		r = listen_on(srv, tls, "tls");
	}
	return r ? r : server_start(srv);
}

int main(int argc, char **argv)
{
	const struct service_hooks hooks = {.authenticate = authenticate};
	struct health *health = NULL;
	int r = health_new(probe, NULL, &health);
	const struct gateway_options options = {
		.page = true, .cp_routes = argc > 4, .health = health};
	struct services *services = services_new(&hooks);
	struct server_options so = {.loops = 2, .services = services};
	struct gateway *gw = NULL;
	struct server *srv = NULL;

	if (argc < 2 || !services || r)
		return 2;
	r = service_add(services, &mesh_service_desc, mesh_service_handlers(&mesh), NULL);
	if (r == 0)
		r = service_add(services, &auth_service_desc, auth_service_handlers(&auth), NULL);
	if (r == 0)
		r = health_add(services, health);
	if (r == 0)
		r = reflection_add(services);
	if (r == 0)
		r = server_new(&so, &srv);
	if (r == 0)
		r = server_add_door(srv, &grpc_door, services);
	if (r == 0)
		r = gateway_attach(srv, &options, &gw);
	if (r == 0)
		r = start(srv, argc, argv);
	if (r < 0)
		return 1;
	puts("started");
	fflush(stdout);
	while (getchar() != EOF)
		is_ready = true;
	health_drain(health);
	server_stop(srv, 500);
	server_free(srv);
	gateway_free(gw);
	services_free(services);
	health_free(health);
	return 0;
}
