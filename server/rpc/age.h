/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that last too long are asked to leave; see age.c. On their loop. */
#ifndef QM_AGE_H
#define QM_AGE_H

#include <stdint.h>

struct conn;

/* A connection begins; does nothing when the server sets no age. */
void age_begin(struct conn *c);
/* Once a second, in place of the connection's own tick, which it calls; may free c. */
void age_tick(struct conn *c, uint64_t now_ms);

#endif
