/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases kept as files of bytes, to be sent again: a case follows from its seeds,
 * and those have tokens that die with the daemons of the run.
 */
#ifndef QM_KEEPSAKE_H
#define QM_KEEPSAKE_H

#include "tests/attack/mutate/strike.h"

/* DIR/SEED-NUMBER.h1 or .h2; dir NULL: nothing. */
void keepsake_save(const char *dir, const struct strike *s, uint64_t seed);
/* One that has ended; the last of them are remembered. */
void keepsake_note(const struct strike *s, uint64_t now_ms);
/* Those that were noted within the last second before the last of them. */
void keepsake_save_noted(const char *dir, uint64_t seed);
/* A case of that file's bytes. -errno, told. */
int keepsake_load(const char *path, struct strike *s);
void keepsake_done(void);

#endif
