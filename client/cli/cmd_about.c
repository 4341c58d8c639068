/* SPDX-License-Identifier: Apache-2.0 */
/* The program about itself and its daemon: health, limits, version, completion. */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/label.h"
#include "base/limits.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/admin_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"
#include "gen/rpc/stubs.h"

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

/* The methods that people and operators call; what each may carry and take is in the contract. */
static const struct service *const services[] = {&auth_service_desc, &mesh_service_desc,
						 &admin_service_desc};

static const struct {
	const char *what, *unit;
	unsigned value;
} names[] = {
	{"label", "characters", LABEL_MAX_CHARS},
	{"slug", "characters", SLUG_MAX},
};

/* What the daemons take of one peer; base/limits.h says why. */
static const struct {
	const char *name;
	long value;
	const char *unit, *why;
} transport[] = {
#define TRANSPORT_ROW(name_, value_, unit_, why_) {#name_, value_, unit_, why_},
	LIMITS(TRANSPORT_ROW)};

static const struct {
	const char *name;
	long at_once, per_s;
	const char *why;
} rates[] = {
#define RATE_ROW(name_, at_once_, per_s_, why_) {#name_, at_once_, per_s_, why_},
	LIMIT_RATES(RATE_ROW)};

/* "HEAD_BYTES" -> "head_bytes". */
static const char *lower(const char *name, char ret[32])
{
	size_t i = 0;

	for (; name[i] && i < 31; i++)
		ret[i] = (char)tolower((unsigned char)name[i]);
	ret[i] = '\0';
	return ret;
}

static void transport_json(struct text *t)
{
	char name[32];

	text_adds(t, "\"transport\":{");
	for (size_t i = 0; i < ARRAY_LEN(transport); i++) {
		text_addf(t, "\"%s\":{\"value\":%ld,\"unit\":\"%s\",\"why\":",
			  lower(transport[i].name, name), transport[i].value, transport[i].unit);
		json_quote(t, transport[i].why);
		text_adds(t, "},");
	}
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		text_addf(t, "\"%s\":{\"at_once\":%ld,\"per_second\":%ld,\"why\":",
			  lower(rates[i].name, name), rates[i].at_once, rates[i].per_s);
		json_quote(t, rates[i].why);
		text_adds(t, i + 1 < ARRAY_LEN(rates) ? "}," : "}");
	}
	text_adds(t, "},");
}

static void transport_table(void)
{
	struct print_table t;
	char name[32];

	print_table_init(&t, "OF ONE PEER|AT MOST|WHICH IS");
	for (size_t i = 0; i < ARRAY_LEN(transport); i++) {
		print_cell(&t, lower(transport[i].name, name));
		print_cellf(&t, "%ld %s", transport[i].value, transport[i].unit);
		print_cell(&t, transport[i].why);
	}
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		print_cell(&t, lower(rates[i].name, name));
		print_cellf(&t, "%ld, then %ld a second", rates[i].at_once, rates[i].per_s);
		print_cell(&t, rates[i].why);
	}
	print_table_done(&t, stdout);
}

static void limits_json(void)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(65536);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		text_addf(&t, "\"%s_max_%s\":%u,", names[i].what, names[i].unit, names[i].value);
	transport_json(&t);
	text_adds(&t, "\"methods\":{");
	for (size_t s = 0; s < ARRAY_LEN(services); s++) {
		for (size_t i = 0; i < services[s]->n_methods; i++) {
			const struct method *m = &services[s]->methods[i];

			text_addf(&t, "%s\"%s\":{\"request_bytes\":%u,\"deadline_ms\":%u}",
				  s || i ? "," : "", m->path + 1, m->policy.body_limit,
				  m->policy.deadline_ms);
		}
	}
	text_adds(&t, "}");
	print_json_members(stdout, "qmesh.limits/1", t.s);
}

static int run_limits(struct cli *cli)
{
	struct print_table t;

	if (cli->json) {
		limits_json();
		return EXIT_DONE;
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		printf("%s: %u %s\n", names[i].what, names[i].value, names[i].unit);
	print_table_init(&t, "METHOD|REQUEST BYTES|DEADLINE");
	for (size_t s = 0; s < ARRAY_LEN(services); s++) {
		for (size_t i = 0; i < services[s]->n_methods; i++) {
			const struct method *m = &services[s]->methods[i];

			print_cell(&t, m->name);
			print_cellf(&t, "%u", m->policy.body_limit);
			if (m->policy.deadline_ms)
				print_cellf(&t, "%u ms", m->policy.deadline_ms);
			else
				print_cell(&t, "none");
		}
	}
	print_table_done(&t, stdout);
	transport_table();
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
	{"completion", "SHELL", "A script that completes commands and flags; SHELL is bash", 1, 1,
	 NULL, run_completion},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
