/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims to and from JSON: one flat object of strings and whole numbers. The
 * reader sees only text whose signature was good; it is strict all the same.
 */
#include "server/peers/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 2048
#define VALUE_MAX 256

/* Names hold no control characters, so quotes and backslashes are all there is to escape. */
static void add_quoted(struct text *t, const char *s)
{
	text_adds(t, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			text_add(t, "\\", 1);
		text_add(t, s, 1);
	}
	text_adds(t, "\"");
}

static void add_id(struct text *t, const char *name, const struct uuid *id)
{
	char id_text[UUID_TEXT_LEN + 1];

	text_addf(t, "\"%s\":\"%s\",", name, uuid_text(id, id_text));
}

static void add_common(struct text *t, const struct claims *c)
{
	text_adds(t, "{\"aud\":");
	add_quoted(t, c->aud);
	text_adds(t, ",");
	add_id(t, "tid", &c->tenant_id);
	text_addf(t, "\"iat\":%lld,\"exp\":%lld", (long long)c->issued_at_s,
		  (long long)c->expires_at_s);
}

char *claims_session_text(const struct claims *c)
{
	struct text t = TEXT_INIT(TEXT_MAX);

	add_common(&t, c);
	text_adds(&t, ",");
	add_id(&t, "sub", &c->user_id);
	add_id(&t, "sid", &c->session_id);
	text_addf(&t, "\"role\":%d,\"name\":", (int)c->role);
	add_quoted(&t, c->name);
	text_adds(&t, "}");
	return text_take(&t);
}

char *claims_agent_text(const struct claims *c)
{
	struct text t = TEXT_INIT(TEXT_MAX);

	add_common(&t, c);
	text_adds(&t, ",");
	add_id(&t, "nid", &c->node_id);
	text_adds(&t, "\"name\":");
	add_quoted(&t, c->name);
	text_adds(&t, "}");
	return text_take(&t);
}

/* A string at *at into ret (VALUE_MAX); moves behind it. */
static int read_string(const char **at, char *ret)
{
	const char *p = *at;
	size_t n = 0;

	if (*p++ != '"')
		return -EBADMSG;
	for (; *p != '"'; p++) {
		if (*p == '\\' && *++p != '"' && *p != '\\')
			return -EBADMSG;
		if ((unsigned char)*p < 0x20 || n + 1 >= VALUE_MAX)
			return -EBADMSG;
		ret[n++] = *p;
	}
	ret[n] = '\0';
	*at = p + 1;
	return 0;
}

static int read_number(const char **at, char *ret)
{
	size_t n = strspn(*at, "0123456789");

	if (n == 0 || n > 18)
		return -EBADMSG;
	memcpy(ret, *at, n);
	ret[n] = '\0';
	*at += n;
	return 0;
}

static int set_text(char *to, size_t size, const char *value)
{
	if (strlen(value) >= size)
		return -EBADMSG;
	strcpy(to, value);
	return 0;
}

static int set_claim(struct claims *c, const char *name, const char *value)
{
	if (strcmp(name, "aud") == 0)
		return set_text(c->aud, sizeof(c->aud), value);
	if (strcmp(name, "name") == 0)
		return set_text(c->name, sizeof(c->name), value);
	if (strcmp(name, "tid") == 0)
		return uuid_parse(value, &c->tenant_id);
	if (strcmp(name, "sub") == 0)
		return uuid_parse(value, &c->user_id);
	if (strcmp(name, "sid") == 0)
		return uuid_parse(value, &c->session_id);
	if (strcmp(name, "nid") == 0)
		return uuid_parse(value, &c->node_id);
	if (strcmp(name, "iat") == 0)
		c->issued_at_s = atoll(value);
	else if (strcmp(name, "exp") == 0)
		c->expires_at_s = atoll(value);
	else if (strcmp(name, "role") == 0)
		c->role = (enum role)atoi(value);
	return 0;
}

int claims_parse(const char *json, struct claims *ret_claims)
{
	struct claims c = {0};
	char name[VALUE_MAX], value[VALUE_MAX];
	const char *p = json;

	if (*p != '{')
		return -EBADMSG;
	do {
		p++;
		if (read_string(&p, name) || *p++ != ':')
			return -EBADMSG;
		if (*p == '"' ? read_string(&p, value) : read_number(&p, value))
			return -EBADMSG;
		if (set_claim(&c, name, value))
			return -EBADMSG;
	} while (*p == ',');
	if (strcmp(p, "}") != 0)
		return -EBADMSG;
	*ret_claims = c;
	return 0;
}

const char *claims_aud_node(const struct uuid *node_id, char *ret)
{
	char id_text[UUID_TEXT_LEN + 1];

	snprintf(ret, 64, CLAIMS_AUD_NODE_PREFIX "%s", uuid_text(node_id, id_text));
	return ret;
}

bool claims_is_service(const char *token)
{
	return strncmp(token, CLAIMS_SERVICE_PREFIX, strlen(CLAIMS_SERVICE_PREFIX)) == 0;
}
