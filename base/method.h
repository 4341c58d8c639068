/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of the generated tables (gen/rpc): methods, their policy, REST
 * routes and field bounds. Types only; the rows come from proto/.
 */
#ifndef QM_METHOD_H
#define QM_METHOD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum method_kind { METHOD_UNARY, METHOD_SERVER_STREAM, METHOD_CLIENT_STREAM, METHOD_BIDI };

/* Numbers as in proto/quazzar/rpc/v1/policy.proto. */
enum audience { AUDIENCE_PUBLIC = 1, AUDIENCE_USER, AUDIENCE_AGENT, AUDIENCE_OPERATOR };
enum role { ROLE_MEMBER = 1, ROLE_AUDITOR, ROLE_ADMIN };
enum runs_on { RUNS_ON_NODE = 1, RUNS_ON_CP, RUNS_ON_FORWARD, RUNS_ON_BOTH };
enum lane { LANE_INLINE = 1, LANE_WORKER };
enum rate_window { RATE_WINDOW_NONE, RATE_WINDOW_PROVISION, RATE_WINDOW_LOGIN };
enum plan { PLAN_FREE = 1, PLAN_PRO, PLAN_TEAM, PLAN_ENTERPRISE };

#define ROLE_BIT(role) (1u << (role))

struct method_policy {
	enum audience audience;
	unsigned roles; /* ROLE_BITs; 0: every role */
	enum runs_on runs_on;
	enum rate_window rate;
	const char *feature; /* NULL: none */
	enum plan min_plan;  /* 0: all */
	const char *audit;   /* NULL: not audited */
	enum lane lane;
	uint32_t body_limit;  /* bytes, never 0 */
	uint32_t deadline_ms; /* 0: none */
	unsigned http_status; /* of success over REST, never 0 */
	bool idempotent;
	bool self_or_admin;
	bool no_side_effects;
	bool secret; /* its messages have secret fields */
};

struct service;

struct method {
	const char *path; /* "/quazzar.mesh.v1.MeshService/GetState" */
	const char *name; /* "GetState" */
	const struct service *service;
	unsigned index; /* in the service's handler table */
	enum method_kind kind;
	const ProtobufCMessageDescriptor *in;
	const ProtobufCMessageDescriptor *out;
	struct method_policy policy;
};

static inline bool method_caller_streams(const struct method *m)
{
	return m->kind == METHOD_CLIENT_STREAM || m->kind == METHOD_BIDI;
}

static inline bool method_answers_once(const struct method *m)
{
	return m->kind == METHOD_UNARY || m->kind == METHOD_CLIENT_STREAM;
}

struct service {
	const char *name; /* "quazzar.mesh.v1.MeshService" */
	const struct method *methods;
	size_t n_methods;
};

/* One REST binding. */
struct route {
	const char *verb;    /* "GET" */
	const char *pattern; /* "/api/mesh/devices/{id}:rotate" */
	const struct method *method;
	const char *body;          /* "*", a field, or NULL: no body */
	const char *response_body; /* a field, or NULL: the whole message */
};

/* Bounds of a field; all zero: none. Index as in the message's descriptor. */
struct field_rule {
	uint32_t min_len, max_len, max_items;
	int64_t min, max;  /* both 0: no range */
	const char *shape; /* NULL, "uuid", "ip4", "ip6", "hostport", "slug" */
	bool secret;
	bool required;
};

struct message_rules {
	const ProtobufCMessageDescriptor *desc;
	const struct field_rule *fields; /* desc->n_fields of them */
	bool has_secret;                 /* here or in a message inside */
};

#endif
