/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets in text. Strict on purpose: a target that is read in two ways is a
 * call that goes to the wrong place, and clear text to another machine would
 * show every token on the way.
 */
#include "client/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/un.h>

#include "base/text.h"

static bool host_is_loopback(const char *host)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcmp(host, "localhost") == 0;
}

static bool host_is_name(const char *host)
{
	size_t len = strlen(host);

	if (len == 0 || len > 253 || host[0] == '-' || host[0] == '.')
		return false;
	return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
	       len;
}

/* Cuts "host", "host:port", "[v6]" or "[v6]:port" into t. */
static int parse_host(const char *s, size_t len, struct target *t)
{
	struct in6_addr v6;
	const char *port = NULL;
	uint64_t n;
	int r;

	if (len == 0 || len >= sizeof(t->host))
		return -EINVAL;
	memcpy(t->host, s, len);
	t->host[len] = '\0';
	if (t->host[0] == '[') {
		char *end = strchr(t->host, ']');

		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		if (end[1] == ':')
			port = s + (end + 2 - t->host);
		*end = '\0';
		memmove(t->host, t->host + 1, (size_t)(end - t->host));
		if (inet_pton(AF_INET6, t->host, &v6) != 1)
			return -EINVAL;
	} else {
		char *colon = strchr(t->host, ':');

		if (colon) {
			port = s + (colon + 1 - t->host);
			*colon = '\0';
		}
		if (!host_is_name(t->host))
			return -EINVAL;
	}
	if (port) {
		char digits[8];
		size_t n_digits = len - (size_t)(port - s);

		if (n_digits == 0 || n_digits >= sizeof(digits))
			return -EINVAL;
		memcpy(digits, port, n_digits);
		digits[n_digits] = '\0';
		r = text_parse_u64(digits, UINT16_MAX, &n);
		if (r < 0 || n == 0)
			return -EINVAL;
		t->port = (uint16_t)n;
	}
	return 0;
}

static int parse_url(const char *s, struct target *t)
{
	size_t len = strlen(s);
	bool v6;
	int r;

	if (len > 0 && s[len - 1] == '/')
		len--;
	if (memchr(s, '/', len))
		return -EINVAL;
	t->port = t->kind == TARGET_TLS ? 443 : 80;
	r = parse_host(s, len, t);
	if (r < 0)
		return r;
	if (t->kind == TARGET_PLAIN && !host_is_loopback(t->host))
		return -EINVAL;
	v6 = strchr(t->host, ':') != NULL;
	snprintf(t->authority, sizeof(t->authority), "%s%s%s:%u", v6 ? "[" : "", t->host,
		 v6 ? "]" : "", t->port);
	return 0;
}

static int parse_unix(const char *s, struct target *t)
{
	if (strncmp(s, "///", 3) == 0)
		s += 2;
	if (s[0] != '/' || s[1] == '/' ||
	    strlen(s) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return -EINVAL;
	snprintf(t->host, sizeof(t->host), "%s", s);
	snprintf(t->authority, sizeof(t->authority), "localhost");
	return 0;
}

int target_parse(const char *s, struct target *ret_target)
{
	struct target t = {0};
	int r;

	if (!s || strlen(s) >= sizeof(t.text))
		return -EINVAL;
	snprintf(t.text, sizeof(t.text), "%s", s);
	if (strncmp(s, "https://", 8) == 0) {
		t.kind = TARGET_TLS;
		r = parse_url(s + 8, &t);
	} else if (strncmp(s, "http://", 7) == 0) {
		t.kind = TARGET_PLAIN;
		r = parse_url(s + 7, &t);
	} else if (strncmp(s, "unix:", 5) == 0) {
		t.kind = TARGET_UNIX;
		r = parse_unix(s + 5, &t);
	} else {
		r = -EINVAL;
	}
	if (r == 0)
		*ret_target = t;
	return r;
}
