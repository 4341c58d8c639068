/* SPDX-License-Identifier: Apache-2.0 */
/* What a dump of the interface says about devices: handshakes, traffic, promotions. */
#ifndef QM_POLL_H
#define QM_POLL_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "server/peers/view.h"
#include "server/wg/wglist.h"

struct node;

/* How long after its birth a device is waited for each second. */
#define POLL_WAIT_FOR_MS (15 * 60 * 1000)

struct poll_result {
	bool changed;  /* a state that people see */
	bool waiting;  /* a device or a pending key has never shaken hands */
	bool promoted; /* a pending key has: it is in replica->promoted now */
};

/* On the keeper's thread; takes the write lock. */
void poll_read(struct node *n, const struct view *view, const struct wg_list *running,
	       struct poll_result *ret);

#endif
