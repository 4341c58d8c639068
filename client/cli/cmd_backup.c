/* SPDX-License-Identifier: Apache-2.0 */
/* Backups of a Control Panel: the pair of keys, making, checking, going back. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/unpack.h"
#include "client/cli/outfile.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"
#include "client/cli/reviver.h"
#include "client/cli/sealfile.h"
#include "client/pin.h"
#include "client/qstream.h"
#include "gen/rpc/stubs.h"

#define DEFAULT_STATE_DIR "/var/lib/qmesh/cp"

static int run_keygen(struct cli *cli)
{
	const char *path = cli->args.words[0];
	int code = sealfile_make_pair(path);

	if (code)
		return code;
	print_line(stdout,
		   "%s: private; keep it away from the Control Panel, it opens every backup", path);
	print_line(stdout, "%s.pub: public, for qmesh backup create --to", path);
	return EXIT_DONE;
}

/* --- create --- */

struct download {
	struct outfile file;
	uint64_t total, have;
};

static int take(struct download *d, const uint8_t *p, size_t len)
{
	Pb__CreateBackupResponse *out = (Pb__CreateBackupResponse *)unpack_message(
		&pb__create_backup_response__descriptor, NULL, p, len);
	size_t done = 0;
	int r = 0;

	if (!out)
		return -EBADMSG;
	if (out->total)
		d->total = out->total;
	while (done < out->data.len && !r) {
		ssize_t n = write(d->file.fd, out->data.data + done, out->data.len - done);

		if (n < 0 && errno != EINTR)
			r = -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	d->have += done;
	pb__create_backup_response__free_unpacked(out, NULL);
	return r;
}

/* All messages; r < 0: what went wrong here. The stream's own end is its status. */
static int receive(struct qm_stream *stream, struct download *d)
{
	uint8_t *p;
	size_t len;
	int r;

	while ((r = qm_stream_receive(stream, &p, &len)) > 0) {
		r = take(d, p, len);
		free(p);
		if (r)
			return r;
	}
	return r;
}

static int ask(struct qm_stream *stream, const struct key *to)
{
	Pb__CreateBackupRequest in = PB__CREATE_BACKUP_REQUEST__INIT;
	uint8_t request[64];

	in.public_key.data = (uint8_t *)to->b;
	in.public_key.len = KEY_LEN;
	if (pb__create_backup_request__get_packed_size(&in) > sizeof(request))
		return -EINVAL;
	return qm_stream_send(stream, request, pb__create_backup_request__pack(&in, request));
}

static int download(struct cli *cli, const struct key *to, struct download *d)
{
	const char *path = "/quazzar.mesh.v1.AdminService/CreateBackup";
	const struct status *status;
	struct qm_stream *stream;
	int code = 0, r;

	cli->call.timeout_ms = 0;
	r = qm_stream_open(cli->client, path, QM_SERVER_STREAM, &cli->call, &stream);
	if (r < 0) {
		print_problem(NULL, "the call was not made: %s", strerror(-r));
		return EXIT_OTHER;
	}
	r = ask(stream, to);
	if (!r || r == -EPIPE)
		r = receive(stream, d);
	if (r) {
		print_problem(NULL, "the backup could not be written: %s", strerror(-r));
		code = EXIT_OTHER;
	} else {
		status = qm_stream_status(stream);
		code = reach_exit_code(status);
		if (code)
			print_failure(status, cli->json);
	}
	qm_stream_free(stream);
	if (!code && (!d->have || d->have != d->total)) {
		print_problem(NULL, "the backup ended before it was whole");
		code = EXIT_OTHER;
	}
	return code;
}

static int run_create(struct cli *cli)
{
	const char *path = cli->args.words[0], *to_path = args_value(&cli->args, "--to");
	struct download d = {.file = {.fd = -1}};
	char size[32], members[80];
	struct key to;
	int code, r;

	if (!to_path) {
		print_problem("qmesh backup keygen makes a pair", "--to FILE.pub is needed");
		return EXIT_USAGE;
	}
	code = sealfile_read_public(to_path, &to);
	if (!code)
		code = reach_open_operator(cli);
	if (code)
		return code;
	r = outfile_open(path, args_has(&cli->args, "--replace"), &d.file);
	if (r) {
		print_problem(NULL, "cannot write %s: %s", path, strerror(-r));
		return r == -EEXIST ? EXIT_CONFLICT : EXIT_OTHER;
	}
	code = download(cli, &to, &d);
	if (code) {
		outfile_done(&d.file);
		return code;
	}
	r = outfile_commit(&d.file, "", 0);
	if (r) {
		print_problem(NULL, "cannot write %s: %s", path, strerror(-r));
		return EXIT_OTHER;
	}
	snprintf(members, sizeof(members), "\"bytes\":%" PRIu64, d.have);
	if (cli->json)
		print_json_members(stdout, "qmesh.backup/1", members);
	else
		print_line(stdout, "%s: %s", path, print_bytes(d.have, size));
	return EXIT_DONE;
}

/* --- verify and restore --- */

static void print_fault(void *arg, const char *fault)
{
	(void)arg;
	print_line(stderr, "fault: %s", fault);
}

/* Join tokens pin the listener's key, and clients trust by its certificate: one belongs to the
 * other. */
static bool has_listener(const struct archive *archive)
{
	const struct archive_file *cert = archive_find(archive, "ca.pem");

	for (size_t i = 0; cert && i < archive->n_files; i++) {
		const struct archive_file *f = &archive->files[i];

		if (!strncmp(f->name, "keys/tls", strlen("keys/tls")) &&
		    pin_is_pair(cert->p, cert->len, f->p, f->len))
			return true;
	}
	return false;
}

/* Opens and checks; both are the caller's to free whatever comes. */
static int open_and_check(struct cli *cli, struct sealfile *file, struct archive *archive,
			  struct inspect_report *report)
{
	const char *path = cli->args.words[0], *key = args_value(&cli->args, "--key");
	int code, r;

	if (!key) {
		print_problem(NULL, "--key FILE is needed: the private key of the pair");
		return EXIT_USAGE;
	}
	code = sealfile_open(path, key, file);
	if (code)
		return code;
	r = archive_parse(file->plain, file->len, archive);
	if (!r)
		r = archive_check(archive, print_fault, NULL, report);
	if (!r && !has_listener(archive)) {
		print_fault(NULL, "ca.pem: is the certificate of none of the keys/tls*.key");
		report->n_faults++;
	}
	if (r == -ENOTSUP)
		print_problem("use the qmesh of that release, or a newer one",
			      "%s has a store of schema %" PRId64
			      ", which is newer than this qmesh",
			      path, report->schema);
	else if (r)
		print_problem(NULL, "what is in %s is no Control Panel: %s", path, strerror(-r));
	else if (report->n_faults)
		print_problem("use another backup", "%s has %zu faults", path, report->n_faults);
	return r || report->n_faults ? EXIT_CHECK_FAILED : 0;
}

static void print_report(const struct cli *cli, const struct sealfile *file,
			 const struct archive *archive, const struct inspect_report *r)
{
	const struct archive_file *program = archive_find(archive, "program");
	char when[25], members[400];

	clock_rfc3339(file->head.made_ms, when);
	if (cli->json) {
		snprintf(members, sizeof(members),
			 "\"made_at\":\"%s\",\"schema\":%" PRId64 ",\"tenants\":%" PRIu64
			 ",\"users\":%" PRIu64 ",\"nodes\":%" PRIu64 ",\"devices\":%" PRIu64
			 ",\"audit_rows\":%" PRIu64,
			 when, r->schema, r->tenants, r->users, r->nodes, r->devices,
			 r->audit_rows);
		print_json_members(stdout, "qmesh.backup.verify/1", members);
		return;
	}
	printf("%-12s %s\n", "made", when);
	if (program)
		print_line(stdout, "%-12s qmesh-cpd %.*s, schema %" PRId64, "by",
			   (int)(program->len < 64 ? program->len : 64), (const char *)program->p,
			   r->schema);
	printf("%-12s %" PRIu64 "\n%-12s %" PRIu64 "\n%-12s %" PRIu64 "\n%-12s %" PRIu64
	       "\n%-12s %" PRIu64 "\n",
	       "tenants", r->tenants, "users", r->users, "nodes", r->nodes, "devices", r->devices,
	       "audit rows", r->audit_rows);
}

static int run_verify(struct cli *cli)
{
	_cleanup_(sealfile_done) struct sealfile file = {0};
	struct archive archive = {0};
	struct inspect_report report;
	int code = open_and_check(cli, &file, &archive, &report);

	if (code)
		return code;
	print_report(cli, &file, &archive, &report);
	if (!cli->json)
		printf("good: it can be restored\n");
	return EXIT_DONE;
}

static int explain(int r, const char *dir)
{
	if (r == -EBUSY)
		print_problem("stop qmesh-cpd first", "a Control Panel works with %s", dir);
	else if (r == -EEXIST)
		print_problem("--force moves it aside", "%s is not empty", dir);
	else
		print_problem(r == -ENOENT
				      ? "the directory above it must be there; --state-dir names "
					"another place"
				      : NULL,
			      "nothing was restored to %s: %s", dir, strerror(-r));
	return r == -EBUSY || r == -EEXIST ? EXIT_CONFLICT : EXIT_OTHER;
}

static int run_restore(struct cli *cli)
{
	const char *dir = args_value(&cli->args, "--state-dir");
	_cleanup_(sealfile_done) struct sealfile file = {0};
	_cleanup_(freep) char *aside = NULL;
	struct archive archive = {0};
	struct inspect_report report;
	int code, r;

	if (!dir)
		dir = DEFAULT_STATE_DIR;
	code = open_and_check(cli, &file, &archive, &report);
	if (code)
		return code;
	r = reviver_run(&archive, file.head.made_ms, dir, args_has(&cli->args, "--force"), &aside);
	if (r)
		return explain(r, dir);
	print_report(cli, &file, &archive, &report);
	if (cli->json)
		return EXIT_DONE;
	if (aside)
		print_line(stdout, "%-12s %s", "before it", aside);
	print_line(stdout,
		   "restored to %s: start qmesh-cpd; nodes follow by themselves, people sign in "
		   "again, join tokens that were not used are void",
		   dir);
	return EXIT_DONE;
}

static const struct flag create_flags[] = {
	{"--to", "FILE", "public key that it is sealed to (from backup keygen)"},
	{"--replace", NULL, "write over a file that is there"},
	{NULL, NULL, NULL},
};

static const struct flag verify_flags[] = {
	{"--key", "FILE", "private key of the pair"},
	{NULL, NULL, NULL},
};

static const struct flag restore_flags[] = {
	{"--key", "FILE", "private key of the pair"},
	{"--state-dir", "DIR", "where the Control Panel keeps its state; " DEFAULT_STATE_DIR},
	{"--force", NULL, "move aside what is there"},
	{NULL, NULL, NULL},
};

const struct command cmd_backup_table[] = {
	{"backup keygen", "FILE", "Make the pair of keys that backups are sealed to", 1, 1, NULL,
	 run_keygen},
	{"backup create", "FILE", "Back up a running Control Panel", 1, 1, create_flags,
	 run_create},
	{"backup verify", "FILE", "Is a backup good? Restored in memory and checked", 1, 1,
	 verify_flags, run_verify},
	{"backup restore", "FILE", "Put a backup in the place of a stopped Control Panel", 1, 1,
	 restore_flags, run_restore},
	{NULL, NULL, NULL, 0, 0, NULL, NULL},
};
