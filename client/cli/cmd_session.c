/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in and out: login, logout, whoami, password. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <termios.h>

#include "base/clock.h"
#include "base/json.h"
#include "client/cli/outfile.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "client/cli/tokenfile.h"
#include "gen/rpc/stubs.h"

#define SECRET_MAX 1024

static void secret_freep(char **s)
{
	tokenfile_free(*s);
}

/* Asks on the terminal, not on stdin. NULL: there is no terminal, or no answer. */
static char *ask(const char *question, bool hidden)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	struct termios before, quiet;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	if (!tty)
		return NULL;
	hidden = hidden && tcgetattr(fileno(tty), &before) == 0;
	if (hidden) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
	}
	setvbuf(tty, NULL, _IONBF, 0);
	fputs(question, tty);
	len = getline(&line, &cap, tty);
	if (hidden) {
		tcsetattr(fileno(tty), TCSAFLUSH, &before);
		fputc('\n', tty);
	}
	fclose(tty);
	if (len < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

/* From the file that a flag names, else from the terminal; NULL after saying why. */
static char *get_secret(const struct cli *cli, const char *flag, const char *question)
{
	const char *path = args_value(&cli->args, flag);
	char *text;
	size_t len;
	int r;

	if (!path) {
		text = ask(question, true);
		if (!text)
			print_problem("scripts give it by a file: see qmesh help",
				      "no terminal to ask for the password, and no %s", flag);
		return text;
	}
	r = outfile_read(path, SECRET_MAX, &text, &len);
	if (r < 0) {
		print_problem(NULL, "cannot read %s: %s", path, strerror(-r));
		return NULL;
	}
	text[strcspn(text, "\r\n")] = '\0';
	return text;
}

static int64_t ms_of(const Google__Protobuf__Timestamp *t)
{
	return t ? t->seconds * 1000 + t->nanos / 1000000 : 0;
}

static int report_login(struct cli *cli, const Pb__LoginResponse *out)
{
	char when[32];
	int r;

	r = tokenfile_put(cli->server, ms_of(out->expires_at), out->token);
	if (r < 0) {
		print_problem(NULL, "signed in, but the session cannot be stored: %s",
			      strerror(-r));
		return EXIT_OTHER;
	}
	if (cli->json) {
		_cleanup_(text_done) struct text t = TEXT_INIT(8192);
		char expires[32];

		text_adds(&t, "\"server\":");
		json_quote(&t, cli->server);
		text_adds(&t, ",\"user\":");
		json_quote(&t, out->user ? out->user->name : "");
		text_addf(&t, ",\"expires_at\":\"%s\"",
			  clock_rfc3339(ms_of(out->expires_at), expires));
		print_json_members(stdout, "qmesh.login/1", t.s);
		return EXIT_DONE;
	}
	print_line(stdout, "signed in as %s, until %s", out->user ? out->user->name : "?",
		   print_ago(ms_of(out->expires_at), clock_wall_ms(), when));
	return EXIT_DONE;
}

static int run_login(struct cli *cli)
{
	_cleanup_(reach_free) Pb__LoginResponse *out = NULL;
	_cleanup_(secret_freep) char *asked = NULL, *password = NULL;
	Pb__LoginRequest in = PB__LOGIN_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open_anonymous(cli);
	if (code)
		return code;
	in.tenant = (char *)args_value(&cli->args, "--tenant");
	in.user = (char *)args_value(&cli->args, "--user");
	if (!in.user)
		in.user = asked = ask("User: ", false);
	if (!in.user || !in.user[0]) {
		print_problem("qmesh login --user NAME", "who are you?");
		return EXIT_USAGE;
	}
	password = get_secret(cli, "--password-file", "Password: ");
	if (!password)
		return EXIT_USAGE;
	in.password = password;
	if (!in.tenant)
		in.tenant = (char *)"";
	/* An old session must not decide what a new one may do. */
	cli->call.n_metadata = 0;
	code = reach_outcome(cli, qm_login(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	code = report_login(cli, out);
	explicit_bzero(out->token, strlen(out->token));
	qm_reply_done(&reply);
	return code;
}

static int run_logout(struct cli *cli)
{
	_cleanup_(reach_free) Pb__LogoutResponse *out = NULL;
	Pb__LogoutRequest in = PB__LOGOUT_REQUEST__INIT;
	struct qm_reply reply;
	int code, r;

	code = reach_open(cli);
	if (code)
		return code;
	r = qm_logout(cli->client, &cli->call, &in, &reply, &out);
	/* A session that the server does not know any more is over as well. */
	if (r == 0 && reply.status.code == GRPC_UNAUTHENTICATED) {
		qm_reply_done(&reply);
	} else {
		code = reach_outcome(cli, r, &reply);
		if (code)
			return code;
		qm_reply_done(&reply);
	}
	r = tokenfile_drop(cli->server);
	if (r < 0) {
		print_problem(NULL, "signed out, but the stored session cannot be removed: %s",
			      strerror(-r));
		return EXIT_OTHER;
	}
	if (cli->json)
		print_json_members(stdout, "qmesh.logout/1", "");
	else
		printf("signed out\n");
	return EXIT_DONE;
}

static int run_whoami(struct cli *cli)
{
	_cleanup_(reach_free) Pb__WhoAmIResponse *out = NULL;
	Pb__WhoAmIRequest in = PB__WHO_AM_IREQUEST__INIT;
	char role[64], plan[64], when[32];
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	code = reach_outcome(cli, qm_who_am_i(cli->client, &cli->call, &in, &reply, &out), &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		return print_json(stdout, "qmesh.whoami/1", &out->base) < 0 ? EXIT_OTHER : 0;
	print_line(stdout, "%s, %s of tenant %s (plan %s), session ends %s", out->user,
		   print_enum(&pb__role__descriptor, (int)out->role, "ROLE_", role), out->tenant,
		   print_enum(&pb__plan__descriptor, (int)out->plan, "PLAN_", plan),
		   print_ago(ms_of(out->expires_at), clock_wall_ms(), when));
	return EXIT_DONE;
}

static int run_password(struct cli *cli)
{
	_cleanup_(reach_free) Pb__ChangePasswordResponse *out = NULL;
	_cleanup_(secret_freep) char *old = NULL, *new = NULL, *again = NULL;
	Pb__ChangePasswordRequest in = PB__CHANGE_PASSWORD_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = reach_open(cli);
	if (code)
		return code;
	old = get_secret(cli, "--old-file", "Present password: ");
	if (old)
		new = get_secret(cli, "--new-file", "New password (10 characters or more): ");
	if (!old || !new)
		return EXIT_USAGE;
	if (!args_has(&cli->args, "--new-file")) {
		again = get_secret(cli, "--new-file", "New password again: ");
		if (!again || strcmp(new, again) != 0) {
			print_problem(NULL, "the two new passwords differ; nothing was changed");
			return EXIT_USAGE;
		}
	}
	in.old_password = old;
	in.new_password = new;
	code = reach_outcome(cli, qm_change_password(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	qm_reply_done(&reply);
	if (cli->json)
		print_json_members(stdout, "qmesh.password/1", "");
	else
		printf("password changed; your other sessions have ended\n");
	return EXIT_DONE;
}

static const struct flag login_flags[] = {
	{"--tenant", "NAME", "tenant; not needed where there is only one"},
	{"--user", "NAME", "user name; asked for when missing"},
	{"--password-file", "FILE", "password in a file, - for stdin; asked for when missing"},
	{NULL, NULL, NULL},
};

static const struct flag password_flags[] = {
	{"--old-file", "FILE", "the present password in a file"},
	{"--new-file", "FILE", "the new password in a file"},
	{NULL, NULL, NULL},
};

const struct command cmd_session_table[] = {
	{"login", "", "Sign in; the session is kept for the next commands", 0, 0, login_flags,
	 run_login},
	{"logout", "", "End the session everywhere", 0, 0, NULL, run_logout},
	{"whoami", "", "Who is signed in, and as what", 0, 0, NULL, run_whoami},
	{"password", "", "Change the password", 0, 0, password_flags, run_password},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
