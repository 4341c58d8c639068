/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: list, show, rename, remove, why, stats. Adding and rotating: cmd_issue.c. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "client/cli/converge.h"
#include "client/cli/devname.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"

static int64_t ms_of(const Google__Protobuf__Timestamp *t)
{
	return t->seconds * 1000 + t->nanos / 1000000;
}

static const char *ago(const Google__Protobuf__Timestamp *t, char *ret)
{
	if (!t)
		return "never";
	return print_ago(ms_of(t), clock_wall_ms(), ret);
}

static const char *state_of(const Pb__Device *d, char *ret)
{
	return print_enum(&pb__device_status__descriptor, (int)d->status, "DEVICE_STATUS_", ret);
}

static int print_list_json(const struct devname_list *list)
{
	Pb__ListDevicesResponse all = PB__LIST_DEVICES_RESPONSE__INIT;

	all.devices = list->devices;
	all.n_devices = list->n_devices;
	return print_json(stdout, "qmesh.device.list/1", &all.base) < 0 ? EXIT_OTHER : EXIT_DONE;
}

static int run_list(struct cli *cli)
{
	_cleanup_(devname_list_done) struct devname_list list = {0};
	struct print_table t;
	bool all = false;
	int code;

	code = reach_open(cli);
	if (code == 0) {
		/* The operator at a node's socket has none of its own. */
		all = args_has(&cli->args, "--all") || !cli->token;
		code = devname_list(cli, all, &list);
	}
	if (code)
		return code;
	if (cli->json)
		return print_list_json(&list);
	if (list.n_devices == 0) {
		fprintf(stderr, "no devices yet; add one: qmesh device add LABEL --qr\n");
		return EXIT_DONE;
	}
	print_table_init(&t, all ? "LABEL|NAME|IP|TYPE|STATE|LAST SEEN|OWNER"
				 : "LABEL|NAME|IP|TYPE|STATE|LAST SEEN");
	for (size_t i = 0; i < list.n_devices; i++) {
		const Pb__Device *d = list.devices[i];
		char text[64];

		print_cell(&t, d->label);
		print_cell(&t, d->slug);
		print_cell(&t, d->mesh_ip);
		print_cell(&t, print_enum(&pb__device_type__descriptor, (int)d->type,
					  "DEVICE_TYPE_", text));
		print_cell(&t, state_of(d, text));
		print_cell(&t, ago(d->last_seen, text));
		if (all)
			print_cell(&t, d->owner ? d->owner->name : NULL);
	}
	print_table_done(&t, stdout);
	return EXIT_DONE;
}

static void line(const char *what, const char *value)
{
	print_line(stdout, "%-12s %s", what, value && value[0] ? value : "-");
}

static void show(const Pb__Device *d)
{
	char text[64], more[64];

	line("label", d->label);
	line("name", d->dns_name);
	line("id", d->id);
	line("type", print_enum(&pb__device_type__descriptor, (int)d->type, "DEVICE_TYPE_", text));
	line("state", state_of(d, text));
	line("last seen", ago(d->last_seen, text));
	line("address", d->mesh_ip);
	line("address 6", d->mesh_ip6);
	line("public key", d->public_key);
	line("owner", d->owner ? d->owner->name : NULL);
	line("home node", d->node_id);
	line("added", ago(d->created_at, text));
	line("applied", d->applied ? "yes" : "not yet");
	if (d->rx_bytes || d->tx_bytes) {
		printf("%-12s %s in, %s out\n", "traffic", print_bytes(d->rx_bytes, text),
		       print_bytes(d->tx_bytes, more));
	}
	if (d->pending_until)
		printf("%-12s the old key works until the new one is seen, at most %s\n",
		       "rotation", print_ago(ms_of(d->pending_until), clock_wall_ms(), text));
	if (d->needs_new_config)
		print_line(stdout, "%-12s needs a new one: qmesh device rotate %s --qr", "config",
			   d->slug);
}

static int run_show(struct cli *cli)
{
	_cleanup_(reach_free) Pb__GetDeviceResponse *out = NULL;
	Pb__GetDeviceRequest in = PB__GET_DEVICE_REQUEST__INIT;
	struct qm_reply reply;
	char id[37];
	int code;

	code = reach_open(cli);
	if (code == 0)
		code = devname_find(cli, cli->args.words[0], id);
	if (code)
		return code;
	in.id = id;
	code = reach_outcome(cli, qm_get_device(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.device/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->device)
		show(out->device);
	return EXIT_DONE;
}

static int run_rename(struct cli *cli)
{
	_cleanup_(reach_free) Pb__UpdateDeviceResponse *out = NULL;
	Pb__UpdateDeviceRequest in = PB__UPDATE_DEVICE_REQUEST__INIT;
	struct qm_reply reply;
	char id[37];
	int code;

	code = converge_wait(cli, &in.wait_ms);
	if (code == 0)
		code = reach_open(cli);
	if (code == 0)
		code = devname_find(cli, cli->args.words[0], id);
	if (code)
		return code;
	in.id = id;
	in.label_choice_case = PB__UPDATE_DEVICE_REQUEST__LABEL_CHOICE_LABEL;
	in.label = (char *)cli->args.words[1];
	code = reach_outcome(cli, qm_update_device(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	if (cli->json) {
		code = print_json(stdout, "qmesh.device/1", &out->base) < 0 ? EXIT_OTHER : 0;
	} else if (out->device) {
		print_line(stdout, "%s is %s", out->device->label, out->device->dns_name);
	}
	if (code == 0)
		code = converge_report(cli, &reply, stdout);
	qm_reply_done(&reply);
	return code;
}

static int run_remove(struct cli *cli)
{
	_cleanup_(reach_free) Pb__DeleteDeviceResponse *out = NULL;
	Pb__DeleteDeviceRequest in = PB__DELETE_DEVICE_REQUEST__INIT;
	struct qm_reply reply;
	char id[37];
	int code;

	code = converge_wait(cli, &in.wait_ms);
	if (code == 0)
		code = reach_open(cli);
	if (code == 0)
		code = devname_find(cli, cli->args.words[0], id);
	if (code)
		return code;
	in.id = id;
	code = reach_outcome(cli, qm_delete_device(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	if (cli->json)
		printf("{\"schema\":\"qmesh.device.removed/1\",\"id\":\"%s\"}\n", id);
	else
		printf("removed\n");
	code = converge_report(cli, &reply, stdout);
	qm_reply_done(&reply);
	return code;
}

static int run_why(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ExplainDeviceResponse *out = NULL;
	Pb__ExplainDeviceRequest in = PB__EXPLAIN_DEVICE_REQUEST__INIT;
	struct qm_reply reply;
	char id[37];
	int code;

	code = reach_open(cli);
	if (code == 0)
		code = devname_find(cli, cli->args.words[0], id);
	if (code)
		return code;
	in.id = id;
	code = reach_outcome(cli, qm_explain_device(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.device.why/1", &out->base) < 0 ? EXIT_OTHER : 0;
	line("reason", out->reason);
	line("seen", out->evidence);
	line("next", out->next_step);
	return EXIT_DONE;
}

static void print_samples(const Pb__GetDeviceStatsResponse *out)
{
	char text[64], more[64];
	struct print_table t;

	printf("last handshake %s, %s in, %s out\n", ago(out->latest_handshake, text),
	       print_bytes(out->rx_bytes, more), print_bytes(out->tx_bytes, text));
	if (out->n_samples == 0)
		return;
	print_table_init(&t, "WHEN|IN|OUT");
	for (size_t i = 0; i < out->n_samples; i++) {
		print_cell(&t, ago(out->samples[i]->time, text));
		print_cell(&t, print_bytes(out->samples[i]->rx_bytes, text));
		print_cell(&t, print_bytes(out->samples[i]->tx_bytes, text));
	}
	print_table_done(&t, stdout);
}

static int run_stats(struct cli *cli)
{
	_cleanup_(reach_free) Pb__GetDeviceStatsResponse *out = NULL;
	Pb__GetDeviceStatsRequest in = PB__GET_DEVICE_STATS_REQUEST__INIT;
	struct qm_reply reply;
	char id[37];
	int code;

	code = reach_open(cli);
	if (code == 0)
		code = devname_find(cli, cli->args.words[0], id);
	if (code)
		return code;
	in.id = id;
	if (args_has(&cli->args, "--window"))
		in.window = (char *)args_value(&cli->args, "--window");
	code = reach_outcome(cli, qm_get_device_stats(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.device.stats/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_samples(out);
	return EXIT_DONE;
}

static const struct flag list_flags[] = {
	{"--all", NULL, "all devices of the tenant (admins and auditors)"},
	{NULL, NULL, NULL},
};

static const struct flag wait_flags[] = {
	{"--wait", "TIME", "until every node that is up has it, at most 5s"},
	{NULL, NULL, NULL},
};

static const struct flag stats_flags[] = {
	{"--window", "TIME", "1m, 1h or 24h; 1h without it"},
	{NULL, NULL, NULL},
};

const struct command cmd_device_table[] = {
	{"device list", "", "Your devices", 0, 0, list_flags, run_list},
	{"device show", "DEVICE", "All about one device", 1, 1, NULL, run_show},
	{"device rename", "DEVICE LABEL", "Give it another label and name", 2, 2, wait_flags,
	 run_rename},
	{"device remove", "DEVICE", "Remove it from every node", 1, 1, wait_flags, run_remove},
	{"device why", "DEVICE", "Why it is not connected, and what to do", 1, 1, NULL, run_why},
	{"why", "DEVICE", "The same, in one word", 1, 1, NULL, run_why},
	{"device stats", "DEVICE", "Traffic and handshakes (Pro plan and up)", 1, 1, stats_flags,
	 run_stats},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
