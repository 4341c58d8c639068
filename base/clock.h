/* SPDX-License-Identifier: Apache-2.0 */
/* Time. The one seam for tests: clock_fake takes both clocks over. */
#ifndef QM_CLOCK_H
#define QM_CLOCK_H

#include <stdint.h>

#include "base/cleanup.h"

/* CLOCK_BOOTTIME in ms: never jumps, counts sleep, starts anew at boot. */
uint64_t clock_boot_ms(void);
/* Wall time in ms since 1970; may jump. */
int64_t clock_wall_ms(void);
/* Id of this boot, 36 characters; "" if the system has none. */
const char *clock_boot_id(void);
/* RFC 3339 in UTC with ms, "2026-11-22T10:00:00.123Z"; ret must hold 25. */
const char *clock_rfc3339(int64_t wall_ms, char *ret);
/* Tests only: both clocks answer these until called with on = 0. */
void clock_fake(int on, uint64_t boot_ms, int64_t wall_ms, const char *boot_id);

#endif
