/* SPDX-License-Identifier: Apache-2.0 */
/* Service tokens: for programs that act for the one who is signed in. */
#include <string.h>

#include "base/clock.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "gen/rpc/stubs.h"

enum { METHODS_MAX = 32 };

static const char *ago(const Google__Protobuf__Timestamp *t, char *ret)
{
	if (!t)
		return "-";
	return print_ago(t->seconds * 1000 + t->nanos / 1000000, clock_wall_ms(), ret);
}

static void print_tokens(Pb__ServiceToken *const *tokens, size_t n)
{
	struct print_table t;
	char text[64];

	print_table_init(&t, "TOKEN|USER|ROLE|METHODS|MADE|ENDS|USED|ID");
	for (size_t i = 0; i < n; i++) {
		const Pb__ServiceToken *s = tokens[i];

		print_cell(&t, s->name);
		print_cell(&t, s->user);
		print_cell(&t, print_enum(&pb__role__descriptor, (int)s->role, "ROLE_", text));
		if (s->n_methods > 1)
			print_cellf(&t, "%s +%zu", s->methods[0], s->n_methods - 1);
		else
			print_cell(&t, s->n_methods ? s->methods[0] : "all");
		print_cell(&t, ago(s->created_at, text));
		print_cell(&t, ago(s->expires_at, text));
		print_cell(&t, ago(s->last_used_at, text));
		print_cell(&t, s->id);
	}
	print_table_done(&t, stdout);
}

static int read_request(const struct cli *cli, char *methods[METHODS_MAX],
			Pb__CreateServiceTokenRequest *in)
{
	const char *role = args_value(&cli->args, "--role");
	const char *life = args_value(&cli->args, "--expires-in");
	uint64_t life_ms;
	int value;

	if (role && print_enum_parse(&pb__role__descriptor, role, "ROLE_", &value) < 0) {
		print_problem("member, auditor or admin", "no such role: %s", role);
		return EXIT_USAGE;
	}
	if (role)
		in->role = (Pb__Role)value;
	/* What is cut to no seconds would be the longest life there is. */
	if (life && (args_duration(life, UINT64_C(31536000000), &life_ms) || life_ms < 60000)) {
		print_problem("8h, at least 60s and at most 8760h", "no such time: %s", life);
		return EXIT_USAGE;
	}
	if (life)
		in->life_s = (uint32_t)(life_ms / 1000);
	in->methods = methods;
	while (in->n_methods < METHODS_MAX &&
	       (methods[in->n_methods] = (char *)args_nth(&cli->args, "--method", in->n_methods)))
		in->n_methods++;
	if (args_nth(&cli->args, "--method", METHODS_MAX)) {
		print_problem("one token for all methods, or several tokens",
			      "more than %d methods", METHODS_MAX);
		return EXIT_USAGE;
	}
	in->name = (char *)cli->args.words[0];
	return 0;
}

/* Printed because it was asked for; it is not shown again. */
static int run_create(struct cli *cli)
{
	_cleanup_(reach_free) Pb__CreateServiceTokenResponse *out = NULL;
	Pb__CreateServiceTokenRequest in = PB__CREATE_SERVICE_TOKEN_REQUEST__INIT;
	char *methods[METHODS_MAX], text[64];
	struct qm_reply reply;
	int code;

	code = read_request(cli, methods, &in);
	if (code == 0)
		code = reach_open(cli);
	if (code)
		return code;
	code = reach_outcome(
		cli, qm_create_service_token(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json) {
		code = print_json(stdout, "qmesh.token/1", &out->base) < 0 ? EXIT_OTHER : 0;
	} else {
		print_line(stdout, "%s", out->token);
		if (out->info)
			fprintf(stderr, "shown this once; ends %s\n",
				ago(out->info->expires_at, text));
	}
	explicit_bzero(out->token, strlen(out->token));
	return code;
}

static int run_list(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ListServiceTokensResponse *out = NULL;
	Pb__ListServiceTokensRequest in = PB__LIST_SERVICE_TOKENS_REQUEST__INIT;
	const char *page = args_value(&cli->args, "--page");
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	in.all = args_has(&cli->args, "--all");
	in.page_token = (char *)(page ? page : "");
	code = reach_outcome(
		cli, qm_list_service_tokens(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.token.list/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_tokens(out->tokens, out->n_tokens);
	if (out->next_page_token[0])
		print_line(stderr, "more: --page %s", out->next_page_token);
	return EXIT_DONE;
}

/* A name of the caller's own, as long as no id was given. */
static int find_id(struct cli *cli, const char *word, char ret[UUID_TEXT_LEN + 1])
{
	_cleanup_(reach_free) Pb__ListServiceTokensResponse *out = NULL;
	Pb__ListServiceTokensRequest in = PB__LIST_SERVICE_TOKENS_REQUEST__INIT;
	struct qm_reply reply;
	struct uuid id;
	int code;

	if (!uuid_parse(word, &id)) {
		uuid_text(&id, ret);
		return 0;
	}
	code = reach_outcome(
		cli, qm_list_service_tokens(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	for (size_t i = 0; i < out->n_tokens; i++) {
		if (strcmp(out->tokens[i]->name, word) == 0) {
			snprintf(ret, UUID_TEXT_LEN + 1, "%s", out->tokens[i]->id);
			return 0;
		}
	}
	print_problem("qmesh token list", "no such token: %s", word);
	return EXIT_NOT_FOUND;
}

static int run_revoke(struct cli *cli)
{
	_cleanup_(reach_free) Pb__RevokeServiceTokenResponse *out = NULL;
	Pb__RevokeServiceTokenRequest in = PB__REVOKE_SERVICE_TOKEN_REQUEST__INIT;
	char id[UUID_TEXT_LEN + 1];
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code == 0)
		code = find_id(cli, cli->args.words[0], id);
	if (code)
		return code;
	in.id = id;
	code = reach_outcome(
		cli, qm_revoke_service_token(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.token.revoked/1", &out->base) < 0 ? EXIT_OTHER : 0;
	printf("revoked\n");
	return EXIT_DONE;
}

static const struct flag create_flags[] = {
	{"--role", "ROLE", "member, auditor or admin; your own without it"},
	{"--method", "NAME",
	 "MeshService.ListDevices; may be repeated, 32 at most; all without it"},
	{"--expires-in", "TIME", "8h, 720h; 60s to 8760h, 90 days without it"},
	{NULL, NULL, NULL},
};

static const struct flag list_flags[] = {
	{"--all", NULL, "everybody's of the tenant (admins)"},
	{"--page", "TOKEN", "where the last page ended"},
	{NULL, NULL, NULL},
};

const struct command cmd_token_table[] = {
	{"token create", "NAME", "Make a token for a program that acts for you", 1, 1, create_flags,
	 run_create},
	{"token list", "", "Your tokens", 0, 0, list_flags, run_list},
	{"token revoke", "TOKEN", "End a token, by name or id", 1, 1, NULL, run_revoke},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
