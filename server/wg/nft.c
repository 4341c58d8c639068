/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wg/nft.h"

#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "server/wg/spawn.h"

#define RULES_MAX (4u << 20)
#define OUTPUT_MAX 4096

int nft_json(const char *json)
{
	char *argv[] = {(char *)"nft", (char *)"-j", (char *)"-f", (char *)"-", NULL};
	_cleanup_(text_done) struct text said = TEXT_INIT(OUTPUT_MAX);
	int r = spawn_run(argv, json, &said);

	if (r <= 0)
		return r;
	log_warn("wg", "nft ended with %d: %s", r, said.s ? said.s : "");
	return err_origin(-EIO);
}

int nft_batch(const char *commands, struct text *said)
{
	char *argv[] = {(char *)"nft", (char *)"-f", (char *)"-", NULL};
	int r = spawn_run(argv, commands, said);

	return r > 0 ? -EIO : r;
}

int nft_rules(struct ruleset **ret_rules)
{
	/* Without what named sets hold: black lists of others have megabytes. */
	char *argv[] = {(char *)"nft",  (char *)"-t",      (char *)"-a",
			(char *)"list", (char *)"ruleset", NULL};
	_cleanup_(text_done) struct text out = TEXT_INIT(RULES_MAX);
	int r = spawn_run(argv, NULL, &out);

	if (r < 0)
		return r;
	if (r > 0 || out.failed)
		return -EIO;
	return ruleset_parse(out.s ? out.s : "", ret_rules);
}
