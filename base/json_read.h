/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a reading of JSON stands: the text, the path to the present value for
 * a refusal, the depth. It knows objects and arrays; what their values mean is
 * told by a callback. On one stack, any thread.
 */
#ifndef QM_JSON_READ_H
#define QM_JSON_READ_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/json.h"
#include "base/json_scan.h"

struct json_read {
	struct json_scan scan;
	struct json_error *error;
	const struct json_types *types;
	size_t path_len;
	unsigned depth;
};

/* Says what is wrong; ERR_FIELD_INVALID. */
int json_read_refuse(struct json_read *r, const char *rule);
/* What is next is not what was wanted: says so as precisely as it can. ERR_FIELD_INVALID. */
int json_read_unexpected(struct json_read *r, const char *wants);
/* A string of the scanner's; ERR_FIELD_INVALID with the rule told, -ENOMEM. */
int json_read_string(struct json_read *r, char **ret, size_t *ret_len) _must_check_;
/* The same, of the name of a member. */
int json_read_name(struct json_read *r, char **ret, size_t *ret_len) _must_check_;
/* Adds to the path; the length before it. */
size_t json_read_push(struct json_read *r, const char *fmt, ...) _printf_(2, 3);

/* At the value of a member; the path ends with its name. */
typedef int (*json_read_member_fn)(struct json_read *r, char *name, size_t len, void *arg);
/* The whole object. As keys of a map names stand in brackets in the path. */
int json_read_object(struct json_read *r, bool is_map, json_read_member_fn fn, void *arg)
	_must_check_;
/* At the value of an item; the path ends with its place. */
typedef int (*json_read_item_fn)(struct json_read *r, void *arg);
int json_read_array(struct json_read *r, json_read_item_fn fn, void *arg) _must_check_;

#endif
