/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's commands, on the Control Panel's socket: tenants, users, nodes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf.h"
#include "client/cli/nodetable.h"
#include "client/cli/outfile.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "client/cli/tenantarg.h"

static const char *ago(const Google__Protobuf__Timestamp *t, char *ret)
{
	if (!t)
		return "-";
	return print_ago(t->seconds * 1000 + t->nanos / 1000000, clock_wall_ms(), ret);
}

static char *value_or_empty(const struct cli *cli, const char *flag)
{
	const char *value = args_value(&cli->args, flag);

	return (char *)(value ? value : "");
}

static int parse_plan(const char *word, Pb__Plan *ret_plan)
{
	int value;

	if (print_enum_parse(&pb__plan__descriptor, word, "PLAN_", &value) < 0) {
		print_problem("free, pro, team or enterprise", "no such plan: %s", word);
		return EXIT_USAGE;
	}
	*ret_plan = (Pb__Plan)value;
	return 0;
}

static int parse_role(const struct cli *cli, Pb__Role *ret_role)
{
	const char *word = args_value(&cli->args, "--role");
	int value;

	if (!word)
		return 0;
	if (print_enum_parse(&pb__role__descriptor, word, "ROLE_", &value) < 0) {
		print_problem("member, auditor or admin", "no such role: %s", word);
		return EXIT_USAGE;
	}
	*ret_role = (Pb__Role)value;
	return 0;
}

/* The word after the optional tenant: the last one. */
static char *last_word(const struct cli *cli)
{
	return (char *)cli->args.words[cli->args.n_words - 1];
}

static void add_tenant(struct print_table *t, const Pb__Tenant *tenant)
{
	char text[64];

	print_cell(t, tenant->name);
	print_cell(t, print_enum(&pb__plan__descriptor, (int)tenant->plan, "PLAN_", text));
	print_cell(t, tenant->range);
	print_cell(t, tenant->range6);
	print_cellf(t, "%u", tenant->devices);
	print_cellf(t, "%u", tenant->nodes);
	print_cellf(t, "%" PRIu64, tenant->generation);
	print_cell(t, ago(tenant->created_at, text));
}

static void print_tenants(Pb__Tenant *const *tenants, size_t n)
{
	struct print_table t;

	print_table_init(&t, "TENANT|PLAN|RANGE|RANGE 6|DEVICES|NODES|GENERATION|MADE");
	for (size_t i = 0; i < n; i++)
		add_tenant(&t, tenants[i]);
	print_table_done(&t, stdout);
}

static int run_tenant_add(struct cli *cli)
{
	_cleanup_(reach_free) Pb__CreateTenantResponse *out = NULL;
	Pb__CreateTenantRequest in = PB__CREATE_TENANT_REQUEST__INIT;
	const char *plan = args_value(&cli->args, "--plan");
	struct qm_reply reply;
	int code = 0;

	if (plan)
		code = parse_plan(plan, &in.plan);
	if (code == 0)
		code = reach_open_operator(cli);
	if (code)
		return code;
	in.name = (char *)cli->args.words[0];
	in.range = value_or_empty(cli, "--range");
	code = reach_outcome(cli, qm_create_tenant(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.tenant/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->tenant)
		print_tenants(&out->tenant, 1);
	return EXIT_DONE;
}

static int run_tenant_list(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ListTenantsResponse *out = NULL;
	Pb__ListTenantsRequest in = PB__LIST_TENANTS_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open_operator(cli);
	if (code)
		return code;
	in.page_size = 4096;
	in.page_token = value_or_empty(cli, "--page");
	code = reach_outcome(cli, qm_list_tenants(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.tenant.list/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_tenants(out->tenants, out->n_tenants);
	if (out->next_page_token[0])
		print_line(stderr, "more: --page %s", out->next_page_token);
	return EXIT_DONE;
}

static int run_tenant_set_plan(struct cli *cli)
{
	_cleanup_(reach_free) Pb__UpdateTenantResponse *out = NULL;
	Pb__UpdateTenantRequest in = PB__UPDATE_TENANT_REQUEST__INIT;
	struct qm_reply reply;
	int code = 0;

	/* Not a plan: whatever the licence says. */
	in.end_trial = !strcmp(cli->args.words[1], "licence");
	if (!in.end_trial)
		code = parse_plan(cli->args.words[1], &in.plan);
	if (code == 0)
		code = reach_open_operator(cli);
	if (code)
		return code;
	in.tenant = (char *)cli->args.words[0];
	code = reach_outcome(cli, qm_update_tenant(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.tenant/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (!out->tenant)
		return EXIT_DONE;
	print_tenants(&out->tenant, 1);
	for (size_t i = 0; i < out->tenant->n_notices; i++)
		print_line(stderr, "%s", out->tenant->notices[i]);
	return EXIT_DONE;
}

static int run_tenant_set_sso(struct cli *cli)
{
	_cleanup_(reach_free) Pb__UpdateTenantResponse *out = NULL;
	Pb__UpdateTenantRequest in = PB__UPDATE_TENANT_REQUEST__INIT;
	const char *word = cli->args.words[1];
	struct qm_reply reply;
	int code;

	if (strcmp(word, "required") && strcmp(word, "off")) {
		print_problem("required or off", "no such setting: %s", word);
		return EXIT_USAGE;
	}
	code = reach_open_operator(cli);
	if (code)
		return code;
	in.tenant = (char *)cli->args.words[0];
	in.sso_choice_case = PB__UPDATE_TENANT_REQUEST__SSO_CHOICE_SSO_REQUIRED;
	in.sso_required = !strcmp(word, "required");
	code = reach_outcome(cli, qm_update_tenant(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.tenant/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->tenant)
		print_line(stdout, "%s: single sign-on %s", out->tenant->name,
			   out->tenant->sso_required ? "required" : "off");
	return EXIT_DONE;
}

static int run_tenant_set_lease(struct cli *cli)
{
	_cleanup_(reach_free) Pb__UpdateTenantResponse *out = NULL;
	Pb__UpdateTenantRequest in = PB__UPDATE_TENANT_REQUEST__INIT;
	const char *word = cli->args.words[1];
	struct qm_reply reply;
	uint64_t ms = 0;
	int code;

	if (strcmp(word, "off") && conf_parse_ms(word, &ms)) {
		print_problem("a time as 12h or 7d, or off", "no such lease: %s", word);
		return EXIT_USAGE;
	}
	code = reach_open_operator(cli);
	if (code)
		return code;
	in.tenant = (char *)cli->args.words[0];
	in.lease_choice_case = PB__UPDATE_TENANT_REQUEST__LEASE_CHOICE_LEASE_S;
	in.lease_s = ms / 1000;
	code = reach_outcome(cli, qm_update_tenant(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.tenant/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->tenant && out->tenant->lease_s)
		printf("%s: devices are served %.4g hours without the Control Panel\n",
		       out->tenant->name, (double)out->tenant->lease_s / 3600);
	else if (out->tenant)
		print_line(stdout, "%s: devices are served for ever without the Control Panel",
			   out->tenant->name);
	return EXIT_DONE;
}

static void print_users(Pb__User *const *users, size_t n)
{
	struct print_table t;
	char text[64];

	print_table_init(&t, "USER|ROLE|STATE|MADE|ID");
	for (size_t i = 0; i < n; i++) {
		print_cell(&t, users[i]->name);
		print_cell(&t,
			   print_enum(&pb__role__descriptor, (int)users[i]->role, "ROLE_", text));
		print_cell(&t, users[i]->disabled ? "disabled" : "enabled");
		print_cell(&t, ago(users[i]->created_at, text));
		print_cell(&t, users[i]->id);
	}
	print_table_done(&t, stdout);
}

/* The first line of the file named by --password-file; NULL without the flag. */
static int read_password(const struct cli *cli, char **ret_password)
{
	const char *path = args_value(&cli->args, "--password-file");
	size_t len;
	int r;

	*ret_password = NULL;
	if (!path)
		return 0;
	r = outfile_read(path, 1024, ret_password, &len);
	if (r < 0) {
		print_problem(NULL, "cannot read %s: %s", path, strerror(-r));
		return EXIT_USAGE;
	}
	(*ret_password)[strcspn(*ret_password, "\r\n")] = '\0';
	return 0;
}

static void password_freep(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	free(*s);
}

static int run_user_add(struct cli *cli)
{
	_cleanup_(reach_free) Pb__CreateUserResponse *out = NULL;
	_cleanup_(password_freep) char *password = NULL;
	Pb__CreateUserRequest in = PB__CREATE_USER_REQUEST__INIT;
	struct qm_reply reply;
	char tenant[64];
	int code;

	code = parse_role(cli, &in.role);
	if (code == 0)
		code = read_password(cli, &password);
	if (code == 0 && !password) {
		print_problem("--password-file FILE, or - for stdin", "the user needs a password");
		code = EXIT_USAGE;
	}
	if (code == 0)
		code = reach_open_operator(cli);
	if (code == 0)
		code = tenantarg_choose(cli, tenant);
	if (code)
		return code;
	in.tenant = tenant;
	in.name = last_word(cli);
	in.password = password;
	code = reach_outcome(cli, qm_create_user(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.user/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->user)
		print_users(&out->user, 1);
	return EXIT_DONE;
}

static int run_user_list(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ListUsersResponse *out = NULL;
	Pb__ListUsersRequest in = PB__LIST_USERS_REQUEST__INIT;
	struct qm_reply reply;
	char tenant[64];
	int code;

	code = reach_open_operator(cli);
	if (code == 0)
		code = tenantarg_choose(cli, tenant);
	if (code)
		return code;
	in.tenant = tenant;
	in.page_size = 4096;
	in.page_token = value_or_empty(cli, "--page");
	code = reach_outcome(cli, qm_list_users(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.user.list/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_users(out->users, out->n_users);
	if (out->next_page_token[0])
		print_line(stderr, "more: --page %s", out->next_page_token);
	return EXIT_DONE;
}

static int run_user_set(struct cli *cli)
{
	_cleanup_(reach_free) Pb__UpdateUserResponse *out = NULL;
	_cleanup_(password_freep) char *password = NULL;
	Pb__UpdateUserRequest in = PB__UPDATE_USER_REQUEST__INIT;
	bool off = args_has(&cli->args, "--disable"), on = args_has(&cli->args, "--enable");
	struct qm_reply reply;
	char tenant[64];
	int code;

	if (on && off) {
		print_problem(NULL, "--enable and --disable do not go together");
		return EXIT_USAGE;
	}
	code = parse_role(cli, &in.role);
	if (code == 0)
		code = read_password(cli, &password);
	if (code == 0 && !in.role && !password && !on && !off) {
		print_problem("--role, --password-file, --enable or --disable", "what to change?");
		code = EXIT_USAGE;
	}
	if (code == 0)
		code = reach_open_operator(cli);
	if (code == 0)
		code = tenantarg_choose(cli, tenant);
	if (code)
		return code;
	in.tenant = tenant;
	in.user = last_word(cli);
	if (password)
		in.password = password;
	if (on || off) {
		in.disabled_choice_case = PB__UPDATE_USER_REQUEST__DISABLED_CHOICE_DISABLED;
		in.disabled = off;
	}
	code = reach_outcome(cli, qm_update_user(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.user/1", &out->base) < 0 ? EXIT_OTHER : 0;
	if (out->user)
		print_users(&out->user, 1);
	return EXIT_DONE;
}

/* Printed because it was asked for: the token is good for one node, once, for a day. */
static int run_join_token(struct cli *cli)
{
	_cleanup_(reach_free) Pb__CreateJoinTokenResponse *out = NULL;
	Pb__CreateJoinTokenRequest in = PB__CREATE_JOIN_TOKEN_REQUEST__INIT;
	struct qm_reply reply;
	char tenant[64];
	char text[64];
	int code;

	code = reach_open_operator(cli);
	if (code == 0)
		code = tenantarg_choose(cli, tenant);
	if (code)
		return code;
	in.tenant = tenant;
	code = reach_outcome(cli, qm_create_join_token(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json) {
		code = print_json(stdout, "qmesh.join-token/1", &out->base) < 0 ? EXIT_OTHER : 0;
	} else {
		print_line(stdout, "%s", out->join_token);
		if (!args_has(&cli->args, "--quiet"))
			fprintf(stderr, "for one node, once; ends %s\n",
				ago(out->expires_at, text));
	}
	explicit_bzero(out->join_token, strlen(out->join_token));
	return code;
}

static int run_node_list(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ListTenantNodesResponse *out = NULL;
	Pb__ListTenantNodesRequest in = PB__LIST_TENANT_NODES_REQUEST__INIT;
	struct qm_reply reply;
	char tenant[64];
	int code;

	code = reach_open_operator(cli);
	if (code == 0)
		code = tenantarg_choose(cli, tenant);
	if (code)
		return code;
	in.tenant = tenant;
	in.page_size = 4096;
	in.page_token = value_or_empty(cli, "--page");
	code = reach_outcome(cli, qm_list_tenant_nodes(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.node.list/1", &out->base) < 0 ? EXIT_OTHER : 0;
	nodetable_print(out->nodes, out->n_nodes);
	if (out->next_page_token[0])
		print_line(stderr, "more: --page %s", out->next_page_token);
	return EXIT_DONE;
}

static int run_node_remove(struct cli *cli)
{
	_cleanup_(reach_free) Pb__RemoveNodeResponse *out = NULL;
	Pb__RemoveNodeRequest in = PB__REMOVE_NODE_REQUEST__INIT;
	struct qm_reply reply;
	char tenant[64];
	int code;

	code = reach_open_operator(cli);
	if (code == 0)
		code = tenantarg_choose(cli, tenant);
	if (code)
		return code;
	in.tenant = tenant;
	in.node = last_word(cli);
	in.rehome_to = value_or_empty(cli, "--rehome-to");
	in.force = args_has(&cli->args, "--force");
	code = reach_outcome(cli, qm_remove_node(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.node.removed/1", &out->base) < 0 ? EXIT_OTHER : 0;
	printf("removed; %u device%s %s\n", out->devices, out->devices == 1 ? "" : "s",
	       in.rehome_to[0] ? "moved, and need a new config" : "went with it");
	return EXIT_DONE;
}

static const struct flag tenant_flags[] = {
	{"--plan", "PLAN", "free, pro, team or enterprise, for a trial; the licence's without it"},
	{"--range", "CIDR", "a /16; a free one of the pool without it"},
	{NULL, NULL, NULL},
};

static const struct flag page_flags[] = {
	{"--page", "TOKEN", "where the last page ended"},
	{NULL, NULL, NULL},
};

#define TENANT_FLAG                                                                                \
	{                                                                                          \
		"--tenant", "NAME", "the tenant; not needed where there is only one"               \
	}

static const struct flag user_list_flags[] = {
	TENANT_FLAG,
	{"--page", "TOKEN", "where the last page ended"},
	{NULL, NULL, NULL},
};

static const struct flag join_flags[] = {
	TENANT_FLAG,
	{"--quiet", NULL, "the token alone, without a word on its life"},
	{NULL, NULL, NULL},
};

static const struct flag user_add_flags[] = {
	TENANT_FLAG,
	{"--role", "ROLE", "member, auditor or admin; member without it"},
	{"--password-file", "FILE", "password in a file, - for stdin; 10 characters or more"},
	{NULL, NULL, NULL},
};

static const struct flag user_set_flags[] = {
	TENANT_FLAG,
	{"--role", "ROLE", "member, auditor or admin"},
	{"--password-file", "FILE", "new password in a file, - for stdin"},
	{"--disable", NULL, "sessions end, devices are suspended"},
	{"--enable", NULL, "the reverse"},
	{NULL, NULL, NULL},
};

static const struct flag remove_flags[] = {
	TENANT_FLAG,
	{"--rehome-to", "NODE", "move its devices there"},
	{"--force", NULL, "remove its devices too"},
	{NULL, NULL, NULL},
};

const struct command cmd_admin_table[] = {
	{"admin tenant add", "NAME", "Make a tenant", 1, 1, tenant_flags, run_tenant_add},
	{"admin tenant list", "", "All tenants", 0, 0, page_flags, run_tenant_list},
	{"admin tenant set-plan", "TENANT PLAN",
	 "Set a tenant's plan for a trial; \"licence\" ends it", 2, 2, NULL, run_tenant_set_plan},
	{"admin tenant set-sso", "TENANT required|off", "Demand single sign-on (Enterprise)", 2, 2,
	 NULL, run_tenant_set_sso},
	{"admin tenant set-lease", "TENANT TIME|off",
	 "How long devices are served without the Control Panel, 1h to 90d", 2, 2, NULL,
	 run_tenant_set_lease},
	{"admin user add", "[TENANT] NAME", "Make an account", 1, 2, user_add_flags, run_user_add},
	{"admin user list", "[TENANT]", "A tenant's accounts", 0, 1, user_list_flags,
	 run_user_list},
	{"admin user set", "[TENANT] USER", "Change an account", 1, 2, user_set_flags,
	 run_user_set},
	{"admin join-token", "[TENANT]", "Make a token by which one node joins", 0, 1, join_flags,
	 run_join_token},
	{"admin node list", "[TENANT]", "A tenant's nodes", 0, 1, user_list_flags, run_node_list},
	{"admin node remove", "[TENANT] NODE", "Remove a node", 1, 2, remove_flags,
	 run_node_remove},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
