/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generation of this host's nft rules: a number that the kernel changes with every change
 * of any of them. Rules are known by a handle alone, and a handle may be another rule's once
 * somebody has replaced the table; so rules of ours in chains of others are removed only while
 * the generation is the one in which they were found.
 */
#ifndef QM_NFTGEN_H
#define QM_NFTGEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "server/wg/ruleset.h"

/* Of one call of nftgen_delete. */
#define NFTGEN_RULES_MAX 64

/* To be read before the rules are. */
int nftgen_read(uint32_t *ret_generation) _must_check_;
/* All of them or none. -EAGAIN: something has changed since that generation. */
int nftgen_delete(uint32_t generation, const struct ruleset_mark *rules, size_t n) _must_check_;

#endif
