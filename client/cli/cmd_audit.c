/* SPDX-License-Identifier: Apache-2.0 */
/* The audit as a file: one JSON object a line, newest first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/stubs.h"

enum { PAGE = 1000, LINE_MAX_LEN = 65536 };

static int print_entry(const Pb__AuditEntry *entry)
{
	_cleanup_(text_done) struct text text = TEXT_INIT(LINE_MAX_LEN);
	int r;

	r = json_encode(&entry->base, JSON_REST, &text);
	if (r < 0 || text.failed)
		return r < 0 ? r : -ENOMEM;
	return fprintf(stdout, "%s\n", text.s) < 0 ? -EIO : 0;
}

/* The next page's token into ret_token, on the heap; "" after the last. */
static int export_page(struct cli *cli, char **ret_token)
{
	_cleanup_(reach_free) Pb__ListAuditResponse *out = NULL;
	Pb__ListAuditRequest in = PB__LIST_AUDIT_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	in.page_size = PAGE;
	in.page_token = *ret_token;
	code = reach_outcome(cli, qm_list_audit(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	for (size_t i = 0; i < out->n_entries; i++) {
		if (print_entry(out->entries[i])) {
			print_problem(NULL, "an entry could not be written");
			return EXIT_OTHER;
		}
	}
	free(*ret_token);
	*ret_token = strdup(out->next_page_token);
	return *ret_token ? 0 : EXIT_OTHER;
}

static int run_export(struct cli *cli)
{
	_cleanup_(freep) char *token = strdup("");
	int code;

	if (!token)
		return EXIT_OTHER;
	code = reach_open(cli);
	if (code)
		return code;
	do {
		code = export_page(cli, &token);
	} while (!code && token[0]);
	return code;
}

const struct command cmd_audit_table[] = {
	{"audit export", "", "All of the audit, one JSON object a line", 0, 0, NULL, run_export},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
