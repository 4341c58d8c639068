/* SPDX-License-Identifier: Apache-2.0 */
#include "server/wg/nft.h"

#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "server/wg/spawn.h"

#define RULES_MAX (4u << 20)
#define OUTPUT_MAX 4096

static int run(char *const argv[], const char *input)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(OUTPUT_MAX);
	int r = spawn_run(argv, input, &out);

	if (r < 0)
		return r;
	if (r > 0) {
		log_warn("wg", "nft ended with %d: %s", r, out.s ? out.s : "");
		return err_origin(-EIO);
	}
	return 0;
}

int nft_json(const char *json)
{
	char *argv[] = {(char *)"nft", (char *)"-j", (char *)"-f", (char *)"-", NULL};

	return run(argv, json);
}

int nft_batch(const char *commands)
{
	char *argv[] = {(char *)"nft", (char *)"-f", (char *)"-", NULL};

	return run(argv, commands);
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
