/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/tenantarg.h"

#include <stdio.h>

#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/stubs.h"

void tenantarg_named(const struct cli *cli, char ret[TENANTARG_ROOM])
{
	const char *name = args_value(&cli->args, "--tenant");

	if (!name && cli->args.n_words > cli->command->min_words)
		name = cli->args.words[0];
	snprintf(ret, TENANTARG_ROOM, "%s", name ? name : "");
}

int tenantarg_choose(struct cli *cli, char ret[TENANTARG_ROOM])
{
	_cleanup_(reach_free) Pb__ListTenantsResponse *out = NULL;
	Pb__ListTenantsRequest in = PB__LIST_TENANTS_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	tenantarg_named(cli, ret);
	if (*ret)
		return 0;
	in.page_size = 2;
	code = reach_outcome(cli, qm_list_tenants(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (out->n_tenants != 1) {
		print_problem("qmesh admin tenant list, then --tenant NAME",
			      out->n_tenants ? "there is more than one tenant"
					     : "there is no tenant yet");
		return EXIT_USAGE;
	}
	snprintf(ret, TENANTARG_ROOM, "%s", out->tenants[0]->name);
	return 0;
}
