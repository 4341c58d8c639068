/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wraps stand where the linker would put the real functions: libqmesh's
 * calls go to inproc, WireGuard's options get the back end in memory, addresses
 * and switches of the host are left alone, and no thread begins.
 */
#include "tests/support/simnode.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "client/qmesh.h"
#include "gen/rpc/stubs.h"
#include "server/node/keeper.h"
#include "server/node/link.h"
#include "server/node/statefile.h"
#include "server/wg/netif.h"
#include "server/wg/sysctl.h"
#include "tests/support/inproc.h"

enum { PORT_FIRST = 10000, TURNS_MAX = 40, HELLO_MAX = 2048 };
#define SUBSCRIBE_PATH "/quazzar.mesh.v1.AgentService/Subscribe"

struct simcall {
	struct simnode *node;
	struct qm_handler handler;
	void *arg;
	struct inproc_stream *stream; /* NULL: never reached anybody */
	bool told;                    /* done has run */
};

static struct simnode *nodes[SIMNODE_MAX];

/* --- the wire --- */

int __wrap_qm_client_new(const struct qm_options *options, struct qm_client **ret_client);
void __wrap_qm_client_free(struct qm_client *client);
int __wrap_qm_client_set_pins(struct qm_client *client, const uint8_t (*pins)[32], size_t n);
int __wrap_qm_subscribe_start(struct qm_client *client, const struct qm_call_options *options,
			      const Pb__SubscribeRequest *in, const struct qm_handler *handler,
			      void *arg, struct qm_call **ret_call);
int __wrap_qm_unary(struct qm_client *client, const char *path, const void *request, size_t len,
		    const struct qm_call_options *options, struct qm_reply *ret_reply);
void __wrap_qm_call_cancel(struct qm_call *call);
void __wrap_qm_call_release(struct qm_call *call);

int __wrap_qm_client_new(const struct qm_options *options, struct qm_client **ret_client)
{
	unsigned port = 0;

	if (sscanf(options->target, "http://127.0.0.1:%u", &port) != 1 || port < PORT_FIRST)
		return -EINVAL;
	*ret_client = (struct qm_client *)(void *)nodes[port - PORT_FIRST];
	return 0;
}

static void tell_done(struct simcall *c, enum err err, const char *words)
{
	struct status status = {0};

	if (c->told)
		return;
	c->told = true;
	if (err)
		status_set(&status, err, "%s", words);
	c->handler.done(c->arg, &status);
	status_done(&status);
}

static void close_stream(struct simcall *c)
{
	size_t most = c->stream ? inproc_most(c->stream) : 0;

	if (most > c->node->most_waiting)
		c->node->most_waiting = most;
	if (c->stream)
		inproc_close(TAKE(c->stream));
}

void __wrap_qm_client_free(struct qm_client *client)
{
	struct simnode *n = (struct simnode *)(void *)client;
	struct simcall *c = n ? n->stream : NULL;

	if (!c)
		return;
	close_stream(c);
	tell_done(c, ERR_CANCELLED, "cancelled");
	free(TAKE(n->stream));
}

int __wrap_qm_client_set_pins(struct qm_client *client, const uint8_t (*pins)[32], size_t n)
{
	(void)client;
	(void)pins;
	(void)n;
	return 0;
}

static struct inproc_who who_of(const struct simnode *n, const struct qm_call_options *options)
{
	struct inproc_who who = {.address = n->address};

	for (size_t i = 0; options && i < options->n_metadata; i++)
		if (strcmp(options->metadata[i].name, "authorization") == 0)
			who.bearer = options->metadata[i].value;
	return who;
}

static bool is_reached(const struct simnode *n)
{
	return !n->is_cut && *n->services;
}

int __wrap_qm_subscribe_start(struct qm_client *client, const struct qm_call_options *options,
			      const Pb__SubscribeRequest *in, const struct qm_handler *handler,
			      void *arg, struct qm_call **ret_call)
{
	struct simnode *n = (struct simnode *)(void *)client;
	const struct inproc_who who = who_of(n, options);
	struct simcall *c = calloc(1, sizeof(*c));
	uint8_t bytes[HELLO_MAX];
	const struct inproc_request request = {
		.p = bytes, .len = protobuf_c_message_get_packed_size(&in->base)};
	int r = 0;

	if (!c)
		return -ENOMEM;
	*c = (struct simcall){.node = n, .handler = *handler, .arg = arg};
	n->n_hellos++;
	n->n_early += clock_boot_ms() < n->not_before_ms;
	n->n_asked_all += in->head.len && !in->generation;
	if (request.len > sizeof(bytes))
		abort();
	protobuf_c_message_pack(&in->base, bytes);
	if (is_reached(n))
		r = inproc_open(*n->services, SUBSCRIBE_PATH, &who, &request, &c->stream);
	if (r) {
		free(c);
		return r;
	}
	n->stream = c;
	*ret_call = (struct qm_call *)(void *)c;
	return 0;
}

int __wrap_qm_unary(struct qm_client *client, const char *path, const void *request, size_t len,
		    const struct qm_call_options *options, struct qm_reply *ret_reply)
{
	struct simnode *n = (struct simnode *)(void *)client;
	const struct inproc_request in = {.p = request, .len = len};
	const struct inproc_who who = who_of(n, options);
	struct inproc_reply reply;
	int r;

	*ret_reply = (struct qm_reply){0};
	n->n_reports += strstr(path, "/Report") != NULL;
	if (!is_reached(n)) {
		status_set(&ret_reply->status, ERR_CP_UNREACHABLE, "not reached");
		return 0;
	}
	r = inproc_unary(*n->services, path, &who, &in, &reply);
	if (!r)
		*ret_reply = (struct qm_reply){
			.status = reply.status, .message = reply.bytes, .len = reply.len};
	n->n_refused += !r && ret_reply->status.code != GRPC_OK;
	return r;
}

void __wrap_qm_call_cancel(struct qm_call *call)
{
	struct simcall *c = (struct simcall *)(void *)call;

	close_stream(c);
	tell_done(c, ERR_CANCELLED, "cancelled");
}

void __wrap_qm_call_release(struct qm_call *call)
{
	struct simcall *c = (struct simcall *)(void *)call;

	close_stream(c);
	if (c->node->stream == c)
		c->node->stream = NULL;
	free(c);
}

/* --- the host --- */

int __wrap_wg_new(const struct wg_options *o, const struct wg_backend *backend, struct wg **ret_wg);
int __real_wg_new(const struct wg_options *o, const struct wg_backend *backend, struct wg **ret_wg);
int __wrap_netif_add_address(const char *interface, const struct cidr *address);
int __wrap_netif_keep_addresses(const char *interface, const struct cidr *keep, size_t n);
int __wrap_netif_up(const char *interface, uint32_t mtu);
int __wrap_netif_routes(const char *skip, struct cidr *ret_routes, size_t cap);
int __wrap_sysctl_forward(const char *interface, const char *state_dir);
void __wrap_trim_startup(void);
int __wrap_link_start(struct link *l);
int __wrap_keeper_start(struct keeper *k);

int __wrap_wg_new(const struct wg_options *o, const struct wg_backend *backend, struct wg **ret_wg)
{
	(void)backend;
	return __real_wg_new(o, &fakewg_backend, ret_wg);
}

int __wrap_netif_add_address(const char *interface, const struct cidr *address)
{
	(void)interface;
	(void)address;
	return 0;
}

int __wrap_netif_keep_addresses(const char *interface, const struct cidr *keep, size_t n)
{
	(void)interface;
	(void)keep;
	(void)n;
	return 0;
}

int __wrap_netif_up(const char *interface, uint32_t mtu)
{
	(void)interface;
	(void)mtu;
	return 0;
}

int __wrap_netif_routes(const char *skip, struct cidr *ret_routes, size_t cap)
{
	(void)skip;
	(void)ret_routes;
	(void)cap;
	return 0;
}

int __wrap_sysctl_forward(const char *interface, const char *state_dir)
{
	(void)interface;
	(void)state_dir;
	return 0;
}

void __wrap_trim_startup(void)
{
}

int __wrap_link_start(struct link *l)
{
	(void)l;
	return 0;
}

int __wrap_keeper_start(struct keeper *k)
{
	keeper_begin(k);
	return 0;
}

/* --- the node --- */

int simnode_init(struct simnode *n, unsigned index, const char *parent, struct services **services)
{
	char name[WG_NAME_MAX + 1];

	if (index >= SIMNODE_MAX)
		return -ERANGE;
	*n = (struct simnode){.index = index, .services = services};
	snprintf(n->dir, sizeof(n->dir), "%s/n%u", parent, index);
	snprintf(n->address, sizeof(n->address), "10.%u.%u.1", index / 250, index % 250 + 1);
	snprintf(name, sizeof(name), "sim%u", index);
	n->wg = fakewg_new(name);
	if (!n->wg || mkdir(n->dir, 0700))
		return -errno;
	nodes[index] = n;
	return 0;
}

static bool go_on(void)
{
	return false;
}

static int configure(struct simnode *n, const char *token_file)
{
	char cp[48], label[24];
	const char *argv[] = {"simnode",
			      "--cp",
			      cp,
			      "--wg-interface",
			      n->wg->interface,
			      "--state-dir",
			      n->dir,
			      "--firewall",
			      "off",
			      "--dns",
			      "off",
			      "--name",
			      label,
			      "--join-token-file",
			      token_file,
			      "--endpoint",
			      NULL,
			      "--log-level",
			      "error"};
	char endpoint[48];
	int exit_code = -1, rest[ARRAY_LEN(argv)];
	size_t n_rest = 0;

	snprintf(cp, sizeof(cp), "http://127.0.0.1:%u", PORT_FIRST + n->index);
	snprintf(label, sizeof(label), "node %u", n->index);
	snprintf(endpoint, sizeof(endpoint), "198.18.%u.%u:51820", n->index / 250,
		 n->index % 250 + 1);
	argv[16] = n->index % 4 ? endpoint : "";
	return conf_load(&node_conf_table, &n->node.conf, ARRAY_LEN(argv), (char **)argv,
			 &exit_code, rest, &n_rest);
}

int simnode_start(struct simnode *n, const char *join_token)
{
	char file[128];
	int r;

	/* What it was told before is forgotten with it. */
	n->not_before_ms = 0;
	memset(&n->node, 0, sizeof(n->node));
	snprintf(file, sizeof(file), "%s/token", n->dir);
	if (join_token) {
		r = statefile_write(n->dir, "token", join_token, strlen(join_token));
		if (r)
			return r;
	}
	r = configure(n, join_token ? file : "");
	if (!r)
		r = node_start(&n->node, go_on);
	n->is_up = r == 0;
	n->due_ms = 0;
	return r;
}

void simnode_kill(struct simnode *n)
{
	if (!n->is_up)
		return;
	n->is_up = false;
	node_stop(&n->node);
	conf_done(&node_conf_table, &n->node.conf);
}

void simnode_done(struct simnode *n)
{
	simnode_kill(n);
	frame_unref(TAKE(n->kept));
	fakewg_free(TAKE(n->wg));
	nodes[n->index] = NULL;
}

/* Notes what a frame tells of the wire; true: it has a list. */
static bool read_frame(struct simnode *n, const struct frame *frame)
{
	Pb__SubscribeResponse *pb = pb__subscribe_response__unpack(
		NULL, frame->len - FRAME_HEAD_LEN, frame->bytes + FRAME_HEAD_LEN);
	bool is = pb && pb->event && pb->event->body_case == PB__AGENT_EVENT__BODY_PEERS_UPDATED;

	if (pb && pb->event && pb->event->body_case == PB__AGENT_EVENT__BODY_DRAIN)
		n->not_before_ms = clock_boot_ms() + pb->event->drain->reconnect_after_ms;
	if (pb)
		pb__subscribe_response__free_unpacked(pb, NULL);
	return is;
}

/* Frames first, as a socket has them; the end of the stream behind the last. */
static bool take_frames(struct simnode *n)
{
	struct simcall *c = n->stream;
	struct status status = {0};
	struct frame *frame;
	bool any = false;

	if (!c || c->told || n->is_slow)
		return false;
	if (!c->stream) {
		tell_done(c, ERR_CP_UNREACHABLE, "not reached");
		return true;
	}
	while ((frame = inproc_take(c->stream))) {
		if (read_frame(n, frame) && !n->kept)
			n->kept = frame_ref(frame);
		c->handler.message(c->arg, frame->bytes + FRAME_HEAD_LEN,
				   frame->len - FRAME_HEAD_LEN);
		frame_unref(frame);
		any = true;
	}
	if (!any && inproc_over(c->stream, &status)) {
		c->told = true;
		c->handler.done(c->arg, &status);
		status_done(&status);
		return true;
	}
	return any;
}

bool simnode_run(struct simnode *n)
{
	uint64_t now = clock_boot_ms(), link_ms = 0, keeper_ms = 0;
	bool any;

	if (!n->is_up)
		return false;
	any = take_frames(n);
	if (!any && n->due_ms > now)
		return false;
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		keeper_ms = keeper_turn(n->node.keeper, 0);
		link_ms = link_turn(n->node.link);
		take_frames(n);
		if (link_ms > now && keeper_ms > now)
			break;
	}
	n->due_ms = link_ms < keeper_ms ? link_ms : keeper_ms;
	if (n->due_ms <= now)
		n->due_ms = now + 1;
	return true;
}

void simnode_break(struct simnode *n)
{
	if (n->stream) {
		close_stream(n->stream);
		tell_done(n->stream, ERR_CP_UNREACHABLE, "connection lost");
		n->due_ms = 0;
	}
}

bool simnode_lose(struct simnode *n)
{
	struct frame *frame =
		n->stream && n->stream->stream ? inproc_take(n->stream->stream) : NULL;

	frame_unref(frame);
	return frame != NULL;
}

bool simnode_replay(struct simnode *n)
{
	struct simcall *c = n->stream;

	if (!n->kept || !c || c->told)
		return false;
	c->handler.message(c->arg, n->kept->bytes + FRAME_HEAD_LEN, n->kept->len - FRAME_HEAD_LEN);
	frame_unref(TAKE(n->kept));
	n->due_ms = 0;
	return true;
}

bool simnode_spoil(struct simnode *n)
{
	const struct wg_options o = {.interface = n->wg->interface};
	struct members *list = n->is_up ? n->node.replica.list : NULL;
	bool done = false;

	for (size_t i = 0; list && !done && i < members_count(list); i++) {
		struct uuid id = members_at(list, i)->id;

		if (members_at(list, i)->kind == MEMBER_DEVICE)
			done = members_remove(list, &id);
	}
	if (done)
		fakewg_backend.destroy(&o);
	return done;
}
