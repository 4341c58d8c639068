/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/simfleet.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gen/rpc/admin_service.h"
#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"
#include "server/cp/hub.h"
#include "tests/support/inproc.h"

enum {
	BOOT_MS = 1000000,
	QUANTUM_MS = 100,
	PROBE_TOKEN_MS = 600000,
	LOOKS = 400000,
	LOOK_US = 50,
	DRAIN_MS = 2000,
};
#define WALL_MS 1790000000000
#define PASSWORD "correct horse battery staple 9"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "fleet: %s: %s\n", what, why);
	exit(1);
}

/* --- the clock --- */

static void set_clock(struct simfleet *f, uint64_t boot_ms)
{
	f->wall_ms += (int64_t)(boot_ms - f->boot_ms);
	f->boot_ms = boot_ms;
	clock_fake(1, f->boot_ms, f->wall_ms, "00000000-0000-0000-0000-000000000001");
}

void simfleet_jump(struct simfleet *f, int64_t ms)
{
	f->wall_ms += ms;
	set_clock(f, f->boot_ms);
}

/* --- calls: by token, of "" nobody, of NULL the operator --- */

static bool call(struct simfleet *f, const char *token, const struct method *method, const void *in)
{
	const struct panel_who who = {.token = token && *token ? token : NULL,
				      .is_operator = !token};
	int r;

	/* The rate of creations is told by the clock. */
	set_clock(f, f->boot_ms + 15);
	r = panel_call(&f->panel, &who, method, in, f->answer);
	if (r)
		die(method->name, strerror(-r));
	return f->answer->code == GRPC_OK;
}

static void must(struct simfleet *f, const char *token, const struct method *method, const void *in)
{
	if (!call(f, token, method, in))
		die(method->name, f->answer->words);
}

static ProtobufCMessage *out(struct simfleet *f, const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *msg =
		protobuf_c_message_unpack(d, NULL, f->answer->len, f->answer->bytes);

	if (!msg)
		die(d->name, "does not unpack");
	return msg;
}

static void login(struct simfleet *f, struct simtenant *t)
{
	Pb__LoginRequest in = PB__LOGIN_REQUEST__INIT;
	Pb__LoginResponse *got;

	in.user = (char *)"ann";
	in.tenant = t->name;
	in.password = (char *)PASSWORD;
	must(f, "", &auth_service_methods[METHOD_AUTH_LOGIN], &in);
	got = (void *)out(f, &pb__login_response__descriptor);
	snprintf(t->token, sizeof(t->token), "%s", got->token);
	protobuf_c_message_free_unpacked(&got->base, NULL);
}

static void make_tenant(struct simfleet *f, const char *name)
{
	Pb__CreateTenantRequest in = PB__CREATE_TENANT_REQUEST__INIT;

	in.name = (char *)name;
	in.plan = PB__PLAN__PLAN_ENTERPRISE;
	must(f, NULL, &admin_service_methods[METHOD_ADMIN_CREATE_TENANT], &in);
}

static void make_admin(struct simfleet *f, struct simtenant *t)
{
	Pb__CreateUserRequest in = PB__CREATE_USER_REQUEST__INIT;

	in.tenant = t->name;
	in.name = (char *)"ann";
	in.password = (char *)PASSWORD;
	in.role = PB__ROLE__ROLE_ADMIN;
	must(f, NULL, &admin_service_methods[METHOD_ADMIN_CREATE_USER], &in);
	login(f, t);
}

static void invite(struct simfleet *f, const char *tenant, char ret[256])
{
	Pb__CreateJoinTokenRequest in = PB__CREATE_JOIN_TOKEN_REQUEST__INIT;
	Pb__CreateJoinTokenResponse *got;

	in.tenant = (char *)tenant;
	must(f, NULL, &admin_service_methods[METHOD_ADMIN_CREATE_JOIN_TOKEN], &in);
	got = (void *)out(f, &pb__create_join_token_response__descriptor);
	snprintf(ret, 256, "%s", got->join_token);
	protobuf_c_message_free_unpacked(&got->base, NULL);
}

/* --- the probe --- */

/* A new node each time: its token is new too. */
static void open_probe(struct simfleet *f)
{
	static const Pb__SubscribeRequest hello = PB__SUBSCRIBE_REQUEST__INIT;
	uint8_t bytes[64], identity[SIGN_PUBLIC_LEN], secret[SIGN_SECRET_LEN];
	struct inproc_who who = {.address = "10.255.255.1"};
	Pb__EnrollRequest in = PB__ENROLL_REQUEST__INIT;
	struct key private_key, public_key;
	char token[256], bearer[1200], name[32];
	struct inproc_request request = {.p = bytes};
	Pb__EnrollResponse *got;

	if (f->probe)
		inproc_close(TAKE(f->probe));
	invite(f, "probe", token);
	key_make(&private_key, &public_key);
	sign_make(identity, secret);
	snprintf(name, sizeof(name), "probe %llu", (unsigned long long)++f->n_labels);
	in.join_token = token;
	in.name = name;
	in.wg_public_key = (ProtobufCBinaryData){.data = public_key.b, .len = KEY_LEN};
	in.identity_key = (ProtobufCBinaryData){.data = identity, .len = sizeof(identity)};
	must(f, "", &agent_service_methods[METHOD_AGENT_ENROLL], &in);
	got = (void *)out(f, &pb__enroll_response__descriptor);
	if (uuid_parse(got->node_id, &f->probe_node) ||
	    uuid_parse(got->tenant_id, &f->probe_tenant))
		die("probe", "no ids");
	snprintf(bearer, sizeof(bearer), "Bearer %s", got->agent_token);
	protobuf_c_message_free_unpacked(&got->base, NULL);
	who.bearer = bearer;
	request.len = protobuf_c_message_pack(&hello.base, bytes);
	if (inproc_open(f->panel.services, "/quazzar.mesh.v1.AgentService/Subscribe", &who,
			&request, &f->probe))
		die("probe", "no stream");
	f->probe_ms = f->boot_ms;
}

static bool is_refresh(const struct frame *frame)
{
	Pb__SubscribeResponse *pb = pb__subscribe_response__unpack(
		NULL, frame->len - FRAME_HEAD_LEN, frame->bytes + FRAME_HEAD_LEN);
	bool is = pb && pb->event && pb->event->body_case == PB__AGENT_EVENT__BODY_REFRESH;

	if (pb)
		pb__subscribe_response__free_unpacked(pb, NULL);
	return is;
}

/* False: its stream ended, as all streams do when the clock jumps over their tokens. */
static bool wait_refresh(struct simfleet *f)
{
	struct status status;

	for (unsigned i = 0; i < LOOKS; i++) {
		struct frame *frame = inproc_take(f->probe);
		bool is = frame && is_refresh(frame);

		frame_unref(frame);
		if (is)
			return true;
		if (!frame && inproc_over(f->probe, &status)) {
			status_done(&status);
			return false;
		}
		if (!frame)
			usleep(LOOK_US);
	}
	die("hub", "does not answer");
	return false;
}

void simfleet_settle(struct simfleet *f)
{
	if (!f->probe || f->boot_ms - f->probe_ms > PROBE_TOKEN_MS)
		open_probe(f);
	f->n_barriers++;
	for (int heard = 0; heard < 2;) {
		hub_refresh(f->panel.cp->hub, &f->probe_tenant, &f->probe_node);
		if (wait_refresh(f))
			heard++;
		else
			open_probe(f);
	}
}

/* --- nodes --- */

struct simtenant *simfleet_tenant_of(struct simfleet *f, const struct simnode *n)
{
	unsigned i = 0;

	while (n->index >= f->tenants[i].first + f->tenants[i].n_nodes)
		i++;
	return &f->tenants[i];
}

static bool run_all(struct simfleet *f)
{
	bool any = false;

	for (unsigned i = 0; i < f->n_nodes; i++) {
		if (!simnode_run(&f->nodes[i]))
			continue;
		any = true;
		if (f->stepped)
			f->stepped(f, &f->nodes[i]);
	}
	return any;
}

static uint64_t next_due(const struct simfleet *f)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].is_up && f->nodes[i].due_ms < next)
			next = f->nodes[i].due_ms;
	return next;
}

void simfleet_run(struct simfleet *f, uint64_t ms)
{
	uint64_t until = f->boot_ms + ms, next;

	for (;;) {
		simfleet_settle(f);
		if (run_all(f))
			continue;
		next = next_due(f);
		if (next < f->boot_ms + QUANTUM_MS)
			next = f->boot_ms + QUANTUM_MS;
		if (next > until)
			break;
		set_clock(f, next);
	}
	if (until > f->boot_ms)
		set_clock(f, until);
}

/* --- the Control Panel --- */

static void copy_state(struct simfleet *f, const char *from, const char *to)
{
	char command[400];

	snprintf(command, sizeof(command), "rm -rf %s/%s && cp -a %s/%s %s/%s", f->panel.dir, to,
		 f->panel.dir, from, f->panel.dir, to);
	if (system(command))
		die(command, "failed");
}

void simfleet_restart(struct simfleet *f, enum simfleet_between what)
{
	if (what == SIMFLEET_BACK_UP) {
		hub_drain(f->panel.cp->hub, DRAIN_MS);
		simfleet_settle(f);
		run_all(f);
	}
	for (unsigned i = 0; i < f->n_nodes; i++)
		simnode_break(&f->nodes[i]);
	if (f->probe)
		inproc_close(TAKE(f->probe));
	panel_close(&f->panel);
	if (what == SIMFLEET_BACK_UP)
		copy_state(f, "state", "backup");
	if (what == SIMFLEET_RESTORE)
		copy_state(f, "backup", "state");
	f->has_backup = f->has_backup || what == SIMFLEET_BACK_UP;
	if (panel_open(&f->panel))
		die("panel", "does not start again");
}

/* --- people --- */

bool simfleet_create(struct simfleet *f, struct simtenant *t, unsigned home)
{
	const struct simnode *n = &f->nodes[t->first + home % t->n_nodes];
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;
	char label[40], node_id[UUID_TEXT_LEN + 1];
	Pb__CreateDeviceResponse *got;

	if (t->n_devices == SIMFLEET_DEVICES || uuid_is_nil(&n->node.identity.node_id))
		return false;
	snprintf(label, sizeof(label), "device %llu", (unsigned long long)++f->n_labels);
	in.label = label;
	in.node_id = (char *)uuid_text(&n->node.identity.node_id, node_id);
	if (!call(f, t->token, &mesh_service_methods[METHOD_MESH_CREATE_DEVICE], &in))
		return false;
	got = (void *)out(f, &pb__create_device_response__descriptor);
	strcpy(t->devices[t->n_devices++], got->device->id);
	protobuf_c_message_free_unpacked(&got->base, NULL);
	return true;
}

bool simfleet_rename(struct simfleet *f, struct simtenant *t, unsigned device)
{
	Pb__UpdateDeviceRequest in = PB__UPDATE_DEVICE_REQUEST__INIT;
	char label[40];

	if (!t->n_devices)
		return false;
	snprintf(label, sizeof(label), "renamed %llu", (unsigned long long)++f->n_labels);
	in.id = t->devices[device % t->n_devices];
	in.label = label;
	in.label_choice_case = PB__UPDATE_DEVICE_REQUEST__LABEL_CHOICE_LABEL;
	return call(f, t->token, &mesh_service_methods[METHOD_MESH_UPDATE_DEVICE], &in);
}

bool simfleet_rotate(struct simfleet *f, struct simtenant *t, unsigned device, bool immediate)
{
	Pb__RotateDeviceKeyRequest in = PB__ROTATE_DEVICE_KEY_REQUEST__INIT;

	if (!t->n_devices)
		return false;
	in.id = t->devices[device % t->n_devices];
	in.immediate = immediate;
	return call(f, t->token, &mesh_service_methods[METHOD_MESH_ROTATE_DEVICE_KEY], &in);
}

bool simfleet_delete(struct simfleet *f, struct simtenant *t, unsigned device)
{
	Pb__DeleteDeviceRequest in = PB__DELETE_DEVICE_REQUEST__INIT;
	char id[UUID_TEXT_LEN + 1];
	unsigned i;

	if (!t->n_devices)
		return false;
	i = device % t->n_devices;
	strcpy(id, t->devices[i]);
	memcpy(t->devices[i], t->devices[--t->n_devices], sizeof(id));
	in.id = id;
	return call(f, t->token, &mesh_service_methods[METHOD_MESH_DELETE_DEVICE], &in);
}

bool simfleet_suspend(struct simfleet *f, struct simtenant *t, bool suspend)
{
	Pb__UpdateUserRequest in = PB__UPDATE_USER_REQUEST__INIT;

	in.tenant = t->name;
	in.user = (char *)"ann";
	in.disabled = suspend;
	in.disabled_choice_case = PB__UPDATE_USER_REQUEST__DISABLED_CHOICE_DISABLED;
	if (!call(f, NULL, &admin_service_methods[METHOD_ADMIN_UPDATE_USER], &in))
		return false;
	t->is_suspended = suspend;
	if (!suspend)
		login(f, t);
	return true;
}

/* A device of this node with a next key that waits on its interface. */
static const struct member *waits_for_promotion(const struct simnode *n)
{
	const struct members *list = n->node.replica.list;

	for (size_t i = 0; n->is_up && !n->is_cut && i < members_count(list); i++) {
		const struct member *m = members_at(list, i);

		if (m->kind == MEMBER_DEVICE && !m->suspended && m->device.pending.key_version &&
		    uuid_equal(&m->device.home, &n->node.identity.node_id) &&
		    fakewg_peer(n->wg, &m->device.pending.public_key))
			return m;
	}
	return NULL;
}

struct simnode *simfleet_rotating(const struct simfleet *f, const struct simtenant *t,
				  const struct member **ret_device)
{
	for (unsigned i = t->first; i < t->first + t->n_nodes; i++) {
		*ret_device = waits_for_promotion(&f->nodes[i]);
		if (*ret_device)
			return &f->nodes[i];
	}
	return NULL;
}

/* --- life --- */

static void make_node(struct simfleet *f, struct simtenant *t, unsigned index)
{
	struct simnode *n = &f->nodes[index];
	char token[256];

	invite(f, t->name, token);
	if (simnode_init(n, index, f->panel.dir, &f->panel.services) || simnode_start(n, token))
		die("node", "does not join");
	t->id = n->node.identity.tenant_id;
}

void simfleet_init(struct simfleet *f, unsigned n_tenants, unsigned nodes_each)
{
	memset(f, 0, sizeof(*f));
	f->boot_ms = BOOT_MS;
	f->wall_ms = WALL_MS;
	set_clock(f, f->boot_ms);
	f->answer = malloc(sizeof(*f->answer));
	f->nodes = calloc((size_t)n_tenants * nodes_each, sizeof(*f->nodes));
	if (!f->answer || !f->nodes || sign_init() || panel_init(&f->panel) ||
	    panel_open(&f->panel))
		die("panel", "does not start");
	panel_answer_init(f->answer);
	make_tenant(f, "probe");
	for (unsigned i = 0; i < n_tenants; i++) {
		struct simtenant *t = &f->tenants[f->n_tenants++];

		snprintf(t->name, sizeof(t->name), "tenant-%u", i);
		t->first = f->n_nodes;
		t->n_nodes = nodes_each;
		make_tenant(f, t->name);
		make_admin(f, t);
		for (unsigned k = 0; k < nodes_each; k++)
			make_node(f, t, f->n_nodes++);
	}
}

void simfleet_done(struct simfleet *f)
{
	for (unsigned i = 0; i < f->n_nodes; i++)
		simnode_done(&f->nodes[i]);
	if (f->probe)
		inproc_close(TAKE(f->probe));
	panel_done(&f->panel);
	free(f->nodes);
	free(f->answer);
	clock_fake(0, 0, 0, NULL);
}
