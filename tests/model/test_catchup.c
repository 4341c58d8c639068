/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes that read again after they did not, and one among them for which the
 * Control Panel cannot make what it lacks: the others have the list all the
 * same, and the one has it once it can be made.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/log.h"
#include "server/cp/publish.h"
#include "tests/support/simfleet.h"

enum {
	NODES = 3,
	HOME = 1 /* has an endpoint */,
	BURST = LIMIT_EVENT_QUEUE + 60,
	STEP_MS = 100,
	STEPS = 20
};

static struct simfleet fleet;
static struct uuid sick; /* for this node no keys can be told; nil: for all they can */
static unsigned n_failed;

struct frame *__wrap_publish_keys_frame(struct cp *cp, const struct uuid *node);
struct frame *__real_publish_keys_frame(struct cp *cp, const struct uuid *node);

struct frame *__wrap_publish_keys_frame(struct cp *cp, const struct uuid *node)
{
	return uuid_equal(node, &sick) ? NULL : __real_publish_keys_frame(cp, node);
}

static void check(bool is_so, unsigned of, const char *what)
{
	n_failed += !is_so;
	printf("%s %u: %s\n", is_so ? "ok" : "NOT OK", of, what);
}

static uint64_t generation(unsigned i)
{
	return fleet.nodes[i].node.replica.head.generation;
}

/* Until that node has the generation; a stream that falls silent would be noticed later. */
static bool reaches(unsigned i, uint64_t wanted)
{
	for (unsigned step = 0; step < STEPS && generation(i) < wanted; step++)
		simfleet_run(&fleet, STEP_MS);
	return generation(i) >= wanted;
}

/* How many changes it took. */
static unsigned fall_behind(void)
{
	unsigned n_changes = 0;

	for (unsigned i = 0; i < NODES; i++)
		fleet.nodes[i].is_slow = true;
	for (unsigned i = 0; i < BURST; i++) {
		n_changes += simfleet_rename(&fleet, &fleet.tenants[0], 0);
		simfleet_settle(&fleet);
	}
	return n_changes;
}

static void one_is_sick(unsigned of)
{
	unsigned hellos[NODES];
	uint64_t newest;

	newest = generation(of) + fall_behind();
	sick = fleet.nodes[of].node.identity.node_id;
	for (unsigned i = 0; i < NODES; i++) {
		hellos[i] = fleet.nodes[i].n_hellos;
		fleet.nodes[i].is_slow = false;
	}
	for (unsigned i = 0; i < NODES; i++)
		if (i != of)
			check(reaches(i, newest), of, "another one is caught up");
	check(generation(of) < newest, of, "it is not");
	sick = (struct uuid){{0}};
	check(reaches(of, newest), of, "it is, once that can be made");
	for (unsigned i = 0; i < NODES; i++)
		check(fleet.nodes[i].n_hellos == hellos[i], of, "nobody had to come anew");
}

int main(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	simfleet_init(&fleet, 1, NODES);
	if (!simfleet_create(&fleet, &fleet.tenants[0], HOME))
		return 1;
	simfleet_run(&fleet, STEP_MS);
	for (unsigned of = 0; of < NODES; of++)
		one_is_sick(of);
	simfleet_done(&fleet);
	printf("passed %d failed %u skipped 0\n", !n_failed, n_failed);
	return n_failed > 0;
}
