/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/licence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "quazzar/mesh/v1/licence.pb-c.h"
#include "server/rpc/bounds.h"

enum { DAY_MS = 86400000, BUDGET = 65536 };

int licence_fail(struct licence_fault *ret, const char *word, const char *fmt, ...)
{
	va_list ap;

	ret->word = word;
	va_start(ap, fmt);
	vsnprintf(ret->words, sizeof(ret->words), fmt, ap);
	va_end(ap);
	return ERR_LICENCE_INVALID;
}

static int bad_form(struct licence_fault *ret, const char *what)
{
	return licence_fail(ret, "format", "This is no licence: %s.", what);
}

/* The one line that is neither empty nor a comment, without blanks around it. */
static int find_token(const char *text, char ret[LICENCE_MAX_LEN + 1],
		      struct licence_fault *ret_fault)
{
	bool found = false;

	if (strnlen(text, LICENCE_MAX_LEN + 1) > LICENCE_MAX_LEN)
		return bad_form(ret_fault, "it is too long");
	while (*text) {
		const char *line = text, *end = text + strcspn(text, "\n");

		text = *end ? end + 1 : end;
		while (line < end && strchr(" \t", *line))
			line++;
		while (end > line && strchr(" \t\r", end[-1]))
			end--;
		if (line == end || *line == '#')
			continue;
		if (found)
			return bad_form(ret_fault, "it has more than one line beside comments");
		memcpy(ret, line, (size_t)(end - line));
		ret[end - line] = '\0';
		found = true;
	}
	return found ? 0 : bad_form(ret_fault, "there is nothing in it");
}

/*
 * The header must be, letter for letter, the one that a key of the list writes:
 * no field of it is believed.
 */
static int open_token(const char *token, const struct vendorkeys *keys, struct licence *l,
		      char **ret_claims, struct licence_fault *ret_fault)
{
	const char *dot = strchr(token, '.');
	int r;

	if (!dot || !strchr(dot + 1, '.'))
		return bad_form(ret_fault, "it is not three parts with dots between");
	for (size_t i = 0; i < keys->n; i++) {
		if (!jwt_header_is(token, LICENCE_TYP, keys->keys[i].id))
			continue;
		l->key = keys->keys[i];
		r = jwt_open(token, keys->keys[i].public_key, ret_claims);
		return r == -EBADMSG ? licence_fail(ret_fault, "signature",
						    "The licence was changed after %s signed it, "
						    "or was not signed by them.",
						    l->key.name)
				     : r;
	}
	return licence_fail(ret_fault, "unknown-key",
			    "No vendor key that is known here signed this licence (%zu known).",
			    keys->n);
}

/* A claim that is not of its type or not in its bounds. */
static int bad_claim(const char *path, const char *rule, struct licence_fault *ret_fault)
{
	char what[300];

	if (!strcmp(path, "plan"))
		return licence_fail(ret_fault, "unknown-plan",
				    "The licence names a plan that this program does not have.");
	snprintf(what, sizeof(what), "%.100s %.150s", path, rule);
	return bad_form(ret_fault, what);
}

static int64_t ms_of(const Google__Protobuf__Timestamp *t)
{
	/* Up to the year 9999: what follows is multiplied. */
	if (!t || t->seconds < 0 || t->seconds > INT64_C(253402300799))
		return 0;
	return t->seconds * 1000 + t->nanos / 1000000;
}

static int take_features(const Pb__Licence *pb, struct licence *l, struct licence_fault *ret_fault)
{
	for (size_t i = 0; i < pb->n_features; i++) {
		if (!plans_from(pb->features[i]))
			return licence_fail(ret_fault, "unknown-feature",
					    "The licence names the feature %s, which this program "
					    "does not have.",
					    pb->features[i]);
		if (i)
			strcat(l->features, " ");
		strcat(l->features, pb->features[i]);
	}
	return 0;
}

static int take_tenants(const Pb__Licence *pb, struct licence *l, struct licence_fault *ret_fault)
{
	if (!*pb->control_panel && !pb->n_tenants)
		return bad_form(ret_fault, "it names neither a Control Panel nor tenants");
	if (*pb->control_panel && uuid_parse(pb->control_panel, &l->panel))
		return bad_form(ret_fault, "control_panel is no UUID");
	for (size_t i = 0; i < pb->n_tenants; i++) {
		if (uuid_parse(pb->tenants[i], &l->tenants[i]))
			return bad_form(ret_fault, "a tenant is no UUID");
	}
	l->n_tenants = pb->n_tenants;
	return 0;
}

static int take_claims(const Pb__Licence *pb, struct licence *l, struct licence_fault *ret_fault)
{
	if (pb->plan < PB__PLAN__PLAN_FREE || pb->plan > PB__PLAN__PLAN_ENTERPRISE)
		return bad_claim("plan", "", ret_fault);
	l->serial = pb->serial;
	snprintf(l->licensee, sizeof(l->licensee), "%s", pb->licensee);
	l->plan = (int)pb->plan;
	l->device_cap = pb->device_cap;
	l->not_before_ms = ms_of(pb->not_before);
	l->expires_ms = ms_of(pb->expires_at);
	l->grace_days = pb->grace_days;
	if (l->expires_ms && l->not_before_ms >= l->expires_ms)
		return bad_form(ret_fault, "it expires before it begins");
	return 0;
}

static int read_claims(const char *claims, struct licence *l, struct licence_fault *ret_fault)
{
	_cleanup_(arena_done) struct arena arena;
	struct bounds_error bound;
	struct json_error error;
	ProtobufCMessage *msg;
	int r;

	arena_init(&arena, BUDGET);
	r = json_decode(claims, strlen(claims), &pb__licence__descriptor, &arena, &msg, &error);
	if (r == ERR_FIELD_INVALID)
		return bad_claim(error.path, error.rule, ret_fault);
	if (r)
		return r;
	if (bounds_check(msg, &bound))
		return bad_claim(bound.path, bound.rule, ret_fault);
	r = take_claims((const Pb__Licence *)msg, l, ret_fault);
	if (!r)
		r = take_tenants((const Pb__Licence *)msg, l, ret_fault);
	return r ? r : take_features((const Pb__Licence *)msg, l, ret_fault);
}

int licence_read(const char *text, const struct vendorkeys *keys, struct licence *ret,
		 struct licence_fault *ret_fault)
{
	_cleanup_(freep) char *claims = NULL;
	char token[LICENCE_MAX_LEN + 1];
	struct licence l = {0};
	int r;

	r = find_token(text, token, ret_fault);
	if (!r)
		r = open_token(token, keys, &l, &claims, ret_fault);
	if (!r)
		r = read_claims(claims, &l, ret_fault);
	if (r)
		return r;
	hash_bytes(NULL, 0, token, strlen(token), l.hash);
	*ret = l;
	return 0;
}

int licence_check(const struct licence *l, const struct uuid *panel, int64_t now_ms,
		  struct licence_fault *ret_fault)
{
	char date[25];

	if (!uuid_is_nil(&l->panel) && !uuid_equal(&l->panel, panel))
		return licence_fail(ret_fault, "wrong-control-panel",
				    "The licence is for another Control Panel: qmesh license show "
				    "has the id of this one, the vendor needs it.");
	if (now_ms < l->not_before_ms)
		return licence_fail(ret_fault, "not-yet-valid", "The licence begins on %s.",
				    clock_rfc3339(l->not_before_ms, date));
	if (l->expires_ms && now_ms >= l->expires_ms)
		return licence_fail(ret_fault, "expired", "The licence expired on %s.",
				    clock_rfc3339(l->expires_ms, date));
	return 0;
}

int64_t licence_grace_ms(const struct licence *l)
{
	return l->expires_ms ? l->expires_ms + (int64_t)l->grace_days * DAY_MS : 0;
}

enum plans_licence licence_state(const struct licence *l, int64_t now_ms)
{
	if (!l->expires_ms || now_ms < l->expires_ms)
		return PLANS_LICENCE_VALID;
	return now_ms < licence_grace_ms(l) ? PLANS_LICENCE_GRACE : PLANS_LICENCE_EXPIRED;
}

bool licence_covers(const struct licence *l, const struct uuid *tenant)
{
	for (size_t i = 0; i < l->n_tenants; i++) {
		if (uuid_equal(&l->tenants[i], tenant))
			return true;
	}
	return !l->n_tenants;
}

static void cover(const struct licence *l, int64_t now_ms, struct tenant_row *t)
{
	if (t->licence_serial != l->serial) {
		t->licence_serial = l->serial;
		t->trial_plan = 0;
	}
	t->licence_state = (int)licence_state(l, now_ms);
	t->licensed_plan = l->plan;
	t->licence_expires_ms = l->expires_ms;
	t->licence_grace_ms = licence_grace_ms(l);
}

static void cover_not(struct tenant_row *t)
{
	t->licence_serial = 0;
	t->licence_state = PLANS_LICENCE_NONE;
	t->licensed_plan = 0;
	t->licence_expires_ms = t->licence_grace_ms = 0;
}

void licence_apply(const struct licence *l, const struct plan_caps *caps, int64_t now_ms,
		   struct tenant_row *t)
{
	if (l && licence_covers(l, &t->id))
		cover(l, now_ms, t);
	else
		cover_not(t);
	t->features[0] = '\0';
	if (t->trial_plan) {
		t->plan = t->trial_plan;
		t->plan_source = PLANS_OPERATOR;
	} else if (t->licence_state == PLANS_LICENCE_VALID ||
		   t->licence_state == PLANS_LICENCE_GRACE) {
		t->plan = l->plan;
		t->plan_source = PLANS_LICENCE;
		strcpy(t->features, l->features);
	} else {
		t->plan = PLAN_FREE;
		t->plan_source = PLANS_NOBODY;
	}
	t->cap = plan_cap(caps, t->plan);
	if (t->plan_source == PLANS_LICENCE && l->device_cap)
		t->cap = l->device_cap;
}
