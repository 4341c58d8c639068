/* SPDX-License-Identifier: Apache-2.0 */
/* Waits on the keeper, which alone hears what the Control Panel says. */
#include "server/node/firstlook.h"

#include <errno.h>

#include "server/node/keeper.h"
#include "server/node/node.h"

#define STATUS_WAIT_MS 300

static void tell(struct call *call)
{
	call_finish(call, ((int (*)(struct call *))call->user)(call));
}

static void on_status(void *arg, int result)
{
	struct call *call = arg;

	(void)result;
	/* The timer may have answered already: call_finish takes the first only. */
	if (!call_is_over(call))
		tell(call);
	call_unref(call);
}

/* Asks the keeper to run on_status now: answers are made there, one at a time. */
static void waited_long_enough(struct call *call, void *arg)
{
	struct node *n = call->owner;

	(void)arg;
	call_ref(call);
	if (keeper_on_dump(n->keeper, on_status, call)) {
		call_unref(call);
		call_finish(call, -ENOMEM);
	}
}

static bool must_wait(struct node *n)
{
	bool others = false;

	if (!keeper_interest(n->keeper))
		return false;
	pthread_rwlock_rdlock(&n->replica.lock);
	for (size_t i = 0; i < members_count(n->replica.list) && !others; i++) {
		const struct member *m = members_at(n->replica.list, i);

		others = m->kind == MEMBER_NODE && !uuid_equal(&m->id, &n->replica.self);
	}
	others = others && n->replica.cp_connected;
	pthread_rwlock_unlock(&n->replica.lock);
	return others;
}

int firstlook_answer(struct call *call, int (*fill)(struct call *call))
{
	struct node *n = call->owner;

	if (!must_wait(n))
		return fill(call);
	call->user = (void *)fill;
	if (keeper_on_status(n->keeper, on_status, call_ref(call))) {
		call_unref(call);
		return fill(call);
	}
	call_after(call, STATUS_WAIT_MS, waited_long_enough, NULL);
	return CALL_PARKED;
}
