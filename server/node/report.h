/* SPDX-License-Identifier: Apache-2.0 */
/* What the node tells the Control Panel: made from the replica. */
#ifndef QM_REPORT_H
#define QM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct replica;

#define REPORT_MAX_STATUSES 2000

/*
 * An encoded ReportRequest on the heap. Changed states are in it and count as
 * sent; all: every state. ret_more: some did not fit. -ENOMEM.
 */
int report_make(struct replica *r, bool interest, bool all, uint8_t **ret_bytes, size_t *ret_len,
		bool *ret_more) _must_check_;
/* The report did not arrive: its states count as changed again. */
void report_unsend(struct replica *r);

#endif
