/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long this node may still serve its devices without word from the Control
 * Panel. Runs by the boot clock, which setting the time does not move; what is
 * left is saved beside the wall time, and time that passed while nobody ran is
 * taken off at the next start. Values only: its owner has the lock.
 */
#ifndef QM_LEASE_H
#define QM_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

#define LEASE_SAVE_EVERY_MS 60000

struct lease {
	uint64_t length_ms; /* 0: for ever */
	uint64_t until_ms;  /* boot time */
	bool loaded;        /* from a file: its end counts, whatever the length */
};

/* As the tenant record has it. A shorter one takes effect at once, a longer one when renewed. */
void lease_set_length(struct lease *l, uint64_t length_ms);
/*
 * The Control Panel answered, from its store, what it was asked at asked_ms (boot time): an
 * answer that lay here while the machine slept is as old as its question.
 */
void lease_renew(struct lease *l, uint64_t asked_ms);
/* UINT64_MAX: for ever; 0: it is over. */
uint64_t lease_left_ms(const struct lease *l);
bool lease_is_over(const struct lease *l);

/* One small file, atomic. */
int lease_save(const struct lease *l, const char *state_dir) _must_check_;
/* At the start, before lease_set_length. -ENOENT: there is none yet; one that is damaged is over.
 */
int lease_load(struct lease *l, const char *state_dir) _must_check_;

#endif
