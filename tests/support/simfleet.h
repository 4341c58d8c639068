/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Control Panel and as many nodes as one wants in one process, under one
 * clock that moves when the test says so. Between two steps of a node the hub
 * is waited for, so that a run repeats itself.
 */
#ifndef QM_SIMFLEET_H
#define QM_SIMFLEET_H

#include "server/peers/members.h"
#include "tests/support/panel.h"
#include "tests/support/simnode.h"

enum { SIMFLEET_TENANTS = 128, SIMFLEET_DEVICES = 64 };

struct simtenant {
	char name[24], token[1024];
	struct uuid id;
	unsigned first, n_nodes; /* of the fleet's */
	char devices[SIMFLEET_DEVICES][UUID_TEXT_LEN + 1];
	unsigned n_devices;
	bool is_suspended; /* its one user, and with her all devices */
};

struct inproc_stream;

struct simfleet {
	struct panel panel;
	struct panel_answer *answer;
	struct simtenant tenants[SIMFLEET_TENANTS];
	unsigned n_tenants, n_nodes;
	struct simnode *nodes;
	uint64_t boot_ms;
	int64_t wall_ms;
	bool has_backup;
	/* Told after each step of a node; may be NULL. */
	void (*stepped)(struct simfleet *f, struct simnode *n);
	/* A node of no tenant that matters: when it hears its refresh the hub has done all before.
	 */
	struct inproc_stream *probe;
	struct uuid probe_tenant, probe_node;
	uint64_t probe_ms; /* its token was made then */
	uint64_t n_barriers, n_labels;
};

/* Tenants with so many nodes each, enrolled and not started again. Ends the program on failure. */
void simfleet_init(struct simfleet *f, unsigned n_tenants, unsigned nodes_each);
void simfleet_done(struct simfleet *f);

/* Until nothing is left to do, and so many ms of the clock. */
void simfleet_run(struct simfleet *f, uint64_t ms);
/* What the Control Panel was told before is published; no node has seen it yet. */
void simfleet_settle(struct simfleet *f);
/* Wall time alone jumps. */
void simfleet_jump(struct simfleet *f, int64_t ms);
struct simtenant *simfleet_tenant_of(struct simfleet *f, const struct simnode *n);

/* The Control Panel ends and starts anew, with a drain before a copy is made; a copy of its state
 * is made or put back between. */
enum simfleet_between { SIMFLEET_NOTHING, SIMFLEET_BACK_UP, SIMFLEET_RESTORE };
void simfleet_restart(struct simfleet *f, enum simfleet_between what);

/* People's calls. False: refused, as may be after a restore. */
bool simfleet_create(struct simfleet *f, struct simtenant *t, unsigned home);
bool simfleet_rename(struct simfleet *f, struct simtenant *t, unsigned device);
bool simfleet_rotate(struct simfleet *f, struct simtenant *t, unsigned device, bool immediate);
/* Many records in one change. */
bool simfleet_suspend(struct simfleet *f, struct simtenant *t, bool suspend);
bool simfleet_delete(struct simfleet *f, struct simtenant *t, unsigned device);

/* A node of the tenant whose interface has the next key of a device, and that device, as its list
 * has it; NULL: none. */
struct simnode *simfleet_rotating(const struct simfleet *f, const struct simtenant *t,
				  const struct member **ret_device);

#endif
