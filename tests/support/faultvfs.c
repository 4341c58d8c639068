/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each file wraps the real one, which lies behind it in the same memory. What
 * is armed is told by atomics: SQLite calls from the writer's and all readers'
 * threads.
 */
#include "tests/support/faultvfs.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

struct file {
	sqlite3_file base;
	bool is_main, has_index;
	sqlite3_file real[]; /* as large as the real system wants it */
};

static sqlite3_vfs shim;
static sqlite3_vfs *below;
static atomic_int armed_kind;
static atomic_uint armed_at, passed;
static atomic_bool armed_lasts, fell;
/* The first part of the index, where its head stands twice (SQLite's walformat). */
static _Atomic(void volatile *) index_head;
static atomic_uint index_users;

enum { INDEX_HEAD_LEN = 96 };

static const char *const names[FAULT_KINDS] = {
	[FAULT_NONE] = "none",
	[FAULT_WRITE] = "write",
	[FAULT_TORN] = "torn write",
	[FAULT_FULL] = "full disk",
	[FAULT_SYNC] = "sync",
	[FAULT_READ] = "read",
	[FAULT_TRUNCATE] = "truncate",
	[FAULT_SHM_LOCK] = "shm lock",
	[FAULT_SHM_MAP] = "shm map",
	[FAULT_OPEN] = "open",
	[FAULT_MAIN_WRITE] = "checkpoint write",
	[FAULT_MAIN_SYNC] = "checkpoint sync",
	[FAULT_LANDS] = "failed commit that landed",
};

const char *faultvfs_name(enum fault_kind kind)
{
	return names[kind];
}

void faultvfs_arm(enum fault_kind kind, unsigned at, bool lasts)
{
	passed = 0;
	fell = false;
	armed_at = at;
	armed_lasts = lasts;
	armed_kind = kind;
}

bool faultvfs_disarm(void)
{
	armed_kind = FAULT_NONE;
	return fell;
}

bool faultvfs_fell(void)
{
	return fell;
}

static bool falls(enum fault_kind kind)
{
	unsigned n;

	if ((int)kind != armed_kind)
		return false;
	n = ++passed;
	if (n != armed_at && !(armed_lasts && n > armed_at))
		return false;
	fell = true;
	return true;
}

static struct file *of(sqlite3_file *base)
{
	return (struct file *)base;
}

static int x_close(sqlite3_file *f)
{
	return of(f)->real->pMethods->xClose(of(f)->real);
}

static int x_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	if (falls(FAULT_READ))
		return SQLITE_IOERR_READ;
	return of(f)->real->pMethods->xRead(of(f)->real, p, n, at);
}

static int x_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	sqlite3_file *real = of(f)->real;

	if (falls(FAULT_WRITE) || (of(f)->is_main && falls(FAULT_MAIN_WRITE)))
		return SQLITE_IOERR_WRITE;
	if (falls(FAULT_FULL))
		return SQLITE_FULL;
	if (falls(FAULT_TORN)) {
		real->pMethods->xWrite(real, p, n / 2, at);
		return SQLITE_IOERR_WRITE;
	}
	return real->pMethods->xWrite(real, p, n, at);
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	if (falls(FAULT_TRUNCATE))
		return SQLITE_IOERR_TRUNCATE;
	return of(f)->real->pMethods->xTruncate(of(f)->real, size);
}

static int x_sync(sqlite3_file *f, int flags)
{
	void volatile *head = index_head;

	if (falls(FAULT_SYNC) || (of(f)->is_main && falls(FAULT_MAIN_SYNC)))
		return SQLITE_IOERR_FSYNC;
	if (!of(f)->is_main && head && falls(FAULT_LANDS)) {
		of(f)->real->pMethods->xSync(of(f)->real, flags);
		memset((void *)(uintptr_t)head, 0, INDEX_HEAD_LEN);
		return SQLITE_IOERR_FSYNC;
	}
	return of(f)->real->pMethods->xSync(of(f)->real, flags);
}

static int x_file_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return of(f)->real->pMethods->xFileSize(of(f)->real, size);
}

static int x_lock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int x_unlock(sqlite3_file *f, int level)
{
	return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int x_check_reserved(sqlite3_file *f, int *ret)
{
	return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, ret);
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
	return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int x_sector_size(sqlite3_file *f)
{
	return of(f)->real->pMethods->xSectorSize(of(f)->real);
}

static int x_device(sqlite3_file *f)
{
	return of(f)->real->pMethods->xDeviceCharacteristics(of(f)->real);
}

static int x_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **ret)
{
	int rc;

	if (falls(FAULT_SHM_MAP))
		return SQLITE_IOERR_SHMMAP;
	rc = of(f)->real->pMethods->xShmMap(of(f)->real, region, size, extend, ret);

	if (rc == SQLITE_OK && region == 0 && *ret) {
		index_users += !of(f)->has_index;
		of(f)->has_index = true;
		index_head = *ret;
	}
	return rc;
}

static int x_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	if (flags & SQLITE_SHM_LOCK && falls(FAULT_SHM_LOCK))
		return SQLITE_IOERR_SHMLOCK;
	return of(f)->real->pMethods->xShmLock(of(f)->real, offset, n, flags);
}

static void x_shm_barrier(sqlite3_file *f)
{
	of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

static int x_shm_unmap(sqlite3_file *f, int remove)
{
	if (of(f)->has_index && --index_users == 0)
		index_head = NULL;
	of(f)->has_index = false;
	return of(f)->real->pMethods->xShmUnmap(of(f)->real, remove);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_file_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_check_reserved,
	.xFileControl = x_control,
	.xSectorSize = x_sector_size,
	.xDeviceCharacteristics = x_device,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
};

static int x_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *ret_flags)
{
	struct file *f = of(base);
	int rc;

	(void)vfs;
	f->base.pMethods = NULL;
	f->has_index = false;
	if (falls(FAULT_OPEN))
		return SQLITE_CANTOPEN;
	f->is_main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
	rc = below->xOpen(below, path, f->real, flags, ret_flags);
	if (f->real->pMethods)
		f->base.pMethods = &methods;
	return rc;
}

int faultvfs_register(void)
{
	below = sqlite3_vfs_find(NULL);
	if (!below)
		return -1;
	/* Everything but open is the real one's: it is handed the shim, and does not look at it. */
	shim = *below;
	shim.zName = "fault";
	shim.szOsFile = (int)sizeof(struct file) + below->szOsFile;
	shim.xOpen = x_open;
	return sqlite3_vfs_register(&shim, 1) == SQLITE_OK ? 0 : -1;
}
