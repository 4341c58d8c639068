/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/backup.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sealed.h"
#include "server/cp/audit.h"
#include "server/cp/keyring.h"
#include "server/store/archive.h"
#include "server/store/tenant_row.h"

enum { QUEUE_MAX = 16, AT_ONCE = 16, PAUSE_MS = 5 };

/* One at a time: each holds the store's image in memory. */
static atomic_flag running = ATOMIC_FLAG_INIT;

/* On the call's loop from the first piece on. */
struct job {
	struct archive archive;
	struct sealed_writer writer;
	uint64_t len, sent;
	uint8_t plain[SEALED_CHUNK_LEN], sealed[SEALED_HEAD_LEN + SEALED_CHUNK_ROOM];
};

static void job_free(struct job *job)
{
	archive_done(&job->archive);
	sealed_done(&job->writer);
	key_wipe_bytes(job->plain, sizeof(job->plain));
	free(job);
	atomic_flag_clear(&running);
}

static void on_end(struct call *call, void *arg)
{
	(void)call;
	job_free(arg);
}

static uint64_t file_len(uint64_t len)
{
	uint64_t n_chunks = (len + SEALED_CHUNK_LEN - 1) / SEALED_CHUNK_LEN;

	return SEALED_HEAD_LEN + len + n_chunks * (4 + KEY_STREAM_OVERHEAD);
}

/* The next piece; head_len bytes of the file's head lie before it already. */
static int send_piece(struct call *call, struct job *job, size_t head_len)
{
	Pb__CreateBackupResponse out = PB__CREATE_BACKUP_RESPONSE__INIT;
	size_t n = archive_read(&job->archive, job->sent, job->plain, SEALED_CHUNK_LEN), len;
	int r;

	r = sealed_add(&job->writer, job->plain, n, job->sent + n == job->len,
		       job->sealed + head_len, &len);
	if (r)
		return err_origin(r);
	job->sent += n;
	out.data.data = job->sealed;
	out.data.len = head_len + len;
	out.total = head_len ? file_len(job->len) : 0;
	return call_send(call, &out.base);
}

static void pump(struct call *call, void *arg)
{
	struct job *job = arg;
	int r = 0;

	for (int i = 0; !r && i < AT_ONCE && job->sent < job->len; i++) {
		if (call_queued(call) > QUEUE_MAX)
			break;
		r = send_piece(call, job, 0);
	}
	if (r || job->sent == job->len)
		call_finish(call, r);
	else
		call_after(call, PAUSE_MS, pump, job);
}

/* --- who had one made --- */

struct note {
	struct txn *txn;
	struct audit_row row;
};

static int note_one(void *arg, const struct tenant_row *tenant)
{
	struct note *note = arg;

	note->row.tenant = tenant->id;
	return audit_end(note->txn, &note->row, 0);
}

/* In every tenant's audit: what leaves the house holds something of each. */
static int note_all(struct txn *txn, void *ctx)
{
	static const struct uuid first;
	struct note *note = ctx;

	note->txn = txn;
	return tenant_row_list(txn, &first, UINT32_MAX, note_one, note);
}

/* Before it is made, so that the backup knows of itself; the object names the key it is for. */
static int note_backup(struct call *call, const struct key *to)
{
	struct cp *cp = call->owner;
	char text[KEY_TEXT_LEN + 1];
	struct note note;

	audit_begin(call, "store.backup", &note.row);
	snprintf(note.row.object, sizeof(note.row.object), "sealed to %s", key_text(to, text));
	return store_write(cp->store, note_all, NULL, &note);
}

static int start(struct call *call, const struct key *to, struct job *job)
{
	struct cp *cp = call->owner;
	int r;

	/* The keys of one moment: none retires between the store's image and its own turn. */
	keyring_freeze(cp->keyring);
	r = archive_collect(cp->store, cp->conf.state_dir, &job->archive);
	keyring_thaw(cp->keyring);
	if (r)
		return err_trace(r);
	job->len = archive_len(&job->archive);
	r = sealed_begin(&job->writer, to, clock_wall_ms(), job->sealed);
	return r ? err_origin(r) : 0;
}

int backup_create(struct call *call, const Pb__CreateBackupRequest *in)
{
	struct job *job;
	struct key to;
	int r;

	memcpy(to.b, in->public_key.data, KEY_LEN);
	if (!key_usable(&to))
		return call_field(call, "public_key", "must be a usable X25519 key");
	if (atomic_flag_test_and_set(&running))
		return call_fail(call, ERR_CALL_IN_PROGRESS, "A backup is being made already.");
	job = calloc(1, sizeof(*job));
	if (!job) {
		atomic_flag_clear(&running);
		return -ENOMEM;
	}
	r = note_backup(call, &to);
	if (!r)
		r = start(call, &to, job);
	if (!r)
		r = send_piece(call, job, SEALED_HEAD_LEN);
	if (r) {
		job_free(job);
		return r;
	}
	log_line(LOG_LEVEL_INFO, "backup", &call->log, "a backup of %llu bytes is sent",
		 (unsigned long long)file_len(job->len));
	/* The timer is the call's: it never fires after on_end. */
	call_on_end(call, on_end, job);
	call_after(call, 0, pump, job);
	return CALL_PARKED;
}
