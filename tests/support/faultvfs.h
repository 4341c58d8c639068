/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's file system with a fault at will: the n-th operation of a kind
 * fails, is torn, or finds the disk full. Registered by a test program as the
 * default, so that the store opens its files through it and knows nothing.
 */
#ifndef QM_FAULTVFS_H
#define QM_FAULTVFS_H

#include <stdbool.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_WRITE, /* nothing of it reaches the disk */
	FAULT_TORN,  /* half of it does */
	FAULT_FULL,  /* the disk is full */
	FAULT_SYNC,  /* written, but who knows */
	FAULT_READ,
	FAULT_TRUNCATE,
	FAULT_SHM_LOCK,
	FAULT_SHM_MAP,
	FAULT_OPEN,
	FAULT_MAIN_WRITE, /* of the database proper: in a checkpoint only */
	FAULT_MAIN_SYNC,
	/*
	 * A sync of the log is said to have failed and has not, and the index that all connections
	 * share is lost: whoever looks next finds by the log that the commit has landed.
	 */
	FAULT_LANDS,
	FAULT_KINDS,
};

const char *faultvfs_name(enum fault_kind kind);
/* Before the first connection. */
int faultvfs_register(void);
/* The at-th operation of the kind from now on fails, and all later ones if it lasts. */
void faultvfs_arm(enum fault_kind kind, unsigned at, bool lasts);
/* True if it fell. */
bool faultvfs_disarm(void);
/* The same while it is armed. */
bool faultvfs_fell(void);

#endif
