/* SPDX-License-Identifier: Apache-2.0 */
/* The program about itself and its daemon: health, limits, version, completion. */
#include <string.h>

#include "base/label.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/stubs.h"
#include "server/rpc/limits.h"

static int run_health(struct cli *cli)
{
	_cleanup_(reach_free) Grpc__Health__V1__HealthCheckResponse *out = NULL;
	Grpc__Health__V1__HealthCheckRequest in = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	struct qm_reply reply;
	bool serving;
	int code;

	code = reach_open_anonymous(cli);
	if (code)
		return code;
	cli->call.timeout_ms = 5000;
	code = reach_outcome(cli, qm_health_check(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	serving = out->status == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	if (cli->json) {
		if (print_json(stdout, "qmesh.health/1", &out->base) < 0)
			return EXIT_OTHER;
	} else {
		printf("%s %s\n", cli->server, serving ? "serves" : "does not serve");
	}
	return serving ? EXIT_DONE : EXIT_CHECK_FAILED;
}

static const struct {
	const char *what, *unit, *help;
	unsigned long value;
} limits[] = {
	{"label", "characters", "name of a device as typed", LABEL_MAX_CHARS},
	{"slug", "characters", "its DNS label", SLUG_MAX},
	{"rpc_message", "bytes", "one message over gRPC", LIMIT_MESSAGE},
	{"header_fields", "fields", "of one request", LIMIT_FIELDS},
	{"header_bytes", "bytes", "of one request", LIMIT_HEAD_BYTES},
	{"header_time", "ms", "until a request's head is whole", LIMIT_HEAD_MS},
	{"body_time", "ms", "until a request's body is whole", LIMIT_BODY_MS},
	{"streams", "streams", "at once on one connection", LIMIT_STREAMS},
	{"connections", "connections", "at once on one daemon", LIMIT_CONNS},
	{"connections_per_address", "connections", "at once from one address",
	 LIMIT_CONNS_PER_ADDRESS},
	{"idle", "ms", "until a silent connection is closed", LIMIT_IDLE_MS},
	{"refused_attempts", "per minute", "sign-ins and creations, of a user and an address",
	 LIMIT_REFUSED_PER_MIN},
};

static int run_limits(struct cli *cli)
{
	struct print_table t;

	if (cli->json) {
		_cleanup_(text_done) struct text members = TEXT_INIT(8192);

		for (size_t i = 0; i < ARRAY_LEN(limits); i++)
			text_addf(&members, "%s\"%s\":{\"value\":%lu,\"unit\":\"%s\"}",
				  i ? "," : "", limits[i].what, limits[i].value, limits[i].unit);
		print_json_members(stdout, "qmesh.limits/1", members.s);
		return EXIT_DONE;
	}
	print_table_init(&t, "LIMIT|VALUE|UNIT|OF WHAT");
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		print_cell(&t, limits[i].what);
		print_cellf(&t, "%lu", limits[i].value);
		print_cell(&t, limits[i].unit);
		print_cell(&t, limits[i].help);
	}
	print_table_done(&t, stdout);
	return EXIT_DONE;
}

static int run_version(struct cli *cli)
{
	if (cli->json)
		print_json_members(stdout, "qmesh.version/1", "\"version\":\"" QMESH_VERSION "\"");
	else
		printf("qmesh " QMESH_VERSION "\n");
	return EXIT_DONE;
}

/* Every first word, then what may follow it: one case of the script for each. */
static void complete_words(const char *prefix)
{
	const struct command *c;
	size_t len = strlen(prefix);
	char last[64] = "", word[64];

	for (size_t i = 0; (c = command_nth(i)); i++) {
		const char *rest = c->name + len;

		if (strncmp(c->name, prefix, len) != 0 || (len > 0 && *rest++ != ' '))
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(rest, " "), rest);
		if (strcmp(word, last) != 0)
			printf("%s ", word);
		snprintf(last, sizeof(last), "%s", word);
	}
}

static void complete_flags(const struct flag *flags)
{
	for (; flags && flags->name; flags++)
		printf("%s ", flags->name);
}

static void complete_case(const struct command *c)
{
	printf("\t\"%s\") words=\"", c->name);
	complete_flags(c->flags);
	complete_flags(command_flags);
	printf("\" ;;\n");
}

/* The groups, "device" and "admin tenant": each prefix of a name once, in table order. */
static void complete_groups(void)
{
	const struct command *c;
	char group[64], seen[4096] = "|";

	for (size_t i = 0; (c = command_nth(i)); i++) {
		for (const char *space = strchr(c->name, ' '); space;
		     space = strchr(space + 1, ' ')) {
			char key[80];

			snprintf(group, sizeof(group), "%.*s", (int)(space - c->name), c->name);
			snprintf(key, sizeof(key), "|%s|", group);
			if (strstr(seen, key))
				continue;
			strncat(seen, key + 1, sizeof(seen) - strlen(seen) - 1);
			printf("\t\"%s\") words=\"", group);
			complete_words(group);
			printf("\" ;;\n");
		}
	}
}

static int run_completion(struct cli *cli)
{
	const struct command *c;

	if (strcmp(cli->args.words[0], "bash") != 0) {
		print_problem(NULL, "completion is there for bash only");
		return EXIT_USAGE;
	}
	printf("# bash completion for qmesh; made by: qmesh completion bash\n"
	       "_qmesh() {\n"
	       "\tlocal cur=${COMP_WORDS[COMP_CWORD]} name=\"\" words=\"\" i\n"
	       "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	       "\t\t[[ ${COMP_WORDS[i]} == -* ]] || name+=\"${name:+ }${COMP_WORDS[i]}\"\n"
	       "\tdone\n"
	       "\tcase $name in\n"
	       "\t\"\") words=\"");
	complete_words("");
	printf("help\" ;;\n");
	complete_groups();
	for (size_t i = 0; (c = command_nth(i)); i++)
		complete_case(c);
	printf("\tesac\n"
	       "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	       "}\n"
	       "complete -o default -F _qmesh qmesh\n");
	return EXIT_DONE;
}

const struct command cmd_about_table[] = {
	{"health", "", "Is the daemon serving?", 0, 0, NULL, run_health},
	{"limits", "", "What the program allows at most", 0, 0, NULL, run_limits},
	{"version", "", "The version of this program", 0, 0, NULL, run_version},
	{"completion", "bash", "A script that completes commands and flags", 1, 1, NULL,
	 run_completion},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
