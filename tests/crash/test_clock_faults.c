/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall clock set back a day and forward a year under a running Control
 * Panel (docs/operations.md says what happens): calls go on, the window of
 * creations counts by the boot clock and is exact, sessions end by the clock
 * there is, and nothing is out of order when the clock is right again.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "gen/rpc/mesh_service.h"
#include "tests/support/world.h"

#define DAY_MS ((int64_t)86400000)

static char boot_id[64];
static unsigned n_passed, n_failed;

static void expect(bool good, const char *what)
{
	if (good) {
		n_passed++;
		return;
	}
	n_failed++;
	printf("FAIL %s\n", what);
}

static enum err create(struct world *w, const char *name)
{
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;
	char label[64];

	snprintf(label, sizeof(label), "%s %u", name, w->i++);
	in.label = label;
	in.node_id = w->node_id;
	if (world_try(w, &w->admin, &mesh_service_methods[METHOD_MESH_CREATE_DEVICE], &in))
		return ERR_INTERNAL;
	return w->answer->err;
}

/* How many of 101 are let through, with the clock that far off. */
static unsigned burst(struct world *w, uint64_t boot_ms, int64_t wall_ms)
{
	unsigned n = 0;

	clock_fake(1, boot_ms, wall_ms, boot_id);
	for (unsigned i = 0; i < 101; i++)
		n += create(w, "burst") == ERR_NONE;
	return n;
}

int main(void)
{
	static struct world w;
	const char *fault;
	uint64_t boot;
	int64_t wall;

	world_init(&w);
	snprintf(boot_id, sizeof(boot_id), "%s", clock_boot_id());
	boot = clock_boot_ms() + 5000;
	wall = clock_wall_ms();
	expect(burst(&w, boot, wall) == 100, "a hundred in a second, and no more");
	expect(burst(&w, boot + 10, wall - DAY_MS) == 0, "set back a day the window is not new");
	expect(burst(&w, boot + 20, wall + 365 * DAY_MS) == 0, "nor in a year that nobody waited");
	expect(w.answer->err == ERR_TOKEN_INVALID, "a session ends by the clock there is");
	clock_fake(1, boot + 30, wall - DAY_MS, boot_id);
	expect(create(&w, "back") == ERR_RATE_LIMITED, "set back the session is good again");
	expect(burst(&w, boot + 2000, wall - DAY_MS) == 100, "and the window passes by itself");
	clock_fake(1, boot + 4000, wall + 365 * DAY_MS, boot_id);
	world_login(&w, "ann", w.admin_token, sizeof(w.admin_token));
	expect(create(&w, "ahead") == ERR_NONE, "after a new sign-in all goes on");
	clock_fake(0, 0, 0, NULL);
	world_login(&w, "ann", w.admin_token, sizeof(w.admin_token));
	usleep(1100000);
	expect(create(&w, "right") == ERR_NONE, "and with the clock right again");
	fault = world_fault(&w);
	expect(!fault, fault ? fault : "");
	world_done(&w);
	printf("passed %u failed %u skipped 0\n", n_passed, n_failed);
	return n_failed != 0;
}
