/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a store what a store must be? Looks at an image of one in memory, after
 * bringing its schema up to this program's: SQLite's own checks, references,
 * addresses, labels, counts, keys and each tenant's audit chain.
 */
#ifndef QM_INSPECT_H
#define QM_INSPECT_H

#include "server/store/store.h"

enum { INSPECT_FAULTS_MAX = 50, INSPECT_PSK_MAX = 64 };

/* One line of plain words each; at most INSPECT_FAULTS_MAX are told. */
typedef void (*inspect_fn)(void *arg, const char *fault);

struct inspect_report {
	int64_t schema; /* as the image has it */
	uint64_t tenants, users, nodes, devices, audit_rows;
	/* Versions of K_psk that keys of devices need. */
	uint32_t psk_versions[INSPECT_PSK_MAX];
	size_t n_psk_versions;
	size_t n_faults;
};

/*
 * 0 and the report, faults or not; -ENOTSUP when a newer program made it
 * (report->schema is set); -EBADMSG when it is no store at all; -ENOMEM, -EIO.
 */
int inspect_image(const uint8_t *image, size_t len, inspect_fn fn, void *arg,
		  struct inspect_report *ret_report) _must_check_;

#endif
