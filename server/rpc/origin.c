/* SPDX-License-Identifier: Apache-2.0 */
/* Header against header: nothing is kept, nothing is allocated. */
#include "server/rpc/origin.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"

bool origin_is_safe(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
	       strcmp(method, "OPTIONS") == 0;
}

/* "https://host:port"; a browser leaves a default port out on both sides. */
static bool is_own_origin(const struct exchange *x, const char *origin)
{
	size_t len = strlen(x->scheme);

	return strncmp(origin, x->scheme, len) == 0 && strncmp(origin + len, "://", 3) == 0 &&
	       x->authority[0] && strcasecmp(origin + len + 3, x->authority) == 0;
}

/* A header that is there twice is as good as a wrong one. */
static size_t count(const struct exchange *x, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n_headers; i++)
		n += strcmp(x->headers[i].name, name) == 0;
	return n;
}

static int refuse(const char **ret_why, const char *why)
{
	*ret_why = why;
	return ERR_CROSS_SITE;
}

int origin_check(const struct exchange *x, bool by_cookie, const char **ret_why)
{
	const char *site = exchange_header(x, "sec-fetch-site");
	const char *origin = exchange_header(x, "origin");

	if ((site && count(x, "sec-fetch-site") > 1) || (origin && count(x, "origin") > 1))
		return refuse(ret_why, "The request names its origin twice.");
	if (site) {
		if (strcmp(site, "same-origin") == 0)
			return 0;
		return refuse(ret_why, "The request was made by a page of another site.");
	}
	if (origin) {
		if (is_own_origin(x, origin))
			return 0;
		return refuse(ret_why, "The request was made by a page of another site.");
	}
	if (by_cookie)
		return refuse(ret_why,
			      "the request does not say which page made it: send an Origin "
			      "header, or the session as a bearer token");
	return 0;
}
