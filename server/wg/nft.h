/* SPDX-License-Identifier: Apache-2.0 */
/* The program nft: a batch in, the rules out. Each call is one transaction. */
#ifndef QM_NFT_H
#define QM_NFT_H

#include "base/cleanup.h"
#include "base/text.h"
#include "server/wg/ruleset.h"

/* -ENOENT: it is not installed; -EIO: it refused, and the log has its words. */
int nft_json(const char *json) _must_check_;
/* The same, but its words go to said and not to the log. */
int nft_batch(const char *commands, struct text *said) _must_check_;
/* -ENOENT; -EIO: not to be seen in this container, or more than 4 MiB. */
int nft_rules(struct ruleset **ret_rules) _must_check_;

#endif
