/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which generated route a request means. The table is made once, of those
 * rows of gen/rpc/routes.h that this server answers, and only read afterwards:
 * any thread. Literals must be written as they are; a variable is one segment,
 * still percent-encoded, and holds no bare ':' (that starts a verb).
 */
#ifndef QM_ROUTER_H
#define QM_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/method.h"

#define ROUTER_MAX_VARS 4
#define ROUTER_ALLOW_MAX 64
/* Addresses below it are for nodes, and for people through them; the Control Panel has them. */
#define ROUTER_AGENTS "/cp/"

struct router;

/* Both parts are borrowed: the name from the pattern, the value from the path. */
struct router_var {
	const char *name, *value;
	size_t name_len, value_len;
};

struct router_match {
	const struct route *route;
	struct router_var vars[ROUTER_MAX_VARS];
	size_t n_vars;
	char allow[ROUTER_ALLOW_MAX]; /* "DELETE, GET, HEAD": of this path, when the verb is wrong
				       */
};

enum router_result { ROUTER_FOUND, ROUTER_NO_PATH, ROUTER_NO_VERB };

int router_new(const struct route *rows, size_t n_rows, struct router **ret) _must_check_;
void router_free(struct router *r);
CLEANUP_DEFINE(struct router, router_free);

/* "GET", "/api/mesh/state": the first row that fits; HEAD fits where GET does. */
enum router_result router_find(const struct router *r, const char *verb, const char *path,
			       struct router_match *ret);
/* One pattern against one path; for tests and router_find. */
bool router_match_pattern(const char *pattern, const char *path, struct router_match *ret);

#endif
