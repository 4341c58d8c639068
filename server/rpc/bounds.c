/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a message by protobuf-c's descriptor with the generated rules beside
 * it. UTF-8 and the bounds of enums hold for every field, rule or not.
 */
#include "server/rpc/bounds.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "base/text.h"
#include "gen/rpc/rules.h"

#define MAX_DEPTH 32

struct walk {
	struct bounds_error *error;
	const char *names[MAX_DEPTH]; /* fields on the way here */
	unsigned depth;
};

static int bad(struct walk *w, const char *fmt, ...) _printf_(2, 3);

static int bad(struct walk *w, const char *fmt, ...)
{
	va_list ap;

	size_t len = 0;

	for (unsigned i = 0; i < w->depth && len < sizeof(w->error->path); i++)
		len += (size_t)snprintf(w->error->path + len, sizeof(w->error->path) - len, "%s%s",
					i ? "." : "", w->names[i]);
	va_start(ap, fmt);
	vsnprintf(w->error->rule, sizeof(w->error->rule), fmt, ap);
	va_end(ap);
	return ERR_FIELD_INVALID;
}

static bool is_address(const char *s, uint8_t family)
{
	struct cidr c;

	return !strchr(s, '/') && cidr_parse(s, &c) == 0 && c.family == family;
}

static bool is_slug(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '-')
			return false;
	return n > 0 && n <= 63 && s[0] != '-' && s[n - 1] != '-';
}

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s <= 0x20 || *s >= 0x7f)
			return false;
	return true;
}

static bool is_timezone(const char *s)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("/_+-", *s))
			return false;
	return true;
}

static bool is_uuid(const char *s)
{
	struct uuid id;

	return uuid_parse(s, &id) == 0;
}

static bool is_ip4(const char *s)
{
	return is_address(s, CIDR_V4);
}

static bool is_ip6(const char *s)
{
	return is_address(s, CIDR_V6);
}

static bool is_hostport(const char *s)
{
	return hostport_check(s) == 0;
}

static int check_shape(struct walk *w, const char *shape, const char *s)
{
	static const struct {
		const char *name;
		bool (*fits)(const char *s);
		const char *rule;
	} shapes[] = {
		{"uuid", is_uuid, "must be a UUID"},
		{"ip4", is_ip4, "must be an IPv4 address"},
		{"ip6", is_ip6, "must be an IPv6 address"},
		{"hostport", is_hostport, "must be a host and a port, as vpn.example.com:51820"},
		{"slug", is_slug, "must be 1 to 63 of a-z, 0-9 and -, with no - at an end"},
		{"token", is_printable, "must be printable ASCII without blanks"},
		{"timezone", is_timezone, "must be the name of a time zone, as Europe/Berlin"},
	};

	if (!shape || !*s)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		if (strcmp(shape, shapes[i].name) == 0)
			return shapes[i].fits(s) ? 0 : bad(w, "%s", shapes[i].rule);
	return 0;
}

static int check_len(struct walk *w, const struct field_rule *rule, size_t len)
{
	if (rule->required && len == 0)
		return bad(w, "is required");
	if (len == 0 && rule->min_len)
		return bad(w, "must not be empty");
	if (len < rule->min_len)
		return bad(w, "is shorter than %" PRIu32 " bytes", rule->min_len);
	if (rule->max_len && len > rule->max_len)
		return bad(w, "is longer than %" PRIu32 " bytes", rule->max_len);
	return 0;
}

/* The shape before the length: "must be a UUID" says more than how long one is. */
static int check_string(struct walk *w, const struct field_rule *rule, const char *s)
{
	size_t len = strlen(s);
	int r;

	if (!text_utf8_ok(s, len))
		return bad(w, "is not UTF-8");
	r = check_shape(w, rule->shape, s);
	return r ? r : check_len(w, rule, len);
}

static int check_range(struct walk *w, const struct field_rule *rule, bool is_signed, uint64_t u)
{
	int64_t i = (int64_t)u;

	if (rule->required && u == 0)
		return bad(w, "is required");
	if (rule->min == 0 && rule->max == 0)
		return 0;
	if (is_signed ? i < rule->min || i > rule->max
		      : (rule->min > 0 && u < (uint64_t)rule->min) || u > (uint64_t)rule->max)
		return bad(w, "is not within %" PRId64 " and %" PRId64, rule->min, rule->max);
	return 0;
}

static int check_message(struct walk *w, const ProtobufCMessage *msg);

static int check_value(struct walk *w, const ProtobufCFieldDescriptor *f,
		       const struct field_rule *rule, const void *p)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return check_string(w, rule, *(char *const *)p ? *(char *const *)p : "");
	case PROTOBUF_C_TYPE_BYTES:
		return check_len(w, rule, ((const ProtobufCBinaryData *)p)->len);
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*(ProtobufCMessage *const *)p)
			return check_message(w, *(ProtobufCMessage *const *)p);
		return rule->required ? bad(w, "is required") : 0;
	case PROTOBUF_C_TYPE_ENUM:
		if (!protobuf_c_enum_descriptor_get_value(f->descriptor, *(const int *)p))
			return bad(w, "is not a known value");
		return check_range(w, rule, true, (uint64_t)(int64_t) * (const int *)p);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return check_range(w, rule, true, (uint64_t)(int64_t) * (const int32_t *)p);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return check_range(w, rule, true, *(const uint64_t *)p);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return check_range(w, rule, false, *(const uint32_t *)p);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return check_range(w, rule, false, *(const uint64_t *)p);
	default:
		return 0;
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	default:
		return 4;
	}
}

static int check_field(struct walk *w, const ProtobufCMessage *msg,
		       const ProtobufCFieldDescriptor *f, const struct field_rule *rule)
{
	const char *base = (const char *)msg;
	size_t n, size = size_of(f);
	const char *items;

	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
		    *(const uint32_t *)(base + f->quantifier_offset) != f->id)
			return rule->required ? bad(w, "is required") : 0;
		return check_value(w, f, rule, base + f->offset);
	}
	n = *(const size_t *)(base + f->quantifier_offset);
	items = *(const char *const *)(base + f->offset);
	if (rule->required && n == 0)
		return bad(w, "is required");
	if (rule->max_items && n > rule->max_items)
		return bad(w, "has more than %" PRIu32 " items", rule->max_items);
	for (size_t i = 0; i < n; i++) {
		int r = check_value(w, f, rule, items + i * size);

		if (r)
			return r;
	}
	return 0;
}

static int check_message(struct walk *w, const ProtobufCMessage *msg)
{
	static const struct field_rule none;
	const struct message_rules *rules = rules_find(msg->descriptor);

	if (w->depth == MAX_DEPTH)
		return bad(w, "is nested too deeply");
	w->depth++;
	for (unsigned i = 0; i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];

		w->names[w->depth - 1] = f->name;
		int r = check_field(w, msg, f, rules ? &rules->fields[i] : &none);

		if (r)
			return r;
	}
	w->depth--;
	return 0;
}

int bounds_check(const ProtobufCMessage *msg, struct bounds_error *ret)
{
	struct walk w = {.error = ret};

	return check_message(&w, msg);
}
