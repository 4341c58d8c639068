/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which methods a server has and who answers them. Rows come from gen/rpc,
 * handlers from the daemon: service_add(srv, &mesh_service_desc,
 * mesh_service_handlers(&table), owner). A NULL handler is UNIMPLEMENTED, or,
 * on a node, FORWARD rows go to the forwarder.
 */
#ifndef QM_SERVICE_H
#define QM_SERVICE_H

#include "base/json.h"
#include "base/method.h"
#include "server/rpc/call.h"

struct services;

/* The only untyped step: handlers are arrays of these behind generated structs. */
typedef int (*handler_fn)(struct call *call, const void *in, void *out);

/* What the daemon knows and the transport does not. Every hook may be NULL. */
struct service_hooks {
	/*
	 * Fills call->caller from the credentials (authorization, cookie, x-qmesh-user,
	 * Unix peer). 0, ERR_TOKEN_INVALID, ...; no credentials: stays PUBLIC, 0.
	 * Runs on the method's lane.
	 */
	int (*authenticate)(struct call *call, void *owner);
	/* Is the method's feature on and the plan high enough? 0 or ERR_PLAN_LACKS_FEATURE. */
	int (*licence)(struct call *call, void *owner);
	/*
	 * May this caller ask again already? 0 or ERR_RATE_LIMITED. Before the request is decoded:
	 * who asks too often costs no more than that.
	 */
	int (*admit)(struct call *call, void *owner);
	/* A refusal before the handler ran, or any result of an audited method: for counters and
	 * audit. */
	void (*finished)(struct call *call, int r, void *owner);
	/* Node: answers FORWARD rows. */
	int (*forward)(struct call *call, void *owner);
	void *owner;
	/* What an Any may hold in JSON; NULL: the details of errors. */
	const struct json_types *types;
};

struct services *services_new(const struct service_hooks *hooks);
void services_free(struct services *s);
int service_add(struct services *s, const struct service *desc, const void *handlers, void *owner)
	_must_check_;
/* NULL if unknown. ret_fn is NULL for an unbound row. */
const struct method *service_find(const struct services *s, const char *path, size_t len,
				  handler_fn *ret_fn, void **ret_owner);
/* The nth that was added; NULL behind the last. */
const struct service *service_at(const struct services *s, size_t nth);
const struct service_hooks *service_hooks(const struct services *s);
const struct json_types *service_types(const struct services *s);

#endif
