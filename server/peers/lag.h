/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a node is up to date, and if not why: the states, and the same plain
 * words for them at the Control Panel and at every node.
 */
#ifndef QM_LAG_H
#define QM_LAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* As NodeState of the contract. */
enum lag_state {
	LAG_UNKNOWN,
	LAG_CURRENT,
	LAG_OFFLINE, /* its agent stream is closed */
	LAG_JOINING, /* connected, has not reported yet */
	LAG_BEHIND,  /* reports an older generation */
	LAG_SILENT,  /* behind, and has said nothing for longer than a heartbeat */
	LAG_DIFFERS, /* its list, or its interface, is not what that generation makes of it */
	LAG_REFUSED, /* has it all, but its interface refused peers */
	LAG_N_STATES,
};

/* Heartbeats come every 15 s; a node that is later than this is silent. */
#define LAG_SILENT_MS 20000
/* Behind for so long only is on the way, and nothing to tell people of. */
#define LAG_WORTH_TELLING_MS 1000
/* Nodes named in one state or event; how many there are is told beside them. */
#define LAG_MAX_NAMED 16
#define LAG_WORDS_MAX 300

/* What of a node is not as it should be. */
enum lag_differs { LAG_FITS, LAG_LIST, LAG_INTERFACE };

struct lag {
	struct uuid node_id;
	enum lag_state state;
	int64_t since_ms;         /* wall time; 0: longer than it is remembered */
	uint64_t generation;      /* what it has */
	enum lag_differs differs; /* DIFFERS: what */
	uint32_t silent_s;        /* SILENT: since its last report */
	uint32_t failed;          /* REFUSED: so many, the first of them: */
	struct uuid failed_id;
	uint32_t failed_errno;
};

/* Lower case, one word: for metrics and JSON keys. */
const char *lag_name(enum lag_state state);
/* Worth a line of its own; on the way is not. */
bool lag_is_told(const struct lag *lag, int64_t now_ms);
/* Why, as one sentence without a full stop; "" when current. failed: the name of failed_id. */
char *lag_words(const struct lag *lag, const char *failed, char ret[LAG_WORDS_MAX]);

#endif
