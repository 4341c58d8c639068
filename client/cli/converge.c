/* SPDX-License-Identifier: Apache-2.0 */
/* Convergence of a change; see converge.h. */
#include "client/cli/converge.h"

#include <stdio.h>
#include <string.h>

#include "client/cli/print.h"

#define LONGEST_WAIT_MS 5000

int converge_wait(const struct cli *cli, uint32_t *ret_wait_ms)
{
	const char *value = args_value(&cli->args, "--wait");
	uint64_t ms = 0;

	if (value && args_duration(value, LONGEST_WAIT_MS, &ms) < 0) {
		print_problem("write it as 500ms or 5s, at most 5s", "no such time: %s", value);
		return EXIT_USAGE;
	}
	*ret_wait_ms = (uint32_t)ms;
	return 0;
}

int converge_report(const struct cli *cli, const struct qm_reply *reply, FILE *out)
{
	const char *converged = qm_reply_get(reply, "qmesh-converged");
	const char *applied = qm_reply_get(reply, "qmesh-applied");
	unsigned have = 0, live = 0, ms = 0;
	int n = converged ? sscanf(converged, "%u/%u;ms=%u", &have, &live, &ms) : 0;

	if (applied && strcmp(applied, "false") == 0)
		fprintf(stderr, "note: its node has not applied it yet\n");
	if (n < 2)
		return EXIT_DONE;
	if (!cli->json) {
		fprintf(out, "on %u of %u node%s", have, live, live == 1 ? "" : "s");
		if (n == 3)
			fprintf(out, " after %u ms", ms);
		fputc('\n', out);
	}
	if (args_has(&cli->args, "--wait") && have < live) {
		const char *generation = qm_reply_get(reply, "qmesh-generation");

		fprintf(stderr, "error: only %u of %u nodes have it so far\n", have, live);
		if (generation)
			fprintf(stderr, "hint: qmesh change %s --wait 5s\n", generation);
		return EXIT_TIMED_OUT;
	}
	return EXIT_DONE;
}
