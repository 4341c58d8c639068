/* SPDX-License-Identifier: Apache-2.0 */
/* Reaching a daemon; see reach.h. */
#include "client/cli/reach.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/cli/print.h"
#include "client/cli/tokenfile.h"

#define CALL_TIMEOUT_MS 30000

/* --flag, then the environment. */
static const char *setting(const struct cli *cli, const char *flag, const char *variable)
{
	const char *value = args_value(&cli->args, flag);

	if (!value)
		value = getenv(variable);
	return value && value[0] ? value : NULL;
}

static bool has_socket(const char *target)
{
	return access(target + strlen("unix:"), F_OK) == 0;
}

static int choose_pins(struct cli *cli, uint8_t pins[4][32], size_t *ret_n)
{
	const char *one = setting(cli, "--pin", "QMESH_PIN");
	size_t n = 0;

	for (size_t i = 0; one && i < 4; i++) {
		const char *value = args_nth(&cli->args, "--pin", i);

		if (!value && i > 0)
			break;
		if (text_unhex(value ? value : one, pins[n++], 32) < 0) {
			print_problem(NULL, "a pin is 64 hexadecimal digits: the SHA-256 of the "
					    "server's public key");
			return EXIT_USAGE;
		}
	}
	*ret_n = n;
	return 0;
}

static int connect_to(struct cli *cli, const char *preset)
{
	struct qm_options o = {.user_agent = "qmesh/" QMESH_VERSION};
	const char *server = setting(cli, "--server", "QMESH_SERVER");
	uint8_t pins[4][32];
	int r;

	snprintf(cli->server, sizeof(cli->server), "%s", server ? server : preset);
	o.target = cli->server;
	o.ca_file = setting(cli, "--ca", "QMESH_CA");
	r = choose_pins(cli, pins, &o.n_pins);
	if (r > 0)
		return r;
	o.pins = (const uint8_t(*)[32])pins;
	r = qm_client_new(&o, &cli->client);
	if (r == -ENOENT) {
		print_problem(NULL, "cannot read the CA file %s", o.ca_file);
		return EXIT_USAGE;
	}
	if (r == -EINVAL) {
		print_problem("a server is https://HOST:PORT, http://127.0.0.1:PORT or unix:/PATH",
			      "no such kind of server, or no certificate in the CA file: %s",
			      cli->server);
		return EXIT_USAGE;
	}
	if (r < 0) {
		print_problem(NULL, "%s", strerror(-r));
		return EXIT_OTHER;
	}
	cli->call.timeout_ms = CALL_TIMEOUT_MS;
	return 0;
}

static int load_token(struct cli *cli)
{
	const char *path = setting(cli, "--token-file", "QMESH_TOKEN_FILE");
	int r;

	if (path) {
		r = tokenfile_read(path, &cli->token);
		if (r < 0) {
			print_problem(NULL, "cannot read a token from %s: %s", path,
				      r == -EINVAL ? "its first line is empty" : strerror(-r));
			return EXIT_USAGE;
		}
	} else {
		r = tokenfile_get(cli->server, clock_wall_ms(), &cli->token);
		if (r == -EACCES) {
			print_problem("make it yours alone: chmod 600, or sign in again",
				      "the session file is open to others");
			return EXIT_NOT_SIGNED_IN;
		}
		if (r < 0) {
			print_problem(NULL, "cannot read the session file: %s", strerror(-r));
			return EXIT_OTHER;
		}
	}
	if (!cli->token)
		return 0;
	if (asprintf(&cli->authorization, "Bearer %s", cli->token) < 0) {
		cli->authorization = NULL;
		return EXIT_OTHER;
	}
	cli->md[0] =
		(struct qm_md){"authorization", cli->authorization, strlen(cli->authorization)};
	cli->call.metadata = cli->md;
	cli->call.n_metadata = 1;
	return 0;
}

int reach_open_anonymous(struct cli *cli)
{
	const char *preset = REACH_NODE_SOCKET;
	int r;

	if (!has_socket(preset) && has_socket(REACH_CP_SOCKET))
		preset = REACH_CP_SOCKET;
	cli->people = true;
	r = connect_to(cli, preset);
	return r ? r : load_token(cli);
}

int reach_open(struct cli *cli)
{
	int r;

	r = reach_open_anonymous(cli);
	/* On a socket the local operator needs no session: the daemon decides. */
	if (r == 0 && !cli->token && strncmp(cli->server, "unix:", 5) != 0) {
		print_problem("sign in with: qmesh login", "not signed in at %s", cli->server);
		r = EXIT_NOT_SIGNED_IN;
	}
	return r;
}

int reach_open_operator(struct cli *cli)
{
	return connect_to(cli, REACH_CP_SOCKET);
}

void reach_close(struct cli *cli)
{
	qm_client_free(cli->client);
	cli->client = NULL;
	tokenfile_free(cli->token);
	tokenfile_free(cli->authorization);
	cli->token = cli->authorization = NULL;
}

int reach_exit_code(const struct status *s)
{
	switch (s->code) {
	case GRPC_OK:
		return EXIT_DONE;
	case GRPC_INVALID_ARGUMENT:
	case GRPC_OUT_OF_RANGE:
		return EXIT_USAGE;
	case GRPC_UNAVAILABLE:
	case GRPC_DEADLINE_EXCEEDED:
		return EXIT_UNREACHABLE;
	case GRPC_UNAUTHENTICATED:
		return EXIT_NOT_SIGNED_IN;
	case GRPC_PERMISSION_DENIED:
		return EXIT_NOT_ALLOWED;
	case GRPC_NOT_FOUND:
		return EXIT_NOT_FOUND;
	case GRPC_ALREADY_EXISTS:
	case GRPC_FAILED_PRECONDITION:
	case GRPC_ABORTED:
		return EXIT_CONFLICT;
	case GRPC_RESOURCE_EXHAUSTED:
		return s->err == ERR_DEVICE_CAP_REACHED || s->err == ERR_POOL_EXHAUSTED
			       ? EXIT_CONFLICT
			       : EXIT_RATE_LIMITED;
	default:
		return EXIT_OTHER;
	}
}

int reach_outcome(const struct cli *cli, int r, struct qm_reply *reply)
{
	if (r < 0) {
		print_problem(NULL, "the call was not made: %s", strerror(-r));
		return EXIT_OTHER;
	}
	if (reply->status.code == GRPC_OK)
		return 0;
	print_failure(&reply->status, cli->json);
	r = reach_exit_code(&reply->status);
	/* At the Control Panel's socket a caller without session is the operator. */
	if (r == EXIT_NOT_ALLOWED && !cli->token && cli->people) {
		fputs("hint: sign in with: qmesh login\n", stderr);
		r = EXIT_NOT_SIGNED_IN;
	}
	qm_reply_done(reply);
	return r;
}
