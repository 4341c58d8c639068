/* SPDX-License-Identifier: Apache-2.0 */
/* The Control Panel's root keys: what there is, and another in the place of one. */
#include <string.h>

#include "base/clock.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/stubs.h"

static const char *when(const Google__Protobuf__Timestamp *t, char *ret)
{
	if (!t)
		return "-";
	clock_rfc3339(t->seconds * 1000 + t->nanos / 1000000, ret);
	/* Keys live for months: the second is enough. */
	strcpy(ret + strlen("2026-11-22T10:00:00"), "Z");
	return ret;
}

/* What it waits for, or how it ended. */
static void add_note(struct print_table *t, const Pb__RootKey *key)
{
	if (key->state == PB__KEY_STATE__KEY_STATE_RETIRED)
		print_cell(t, key->cut ? "ended at once" : "");
	else if (key->purpose == PB__KEY_PURPOSE__KEY_PURPOSE_PSK)
		print_cellf(t, "%u device keys", key->devices);
	else if (key->purpose >= PB__KEY_PURPOSE__KEY_PURPOSE_TLS &&
		 key->state == PB__KEY_STATE__KEY_STATE_NEXT)
		print_cell(t, "waits for --switch");
	else
		print_cell(t, "");
}

static void print_keys(Pb__RootKey *const *keys, size_t n)
{
	struct print_table t;
	char text[64];

	print_table_init(&t, "PURPOSE|VERSION|STATE|KEY|MADE|ACTIVE|GOOD UNTIL|RETIRED|NOTE");
	for (size_t i = 0; i < n; i++) {
		const Pb__RootKey *key = keys[i];

		print_cell(&t, print_enum(&pb__key_purpose__descriptor, (int)key->purpose,
					  "KEY_PURPOSE_", text));
		print_cellf(&t, "%u", key->version);
		print_cell(&t, print_enum(&pb__key_state__descriptor, (int)key->state, "KEY_STATE_",
					  text));
		print_cell(&t, key->kid);
		print_cell(&t, when(key->made_at, text));
		print_cell(&t, when(key->active_at, text));
		print_cell(&t, when(key->until, text));
		print_cell(&t, when(key->retired_at, text));
		add_note(&t, key);
	}
	print_table_done(&t, stdout);
}

static int run_list(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ListKeysResponse *out = NULL;
	Pb__ListKeysRequest in = PB__LIST_KEYS_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open_operator(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_list_keys(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.key.list/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_keys(out->keys, out->n_keys);
	return EXIT_DONE;
}

/* What the operator must know or do now. */
static void print_next_step(const Pb__RotateKeyRequest *in, const Pb__RotateKeyResponse *out)
{
	if (in->purpose == PB__KEY_PURPOSE__KEY_PURPOSE_SESSIONS && in->immediate)
		print_line(stderr, "%u sessions ended: their people sign in again",
			   out->sessions_ended);
	if (in->purpose == PB__KEY_PURPOSE__KEY_PURPOSE_PSK)
		print_line(stderr, "devices keep their preshared keys; those made or rotated from "
				   "now on take the new version");
	if (in->purpose == PB__KEY_PURPOSE__KEY_PURPOSE_CA && !in->switch_over && !in->immediate)
		print_line(stderr, "people can trust the next CA from now on (qmesh ca); when they "
				   "do: qmesh admin key rotate ca --switch");
	else if (in->purpose == PB__KEY_PURPOSE__KEY_PURPOSE_CA)
		print_line(stderr, "nodes take certificates of the new CA; who does not trust it "
				   "yet (qmesh ca) is warned by his browser");
	if (in->purpose != PB__KEY_PURPOSE__KEY_PURPOSE_TLS)
		return;
	if (in->switch_over)
		print_line(stderr,
			   "the listener shows the new key; clients that trust by ca.pem or "
			   "by pin need the new one");
	else if (out->nodes_untold)
		print_line(stderr,
			   "not told of it so far: %u of the nodes. When they were connected: "
			   "qmesh admin key rotate tls --switch",
			   out->nodes_untold);
	else
		print_line(stderr, "every node has been told of it. The next step: qmesh admin key "
				   "rotate tls --switch");
}

static int run_rotate(struct cli *cli)
{
	_cleanup_(reach_free) Pb__RotateKeyResponse *out = NULL;
	Pb__RotateKeyRequest in = PB__ROTATE_KEY_REQUEST__INIT;
	const char *word = cli->args.words[0];
	struct qm_reply reply;
	int code, value;

	if (print_enum_parse(&pb__key_purpose__descriptor, word, "KEY_PURPOSE_", &value) < 0) {
		print_problem("sessions, agents, lists, audit, psk, tls or ca",
			      "no such purpose: %s", word);
		return EXIT_USAGE;
	}
	in.purpose = (Pb__KeyPurpose)value;
	in.immediate = args_has(&cli->args, "--immediate");
	in.switch_over = args_has(&cli->args, "--switch");
	if (in.switch_over && in.purpose < PB__KEY_PURPOSE__KEY_PURPOSE_TLS) {
		print_problem(NULL, "--switch is for tls and ca alone: the others take one step");
		return EXIT_USAGE;
	}
	if (in.immediate && in.purpose == PB__KEY_PURPOSE__KEY_PURPOSE_PSK) {
		print_problem("rotate psk without it, then the key of each device",
			      "--immediate is not for psk: every device would need a new config "
			      "at once");
		return EXIT_USAGE;
	}
	code = reach_open_operator(cli);
	if (code)
		return code;
	cli->call.timeout_ms = 120000;
	code = reach_outcome(cli, qm_rotate_key(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.key.rotate/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_keys(out->keys, out->n_keys);
	print_next_step(&in, out);
	return EXIT_DONE;
}

static const struct flag rotate_flags[] = {
	{"--immediate", NULL,
	 "what the keys before signed is good no more; tls: though nodes were not told"},
	{"--switch", NULL, "tls and ca: the second step, the new key is shown, or signs"},
	{NULL, NULL, NULL},
};

const struct command cmd_key_table[] = {
	{"admin key list", "", "The Control Panel's root keys and their states", 0, 0, NULL,
	 run_list},
	{"admin key rotate", "PURPOSE",
	 "Put a new root key in place: sessions, agents, lists, audit, psk, tls or ca", 1, 1,
	 rotate_flags, run_rotate},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
