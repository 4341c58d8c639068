/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that hand out a config: device add and device rotate. The private
 * key in it is shown once, so where it goes is settled before it is made.
 */
#include <errno.h>
#include <string.h>

#include "client/cli/converge.h"
#include "client/cli/devname.h"
#include "client/cli/outfile.h"
#include "client/cli/print.h"
#include "client/cli/qrterm.h"
#include "client/cli/reach.h"

/* Where the config goes. */
struct issue {
	struct outfile file;
	bool to_file, to_qr, to_stdout;
};

static void issue_done(struct issue *issue)
{
	outfile_done(&issue->file);
}

static int prepare(const struct cli *cli, struct issue *issue)
{
	const char *path = args_value(&cli->args, "--out");
	int r;

	issue->to_qr = args_has(&cli->args, "--qr");
	issue->to_stdout = args_has(&cli->args, "--stdout");
	if (issue->to_qr && args_has(&cli->args, "--public-key")) {
		print_problem("use --out FILE or --stdout, and put your private key in yourself",
			      "a config with your own key has no QR code");
		return EXIT_USAGE;
	}
	if (issue->to_qr && cli->json) {
		print_problem("use --stdout for the config inside the object",
			      "--qr and --json do not go together");
		return EXIT_USAGE;
	}
	if (!path && !issue->to_qr && !issue->to_stdout) {
		print_problem("--qr shows a code to scan, --out FILE writes a file, --stdout "
			      "prints it",
			      "where should the config go? It is shown only once");
		return EXIT_USAGE;
	}
	if (!path)
		return 0;
	r = outfile_open(path, args_has(&cli->args, "--replace"), &issue->file);
	if (r == -EEXIST) {
		print_problem("--replace overwrites it", "%s is there already", path);
		return EXIT_CONFLICT;
	}
	if (r < 0) {
		print_problem(NULL, "cannot write %s: %s", path, strerror(-r));
		return EXIT_OTHER;
	}
	issue->to_file = true;
	return 0;
}

/* On a terminal that is too small a broken code would be of no use: the person makes it larger. */
static void wait_for_window(const struct qrterm_size *need)
{
	struct qrterm_size have;

	while (qrterm_window(STDOUT_FILENO, &have) &&
	       (have.columns < need->columns || have.rows < need->rows)) {
		int c;

		fprintf(stderr,
			"window too small: need %ux%u, have %ux%u; make it larger, then press "
			"Enter\n",
			need->columns, need->rows, have.columns, have.rows);
		if (!isatty(STDIN_FILENO))
			return;
		do {
			c = getchar();
		} while (c != '\n' && c != EOF);
		if (c == EOF)
			return;
	}
}

static int print_qr(const char *config)
{
	_cleanup_(text_done) struct text drawing = TEXT_INIT(1024 * 1024);
	struct qrterm_size need;
	int r;

	r = qrterm_draw(config, qrterm_style(), isatty(STDOUT_FILENO), &drawing, &need);
	if (r < 0) {
		print_problem(NULL, "the config does not fit into a QR code: %s", strerror(-r));
		return EXIT_OTHER;
	}
	wait_for_window(&need);
	fwrite(drawing.s, 1, drawing.len, stdout);
	return EXIT_DONE;
}

/* Names of the answer for both methods. */
struct issued {
	char *config, *qr_svg;
	const Pb__Device *device;
	const ProtobufCMessage *msg;
	const char *schema;
};

static void wipe(char *s)
{
	explicit_bzero(s, strlen(s));
}

static int print_issued_json(const struct issue *issue, const struct issued *what)
{
	/* What was not asked for here is not printed here. */
	if (!issue->to_stdout)
		wipe(what->config);
	wipe(what->qr_svg);
	return print_json(stdout, what->schema, what->msg) < 0 ? EXIT_OTHER : EXIT_DONE;
}

static int hand_out(const struct cli *cli, struct issue *issue, const struct issued *what)
{
	int code = EXIT_DONE, r;

	if (what->config[0] == '\0') {
		print_problem("qmesh device rotate gives a fresh one",
			      "the device is there, but its config was handed out before");
		return EXIT_CONFLICT;
	}
	if (issue->to_file) {
		r = outfile_commit(&issue->file, what->config, strlen(what->config));
		if (r < 0) {
			print_problem(
				"the device is there; qmesh device rotate gives a fresh config",
				"cannot write the config: %s", strerror(-r));
			code = EXIT_OTHER;
		}
	}
	if (issue->to_qr)
		code = print_qr(what->config) ? EXIT_OTHER : code;
	if (cli->json) {
		r = print_issued_json(issue, what);
		return r ? r : code;
	}
	if (issue->to_stdout)
		fputs(what->config, stdout);
	return code;
}

/* One line on stderr, so that stdout is the config alone. */
static void tell(const struct cli *cli, const struct issue *issue, const struct issued *what)
{
	const char *path = args_value(&cli->args, "--out");

	if (!what->device || cli->json)
		return;
	print_line(stderr, "%s is %s, %s", what->device->label, what->device->dns_name,
		   what->device->mesh_ip);
	if (issue->to_file)
		fprintf(stderr, "config: %s\n", path);
}

static int finish(const struct cli *cli, struct issue *issue, const struct issued *what,
		  struct qm_reply *reply)
{
	int code, waited;

	tell(cli, issue, what);
	code = hand_out(cli, issue, what);
	waited = converge_report(cli, reply, stderr);
	wipe(what->config);
	wipe(what->qr_svg);
	qm_reply_done(reply);
	return code ? code : waited;
}

static int read_type(const struct cli *cli, Pb__DeviceType *ret_type)
{
	const char *word = args_value(&cli->args, "--type");
	int value;

	if (!word)
		return 0;
	if (print_enum_parse(&pb__device_type__descriptor, word, "DEVICE_TYPE_", &value) < 0) {
		print_problem("iphone, android, laptop or other", "no such type: %s", word);
		return EXIT_USAGE;
	}
	*ret_type = (Pb__DeviceType)value;
	return 0;
}

static int run_add(struct cli *cli)
{
	_cleanup_(reach_free) Pb__CreateDeviceResponse *out = NULL;
	_cleanup_(issue_done) struct issue issue = {.file.fd = -1};
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;
	struct qm_reply reply;
	int code;

	code = read_type(cli, &in.type);
	if (code == 0)
		code = converge_wait(cli, &in.wait_ms);
	if (code == 0)
		code = prepare(cli, &issue);
	if (code == 0)
		code = reach_open(cli);
	if (code)
		return code;
	in.label = (char *)cli->args.words[0];
	if (args_has(&cli->args, "--public-key"))
		in.public_key = (char *)args_value(&cli->args, "--public-key");
	if (args_has(&cli->args, "--ip"))
		in.wished_ip = (char *)args_value(&cli->args, "--ip");
	if (args_has(&cli->args, "--node"))
		in.node_id = (char *)args_value(&cli->args, "--node");
	in.dns = args_has(&cli->args, "--dns");
	if (args_has(&cli->args, "--no-keepalive"))
		in.keepalive_choice_case = PB__CREATE_DEVICE_REQUEST__KEEPALIVE_CHOICE_KEEPALIVE;
	code = reach_outcome(cli, qm_create_device(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	return finish(cli, &issue,
		      &(struct issued){out->config, out->qr_svg, out->device, &out->base,
				       "qmesh.device.added/1"},
		      &reply);
}

static int run_rotate(struct cli *cli)
{
	_cleanup_(reach_free) Pb__RotateDeviceKeyResponse *out = NULL;
	_cleanup_(issue_done) struct issue issue = {.file.fd = -1};
	Pb__RotateDeviceKeyRequest in = PB__ROTATE_DEVICE_KEY_REQUEST__INIT;
	struct qm_reply reply;
	char id[37];
	int code;

	code = converge_wait(cli, &in.wait_ms);
	if (code == 0)
		code = prepare(cli, &issue);
	if (code == 0)
		code = reach_open(cli);
	if (code == 0)
		code = devname_find(cli, cli->args.words[0], id);
	if (code)
		return code;
	in.id = id;
	in.immediate = args_has(&cli->args, "--immediate");
	if (args_has(&cli->args, "--public-key"))
		in.public_key = (char *)args_value(&cli->args, "--public-key");
	in.dns = args_has(&cli->args, "--dns");
	if (args_has(&cli->args, "--no-keepalive"))
		in.keepalive_choice_case =
			PB__ROTATE_DEVICE_KEY_REQUEST__KEEPALIVE_CHOICE_KEEPALIVE;
	code = reach_outcome(cli, qm_rotate_device_key(cli->client, &cli->call, &in, &reply, &out),
			     &reply);
	if (code)
		return code;
	return finish(cli, &issue,
		      &(struct issued){out->config, out->qr_svg, out->device, &out->base,
				       "qmesh.device.rotated/1"},
		      &reply);
}

#define CONFIG_FLAGS                                                                               \
	{"--qr", NULL, "show the config as a QR code"},                                            \
		{"--out", "FILE", "write the config to a file (mode 0600)"},                       \
		{"--replace", NULL, "let --out overwrite a file"},                                 \
		{"--stdout", NULL, "print the config"},                                            \
		{"--public-key", "KEY", "your own key: the config comes without PrivateKey"},      \
		{"--no-keepalive", NULL, "no PersistentKeepalive in the config"},                  \
		{"--dns", NULL, "a DNS line in the config, when mesh DNS serves"},                 \
	{                                                                                          \
		"--wait", "TIME", "until every node that is up has it, at most 5s"                 \
	}

static const struct flag add_flags[] = {
	{"--type", "TYPE", "iphone, android, laptop or other"},
	CONFIG_FLAGS,
	{"--ip", "ADDRESS", "a certain free address of the tenant's range"},
	{"--node", "ID", "the node that the device connects to"},
	{NULL, NULL, NULL},
};

static const struct flag rotate_flags[] = {
	{"--immediate", NULL, "the old key ends at once: for a stolen device"},
	CONFIG_FLAGS,
	{NULL, NULL, NULL},
};

const struct command cmd_issue_table[] = {
	{"device add", "LABEL", "Add a device and hand out its config, once", 1, 1, add_flags,
	 run_add},
	{"device rotate", "DEVICE", "New key and config, same address and name", 1, 1, rotate_flags,
	 run_rotate},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
