/* SPDX-License-Identifier: Apache-2.0 */
/* The prefix of the name tells whether the line needs Secure. */
#include "gateway/cookie.h"

#include <stdio.h>
#include <string.h>

#define PREFIX_TLS "__Host-qmesh-"
#define PREFIX_CLEAR "qmesh-"

/* The digits after the last ':' that is not inside brackets. */
static unsigned port_of(const struct exchange *x)
{
	const char *colon = strrchr(x->authority, ':');
	const char *bracket = strrchr(x->authority, ']');
	unsigned port = 0;

	if (!colon || !colon[1] || (bracket && bracket > colon))
		return x->tls ? 443 : 80;
	for (const char *p = colon + 1; *p; p++) {
		if (*p < '0' || *p > '9' || port > 65535)
			return 0;
		port = port * 10 + (unsigned)(*p - '0');
	}
	return port <= 65535 ? port : 0;
}

void cookie_name(const struct exchange *x, char ret[COOKIE_NAME_MAX])
{
	unsigned port = port_of(x);

	ret[0] = '\0';
	if (x->peer.ss_family != AF_UNIX && port)
		snprintf(ret, COOKIE_NAME_MAX, "%s%u", x->tls ? PREFIX_TLS : PREFIX_CLEAR, port);
}

/* "a=1; name=value": the value and its length, or NULL. */
static const char *find_in(const char *line, const char *name, size_t *ret_len)
{
	size_t name_len = strlen(name);

	while (*line) {
		size_t len;

		line += strspn(line, " \t;");
		len = strcspn(line, ";");
		if (len > name_len && line[name_len] == '=' && memcmp(line, name, name_len) == 0) {
			*ret_len = len - name_len - 1;
			return line + name_len + 1;
		}
		line += len;
	}
	return NULL;
}

const char *cookie_find(const struct exchange *x, const char *name, struct arena *arena)
{
	const char *found = NULL;
	size_t found_len = 0;

	if (!*name)
		return NULL;
	for (size_t i = 0; i < x->n_headers; i++) {
		const char *line = x->headers[i].value;
		const char *value;
		size_t len = 0;

		if (strcmp(x->headers[i].name, "cookie") != 0)
			continue;
		while ((value = find_in(line, name, &len))) {
			if (found && (len != found_len || memcmp(found, value, len) != 0))
				return NULL;
			found = value;
			found_len = len;
			line = value + len;
		}
	}
	return found && found_len ? arena_strndup(arena, found, found_len) : NULL;
}

char *cookie_line(const char *name, const char *value, int64_t max_age_s, struct arena *arena)
{
	bool secure = strncmp(name, PREFIX_TLS, sizeof(PREFIX_TLS) - 1) == 0;

	return arena_printf(arena, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", name,
			    max_age_s > 0 ? value : "", (long long)(max_age_s > 0 ? max_age_s : 0),
			    secure ? "; Secure" : "");
}
