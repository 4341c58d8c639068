/* SPDX-License-Identifier: Apache-2.0 */
/* The licence, on the Control Panel's socket: show, verify, install. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "client/cli/outfile.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/stubs.h"

enum { FILE_MAX = 8192 };

static void print_day(const char *what, const Google__Protobuf__Timestamp *t, const char *never)
{
	char text[25];

	if (!t && !never)
		return;
	print_line(stdout, "%-14s %s", what,
		   t ? clock_rfc3339(t->seconds * 1000 + t->nanos / 1000000, text) : never);
}

static void print_list(const char *what, char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		print_line(stdout, "%-14s %s", i ? "" : what, names[i]);
}

static void print_licence(const Pb__Licence *l, const char *vendor, const char *key_id, bool own)
{
	char text[64];

	printf("%-14s %" PRIu64 "\n", "serial", l->serial);
	print_line(stdout, "%-14s %s", "licensee", l->licensee);
	printf("%-14s %s\n", "plan",
	       print_enum(&pb__plan__descriptor, (int)l->plan, "PLAN_", text));
	if (l->device_cap)
		printf("%-14s %u per tenant\n", "devices", l->device_cap);
	print_list("features", l->features, l->n_features);
	if (l->control_panel[0])
		print_line(stdout, "%-14s %s", "control panel", l->control_panel);
	print_list("tenants", l->tenants, l->n_tenants);
	print_day("begins", l->not_before, NULL);
	print_day("expires", l->expires_at, "never");
	if (l->expires_at)
		printf("%-14s %u days\n", "grace", l->grace_days);
	print_line(stdout, "%-14s %s, key %s%s", "signed by", vendor, key_id,
		   own ? " (of licence_vendor_key_file)" : "");
}

static void print_tenants(const Pb__LicenceStatus *s)
{
	char plan[64], source[64];
	struct print_table t;

	if (!s->n_tenants)
		return;
	printf("\n");
	print_table_init(&t, "TENANT|PLAN|SET BY|DEVICES|CAP|ID");
	for (size_t i = 0; i < s->n_tenants; i++) {
		const Pb__LicensedTenant *row = s->tenants[i];

		print_cell(&t, row->name);
		print_cell(&t, print_enum(&pb__plan__descriptor, (int)row->plan, "PLAN_", plan));
		print_cell(&t, row->plan_source
				       ? print_enum(&pb__plan_source__descriptor,
						    (int)row->plan_source, "PLAN_SOURCE_", source)
				       : NULL);
		print_cellf(&t, "%u", row->devices);
		if (row->cap)
			print_cellf(&t, "%u", row->cap);
		else
			print_cell(&t, NULL);
		print_cell(&t, row->id);
	}
	print_table_done(&t, stdout);
	for (size_t i = 0; i < s->n_tenants; i++) {
		for (size_t k = 0; k < s->tenants[i]->n_notices; k++)
			print_line(stdout, "%s: %s", s->tenants[i]->name,
				   s->tenants[i]->notices[k]);
	}
}

static void print_status(const Pb__LicenceStatus *s)
{
	char text[64];

	if (!s->licence)
		printf("%-14s none\n", "licence");
	else
		printf("%-14s %s\n", "licence",
		       print_enum(&pb__licence_state__descriptor, (int)s->state, "LICENCE_STATE_",
				  text));
	if (s->licence) {
		print_licence(s->licence, s->vendor, s->key_id, s->own_vendor);
		print_day("installed", s->installed_at, NULL);
		print_day("grace ends", s->grace_until, NULL);
	}
	print_line(stdout, "%-14s %s", "this panel", s->control_panel);
	print_tenants(s);
	if (s->file_problem[0])
		print_line(stderr, "warning: %s", s->file_problem);
}

static int run_show(struct cli *cli)
{
	_cleanup_(reach_free) Pb__GetLicenceResponse *out = NULL;
	Pb__GetLicenceRequest in = PB__GET_LICENCE_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open_operator(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_get_licence(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.licence/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->status)
		print_status(out->status);
	return EXIT_DONE;
}

static int read_licence(const struct cli *cli, char **ret_text)
{
	size_t len;
	int r;

	r = outfile_read(cli->args.words[0], FILE_MAX, ret_text, &len);
	if (r < 0) {
		print_problem(NULL, "cannot read %s: %s", cli->args.words[0], strerror(-r));
		return EXIT_USAGE;
	}
	return 0;
}

static int run_verify(struct cli *cli)
{
	_cleanup_(reach_free) Pb__VerifyLicenceResponse *out = NULL;
	Pb__VerifyLicenceRequest in = PB__VERIFY_LICENCE_REQUEST__INIT;
	_cleanup_(freep) char *text = NULL;
	struct qm_reply reply;
	int code;

	code = read_licence(cli, &text);
	if (code == 0)
		code = reach_open_operator(cli);
	if (code)
		return code;
	in.licence = text;
	code = reach_outcome(cli, qm_verify_licence(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	/* Asked whether it is good, this is the answer. */
	if (code == EXIT_CONFLICT)
		code = EXIT_CHECK_FAILED;
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.licence.verify/1", &out->base) < 0 ? EXIT_OTHER
										    : 0;
	if (out->licence)
		print_licence(out->licence, out->vendor, out->key_id, false);
	print_line(stdout, "%s",
		   out->in_force ? "good, and in force" : "good: it can be installed");
	return EXIT_DONE;
}

static int run_install(struct cli *cli)
{
	_cleanup_(reach_free) Pb__InstallLicenceResponse *out = NULL;
	Pb__InstallLicenceRequest in = PB__INSTALL_LICENCE_REQUEST__INIT;
	_cleanup_(freep) char *text = NULL;
	struct qm_reply reply;
	int code;

	code = read_licence(cli, &text);
	if (code == 0)
		code = reach_open_operator(cli);
	if (code)
		return code;
	in.licence = text;
	code = reach_outcome(cli, qm_install_licence(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.licence/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->status)
		print_status(out->status);
	return EXIT_DONE;
}

const struct command cmd_licence_table[] = {
	{"license show", "", "The licence in force, and what it means for each tenant", 0, 0, NULL,
	 run_show},
	{"license verify", "FILE", "What a licence says, and whether it is good here", 1, 1, NULL,
	 run_verify},
	{"license install", "FILE", "Put a licence in force", 1, 1, NULL, run_install},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
