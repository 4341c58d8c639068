/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is a line: "qmesh-lease/1", ms left, wall time and boot time in ms,
 * boot id. In the same boot the boot clock tells how long nobody ran; after
 * another one only the wall clock can, and only forward.
 */
#include "server/node/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/node/statefile.h"

#define FILE_NAME "lease"
#define FILE_MAX 256

void lease_set_length(struct lease *l, uint64_t length_ms)
{
	uint64_t now = clock_boot_ms();

	if (length_ms && !l->length_ms && !l->loaded)
		l->until_ms = now + length_ms;
	else if (length_ms && l->until_ms > now + length_ms)
		l->until_ms = now + length_ms;
	l->length_ms = length_ms;
	/* Switched off and on again it begins anew: that was heard from the Control Panel. */
	l->loaded = l->loaded && length_ms;
}

void lease_renew(struct lease *l, uint64_t asked_ms)
{
	l->until_ms = asked_ms + l->length_ms;
}

uint64_t lease_left_ms(const struct lease *l)
{
	uint64_t now = clock_boot_ms();

	if (!l->length_ms)
		return UINT64_MAX;
	return l->until_ms > now ? l->until_ms - now : 0;
}

bool lease_is_over(const struct lease *l)
{
	return lease_left_ms(l) == 0;
}

int lease_save(const struct lease *l, const char *state_dir)
{
	char line[FILE_MAX];
	int len;

	len = snprintf(line, sizeof(line), "qmesh-lease/1 %" PRIu64 " %" PRId64 " %" PRIu64 " %s\n",
		       lease_left_ms(l), clock_wall_ms(), clock_boot_ms(), clock_boot_id());
	return statefile_write(state_dir, FILE_NAME, line, (size_t)len);
}

static uint64_t time_off(uint64_t boot_ms, int64_t wall_ms, const char *boot_id)
{
	uint64_t boot_now = clock_boot_ms();
	int64_t wall_now = clock_wall_ms();

	if (*boot_id && strcmp(boot_id, clock_boot_id()) == 0)
		return boot_now > boot_ms ? boot_now - boot_ms : 0;
	return wall_now > wall_ms ? (uint64_t)(wall_now - wall_ms) : 0;
}

int lease_load(struct lease *l, const char *state_dir)
{
	uint64_t left = 0, boot_ms = 0, off;
	_cleanup_(freep) uint8_t *bytes = NULL;
	char boot_id[64] = "";
	int64_t wall_ms = 0;
	size_t len;
	int r;

	r = statefile_read(state_dir, FILE_NAME, FILE_MAX, &bytes, &len);
	if (r == -ENOENT || r == -EPERM)
		return r;
	l->loaded = true;
	l->until_ms = 0;
	if (r ||
	    sscanf((const char *)bytes, "qmesh-lease/1 %" SCNu64 " %" SCNd64 " %" SCNu64 " %63s",
		   &left, &wall_ms, &boot_ms, boot_id) < 3) {
		log_error("node", "the file of the lease is damaged: it counts as over");
		return 0;
	}
	/* It ran for ever when it was saved: it begins when it is given a length. */
	if (left == UINT64_MAX) {
		l->loaded = false;
		return 0;
	}
	off = time_off(boot_ms, wall_ms, boot_id);
	if (left > off)
		l->until_ms = clock_boot_ms() + (left - off);
	return 0;
}
