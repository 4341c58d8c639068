/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults where a store begins and ends: at the start on what a crash left, in
 * a checkpoint, at the close. After a crash the store is its log; a start that
 * meets a fault recovers it whole or ends with an error, and the next one has
 * all that was ever acknowledged. What a start must not do is begin with less.
 *
 * As many places as the time allows, spread over all kinds; all with QMESH_LONG.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gen/rpc/mesh_service.h"
#include "tests/support/faultvfs.h"
#include "tests/support/world.h"

enum { PLACES_MAX = 200, PART_MS = 3000, DEVICES_MAX = 500 };

static unsigned n_passed, n_failed, n_fell, n_refused;

static void judge(const char *part, enum fault_kind kind, unsigned n, const char *why)
{
	if (!why)
		n_passed++;
	else if (n_failed++ < 40)
		printf("FAIL %s, %s at %u: %s\n", part, faultvfs_name(kind), n, why);
}

/* Everything that counts of the tenant hangs on these. */
static void print_of(struct world *w, char ret[2 * WORLD_VALUE_LEN])
{
	char sessions[WORLD_VALUE_LEN];

	world_value(w,
		    "SELECT generation || ' ' || hex(digest) || ' ' || audit_seq || ' ' ||"
		    " hex(audit_hash) || ' ' || devices || ' ' || nodes FROM tenants"
		    " WHERE name = 'acme'",
		    ret);
	world_value(w, "SELECT count(*) || ' ' || count(ended_ms) FROM sessions", sessions);
	strcat(ret, sessions);
}

/* Half a disk would be a fault of this program's. */
static void copy(const char *from, const char *to)
{
	_cleanup_(close_fdp) int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_(close_fdp) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char buf[65536];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			n = -1;
	if (in < 0 || out < 0 || n < 0) {
		perror(from);
		exit(1);
	}
}

static const char *const parts[] = {"store.db", "store.db-wal"};

/* As a kill would leave it: taken while the panel has it open. */
static void take_image(struct world *w)
{
	char from[128], to[128];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(from, sizeof(from), "%s/state/%s", w->panel.dir, parts[i]);
		snprintf(to, sizeof(to), "%s/%s.image", w->panel.dir, parts[i]);
		copy(from, to);
	}
}

static void put_image(struct world *w)
{
	char from[128], to[128];

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		snprintf(from, sizeof(from), "%s/%s.image", w->panel.dir, parts[i]);
		snprintf(to, sizeof(to), "%s/state/%s", w->panel.dir, parts[i]);
		copy(from, to);
	}
	snprintf(to, sizeof(to), "%s/state/store.db-shm", w->panel.dir);
	unlink(to);
}

/* It runs: is all there, and does it take more? */
static const char *look(struct world *w, const char *before)
{
	char after[2 * WORLD_VALUE_LEN], label[32], id[UUID_TEXT_LEN + 1];
	const char *why;

	print_of(w, after);
	if (strcmp(before, after))
		return "what was acknowledged is not what is there";
	why = world_fault(w);
	if (why)
		return why;
	snprintf(label, sizeof(label), "r%u", w->i++);
	world_create(w, label, id);
	return NULL;
}

/* --- the start --- */

static bool recover(struct world *w, const char *before, enum fault_kind kind, unsigned n)
{
	bool fell;
	int r;

	put_image(w);
	faultvfs_arm(kind, n, kind == FAULT_FULL);
	r = panel_open(&w->panel);
	fell = faultvfs_disarm();
	n_fell += fell;
	n_refused += r != 0;
	if (r && !fell) {
		judge("start", kind, n, "it does not start, and nothing was wrong");
		exit(1);
	}
	if (r && panel_open(&w->panel)) {
		judge("start", kind, n, "a fault that is over keeps it from starting");
		exit(1);
	}
	world_listen(w);
	judge("start", kind, n, look(w, before));
	world_stop(w);
	return fell;
}

/* --- the close --- */

static bool end(struct world *w, enum fault_kind kind, unsigned n)
{
	char before[2 * WORLD_VALUE_LEN], label[32], id[UUID_TEXT_LEN + 1];
	bool fell;

	if (panel_open(&w->panel)) {
		judge("close", kind, n, "it does not start");
		exit(1);
	}
	world_listen(w);
	snprintf(label, sizeof(label), "e%u", w->i++);
	world_create(w, label, id);
	print_of(w, before);
	faultvfs_arm(kind, n, false);
	world_stop(w);
	fell = faultvfs_disarm();
	n_fell += fell;
	if (panel_open(&w->panel)) {
		judge("close", kind, n, "it does not start after it");
		exit(1);
	}
	world_listen(w);
	judge("close", kind, n, look(w, before));
	world_stop(w);
	return fell;
}

/* --- the checkpoint --- */

static void checkpoint_by_hand(struct world *w, const char *how)
{
	sqlite3 *db = NULL;
	char path[128], sql[64];

	snprintf(path, sizeof(path), "%s/state/store.db", w->panel.dir);
	snprintf(sql, sizeof(sql), "PRAGMA wal_checkpoint(%s)", how);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
		sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
}

static bool checkpoint(struct world *w, enum fault_kind kind, unsigned n)
{
	static const char *const how[] = {"PASSIVE", "RESTART", "TRUNCATE"};
	char before[2 * WORLD_VALUE_LEN], label[32], id[UUID_TEXT_LEN + 1];
	bool fell;

	snprintf(label, sizeof(label), "c%u", w->i++);
	world_create(w, label, id);
	print_of(w, before);
	faultvfs_arm(kind, n, false);
	checkpoint_by_hand(w, how[n % ARRAY_LEN(how)]);
	fell = faultvfs_disarm();
	n_fell += fell;
	judge("checkpoint", kind, n, look(w, before));
	return fell;
}

/* SQLite's own, which comes by itself in the middle of somebody's commit. */
static void own_checkpoint(struct world *w, enum fault_kind kind)
{
	char before[2 * WORLD_VALUE_LEN], label[32], id[UUID_TEXT_LEN + 1];
	bool fell;

	faultvfs_arm(kind, 1, true);
	for (unsigned i = 0; i < DEVICES_MAX && !faultvfs_fell(); i++) {
		snprintf(label, sizeof(label), "o%u", w->i++);
		world_create(w, label, id);
	}
	print_of(w, before);
	fell = faultvfs_disarm();
	n_fell += fell;
	judge("own checkpoint", kind, 1, fell ? NULL : "there was none");
	judge("own checkpoint", kind, 1, look(w, before));
	print_of(w, before);
	world_restart(w);
	judge("own checkpoint", kind, 1, look(w, before));
}

/* Round after round over all kinds, each until it falls no more. */
static void all_places(struct world *w, const char *before, const enum fault_kind *kinds, size_t n,
		       bool (*one)(struct world *w, const char *before, enum fault_kind kind,
				   unsigned n))
{
	uint64_t until = getenv("QMESH_LONG") ? UINT64_MAX : clock_boot_ms() + PART_MS;
	bool over[FAULT_KINDS] = {false};

	for (unsigned place = 1; place < PLACES_MAX; place++)
		for (size_t i = 0; i < n && (place == 1 || clock_boot_ms() < until); i++)
			if (!over[kinds[i]])
				over[kinds[i]] = !one(w, before, kinds[i], place);
}

static bool end_one(struct world *w, const char *before, enum fault_kind kind, unsigned n)
{
	(void)before;
	return end(w, kind, n);
}

static bool checkpoint_one(struct world *w, const char *before, enum fault_kind kind, unsigned n)
{
	(void)before;
	return checkpoint(w, kind, n);
}

int main(void)
{
	static const enum fault_kind kinds[] = {FAULT_READ,      FAULT_SHM_MAP, FAULT_SHM_LOCK,
						FAULT_OPEN,      FAULT_WRITE,   FAULT_TORN,
						FAULT_FULL,      FAULT_SYNC,    FAULT_MAIN_WRITE,
						FAULT_MAIN_SYNC, FAULT_TRUNCATE};
	char before[2 * WORLD_VALUE_LEN];
	static struct world w;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (faultvfs_register())
		return 1;
	world_init(&w);
	all_places(&w, NULL, kinds, ARRAY_LEN(kinds), checkpoint_one);
	printf("checkpoint: %u so far, %u fell\n", n_passed + n_failed, n_fell);
	own_checkpoint(&w, FAULT_MAIN_WRITE);
	own_checkpoint(&w, FAULT_MAIN_SYNC);
	take_image(&w);
	print_of(&w, before);
	world_stop(&w);
	all_places(&w, before, kinds, ARRAY_LEN(kinds), recover);
	printf("start: %u so far, %u fell, %u starts refused\n", n_passed + n_failed, n_fell,
	       n_refused);
	all_places(&w, NULL, kinds, ARRAY_LEN(kinds), end_one);
	printf("close: %u so far, %u fell\n", n_passed + n_failed, n_fell);
	if (panel_open(&w.panel))
		return 1;
	world_listen(&w);
	world_done(&w);
	printf("passed %u failed %u skipped 0\n", n_passed, n_failed);
	return n_failed != 0;
}
