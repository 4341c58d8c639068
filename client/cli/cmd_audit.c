/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit as a table, and all of it as a file: one JSON object a line or CSV, newest
 * first. People see their own tenant's by a session; a tenant that is named is the
 * Control Panel's operator's question, which goes without one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/csv.h"
#include "base/json.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "client/cli/tenantarg.h"
#include "gen/rpc/stubs.h"

enum { PAGE = 1000, LINE_MAX_LEN = 65536 };

/* Of either answer; msg owns what the others point to. */
struct page {
	ProtobufCMessage *msg;
	Pb__AuditEntry *const *entries;
	size_t n;
	const char *next;
};

static void page_done(struct page *page)
{
	reach_free(&page->msg);
}

static int open_for(struct cli *cli, char ret_tenant[TENANTARG_ROOM])
{
	tenantarg_named(cli, ret_tenant);
	return *ret_tenant ? reach_open_operator(cli) : reach_open(cli);
}

static int ask_own(struct cli *cli, uint32_t size, const char *token, struct page *ret)
{
	Pb__ListAuditRequest in = PB__LIST_AUDIT_REQUEST__INIT;
	Pb__ListAuditResponse *out = NULL;
	struct qm_reply reply;
	int code;

	in.page_size = size;
	in.page_token = (char *)token;
	code = reach_outcome(cli, qm_list_audit(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	/* Without a session: somebody who is to sign in, or the operator. */
	if (code == EXIT_NOT_SIGNED_IN && !cli->token)
		fputs("hint: as the Control Panel's operator name the tenant: --tenant NAME\n",
		      stderr);
	if (code)
		return code;
	qm_reply_done(&reply);
	*ret = (struct page){&out->base, out->entries, out->n_entries, out->next_page_token};
	return 0;
}

static int ask(struct cli *cli, const char *tenant, uint32_t size, const char *token,
	       struct page *ret)
{
	Pb__ListTenantAuditRequest in = PB__LIST_TENANT_AUDIT_REQUEST__INIT;
	Pb__ListTenantAuditResponse *out = NULL;
	struct qm_reply reply;
	int code;

	if (!*tenant)
		return ask_own(cli, size, token, ret);
	in.tenant = (char *)tenant;
	in.page_size = size;
	in.page_token = (char *)token;
	code = reach_outcome(cli, qm_list_tenant_audit(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	*ret = (struct page){&out->base, out->entries, out->n_entries, out->next_page_token};
	return 0;
}

/* --- list --- */

static void add_entry(struct print_table *t, const Pb__AuditEntry *e)
{
	const Google__Protobuf__Timestamp *at = e->time;
	char text[64];

	print_cellf(t, "%" PRIu64, e->seq);
	print_cell(t,
		   at ? print_ago(at->seconds * 1000 + at->nanos / 1000000, clock_wall_ms(), text)
		      : NULL);
	print_cell(t, e->actor);
	print_cell(t, e->action);
	print_cell(t, e->object[0] ? e->object : e->object_id);
	print_cell(t, e->from);
	print_cell(t, e->result);
}

static int run_list(struct cli *cli)
{
	const char *limit = args_value(&cli->args, "--limit");
	_cleanup_(page_done) struct page page = {0};
	char tenant[TENANTARG_ROOM];
	struct print_table t;
	uint64_t n = 100;
	int code;

	if (limit && (text_parse_u64(limit, 1000, &n) < 0 || n == 0)) {
		print_problem(NULL, "--limit is a number from 1 to 1000");
		return EXIT_USAGE;
	}
	code = open_for(cli, tenant);
	if (!code)
		code = ask(cli, tenant, (uint32_t)n, "", &page);
	if (code)
		return code;
	if (cli->json)
		return print_json(stdout, "qmesh.audit.list/1", page.msg) < 0 ? EXIT_OTHER : 0;
	print_table_init(&t, "SEQ|WHEN|WHO|WHAT|OBJECT|FROM|RESULT");
	for (size_t i = 0; i < page.n; i++)
		add_entry(&t, page.entries[i]);
	print_table_done(&t, stdout);
	return EXIT_DONE;
}

/* --- export --- */

static int print_entry(const Pb__AuditEntry *entry, bool is_csv)
{
	_cleanup_(text_done) struct text text = TEXT_INIT(LINE_MAX_LEN);
	int r;

	if (is_csv) {
		r = csv_row(&entry->base, &text);
	} else {
		r = json_encode(&entry->base, JSON_REST, &text);
		text_adds(&text, "\n");
	}
	if (r < 0 || text.failed)
		return r < 0 ? r : -ENOMEM;
	return fputs(text.s, stdout) < 0 ? -EIO : 0;
}

static int print_head(void)
{
	_cleanup_(text_done) struct text text = TEXT_INIT(LINE_MAX_LEN);

	csv_head(&pb__audit_entry__descriptor, &text);
	return text.failed || fputs(text.s, stdout) < 0 ? EXIT_OTHER : 0;
}

/* The next page's token into *token, on the heap; "" after the last. */
static int export_page(struct cli *cli, const char *tenant, char **token)
{
	bool is_csv = args_has(&cli->args, "--csv");
	_cleanup_(page_done) struct page page = {0};
	int code;

	code = ask(cli, tenant, PAGE, *token, &page);
	/* What is refused leaves no file that looks like an empty audit. */
	if (!code && is_csv && !**token)
		code = print_head();
	if (code)
		return code;
	for (size_t i = 0; i < page.n; i++) {
		if (print_entry(page.entries[i], is_csv)) {
			print_problem(NULL, "an entry could not be written");
			return EXIT_OTHER;
		}
	}
	free(*token);
	*token = strdup(page.next);
	return *token ? 0 : EXIT_OTHER;
}

static int run_export(struct cli *cli)
{
	_cleanup_(freep) char *token = strdup("");
	char tenant[TENANTARG_ROOM];
	int code;

	if (!token)
		return EXIT_OTHER;
	code = open_for(cli, tenant);
	if (code)
		return code;
	do {
		code = export_page(cli, tenant, &token);
	} while (!code && token[0]);
	return code;
}

#define TENANT_FLAG                                                                                \
	{                                                                                          \
		"--tenant", "NAME",                                                                \
			"as the Control Panel's operator: this tenant's, whatever its plan"        \
	}

static const struct flag list_flags[] = {
	TENANT_FLAG,
	{"--limit", "N", "so many of the newest, 100 without it"},
	{NULL, NULL, NULL},
};

static const struct flag export_flags[] = {
	TENANT_FLAG,
	{"--csv", NULL, "rows for a spreadsheet, the names of the columns first"},
	{NULL, NULL, NULL},
};

const struct command cmd_audit_table[] = {
	{"audit list", "[TENANT]", "Who did what (Team plan and up)", 0, 1, list_flags, run_list},
	{"audit export", "[TENANT]", "All of the audit, one JSON object a line, or as CSV", 0, 1,
	 export_flags, run_export},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
