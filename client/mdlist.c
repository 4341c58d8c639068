/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata lists and their form on the wire; see mdlist.h. */
#include "client/mdlist.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

#define ENTRY_OVERHEAD 32

static bool is_bin(const char *name, size_t len)
{
	return len > 4 && memcmp(name + len - 4, "-bin", 4) == 0;
}

static int grow(struct mdlist *l)
{
	size_t cap = l->cap ? l->cap * 2 : 8;
	struct qm_md *v;

	if (l->n < l->cap)
		return 0;
	v = reallocarray(l->v, cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->v = v;
	l->cap = cap;
	return 0;
}

int mdlist_add(struct mdlist *l, const char *name, size_t name_len, const char *value,
	       size_t value_len)
{
	char *both;

	if (grow(l) < 0)
		return -ENOMEM;
	both = malloc(name_len + value_len + 2);
	if (!both)
		return -ENOMEM;
	memcpy(both, name, name_len);
	both[name_len] = '\0';
	if (value_len > 0)
		memcpy(both + name_len + 1, value, value_len);
	both[name_len + 1 + value_len] = '\0';
	l->v[l->n++] = (struct qm_md){both, both + name_len + 1, value_len};
	l->bytes += name_len + value_len + ENTRY_OVERHEAD;
	return 0;
}

static int add_base64(struct mdlist *l, const char *name, size_t name_len, const char *value,
		      size_t value_len)
{
	_cleanup_(freep) uint8_t *raw = NULL;
	size_t len = 0;
	int r;

	raw = malloc(value_len + 1);
	if (!raw)
		return -ENOMEM;
	r = value_len ? text_unbase64(value, value_len, raw, value_len, &len) : 0;
	if (r < 0)
		return -EBADMSG;
	r = mdlist_add(l, name, name_len, (const char *)raw, len);
	explicit_bzero(raw, len);
	return r;
}

int mdlist_add_wire(struct mdlist *l, const char *name, size_t name_len, const char *value,
		    size_t value_len)
{
	const char *end = value + value_len;
	int r;

	if (!is_bin(name, name_len))
		return mdlist_add(l, name, name_len, value, value_len);
	for (;;) {
		const char *comma = memchr(value, ',', (size_t)(end - value));
		const char *stop = comma ? comma : end;

		while (value < stop && *value == ' ')
			value++;
		while (stop > value && stop[-1] == ' ')
			stop--;
		r = add_base64(l, name, name_len, value, (size_t)(stop - value));
		if (r < 0 || !comma)
			return r;
		value = comma + 1;
	}
}

static bool name_allowed(const char *name, size_t len)
{
	static const char *const taken[] = {"te",   "content-type",      "user-agent", "connection",
					    "host", "transfer-encoding", "upgrade"};

	if (len == 0 || len > 256 || strncmp(name, "grpc-", 5) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static bool value_allowed(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (value[i] < 0x20 || value[i] > 0x7e)
			return false;
	return len == 0 || (value[0] != ' ' && value[len - 1] != ' ');
}

int mdlist_add_own(struct mdlist *l, const struct qm_md *md)
{
	size_t name_len = md->name ? strlen(md->name) : 0;
	_cleanup_(freep) char *text = NULL;
	size_t len;
	int r;

	if (!md->name || !name_allowed(md->name, name_len) || (md->value_len > 0 && !md->value))
		return -EINVAL;
	if (!is_bin(md->name, name_len)) {
		if (!value_allowed(md->value, md->value_len))
			return -EINVAL;
		return mdlist_add(l, md->name, name_len, md->value, md->value_len);
	}
	text = malloc(TEXT_BASE64_LEN(md->value_len) + 1);
	if (!text)
		return -ENOMEM;
	text_base64(md->value, md->value_len, text);
	len = strlen(text);
	/* Padding is not sent: gRPC's rule for binary metadata. */
	while (len > 0 && text[len - 1] == '=')
		len--;
	r = mdlist_add(l, md->name, name_len, text, len);
	explicit_bzero(text, len);
	return r;
}

void mdlist_done(struct mdlist *l)
{
	for (size_t i = 0; i < l->n; i++) {
		explicit_bzero((char *)l->v[i].value, l->v[i].value_len);
		free((char *)l->v[i].name);
	}
	free(l->v);
	*l = (struct mdlist){0};
}
