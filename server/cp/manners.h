/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each node behaves: how often it begins streams and reports, and whether
 * its list was the one published. One lock, any thread; a node is forgotten
 * with its tenant's other data when it is removed.
 */
#ifndef QM_MANNERS_H
#define QM_MANNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

struct manners;

struct manners *manners_new(void);
void manners_free(struct manners *m);

enum manners_ask { MANNERS_HELLO, MANNERS_REPORT, MANNERS_DEVICES, MANNERS_CERTIFICATE };

/*
 * 0: it may; else it asks too often: ms until it may again. n: how much at a time, 1 but
 * for MANNERS_DEVICES: what a report that was admitted is about, see manners_weight, when it
 * was read. Who was told to wait with reports is held to it: none is admitted earlier.
 */
uint64_t manners_admit(struct manners *m, const struct uuid *node, enum manners_ask ask,
		       uint32_t n);
/* What a report about so many devices counts for beside itself: each of them is looked up. */
uint32_t manners_weight(size_t n_devices);
/* A report's list digest. True: resync the node now. */
bool manners_digest(struct manners *m, const struct uuid *node, bool differs, uint64_t generation);
/* Nodes for which a resync did not help. */
size_t manners_differing(struct manners *m);
void manners_forget(struct manners *m, const struct uuid *node);

#endif
