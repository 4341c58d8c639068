/* SPDX-License-Identifier: Apache-2.0 */
/* A dozen files: the path is compared with each. */
#include "gateway/page.h"

#include <string.h>
#include <strings.h>

#include "gateway/answer.h"

#define PAGE_URL "/vpn/mesh"

static const char csp[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'; require-trusted-types-for 'script'";

static void add_security(struct answer *a)
{
	answer_add(a, "content-security-policy", csp);
	answer_add(a, "cross-origin-opener-policy", "same-origin");
	answer_add(a, "cross-origin-resource-policy", "same-origin");
	answer_add(a, "referrer-policy", "no-referrer");
	answer_add(a, "x-content-type-options", "nosniff");
	answer_add(a, "permissions-policy", "camera=(), geolocation=(), microphone=()");
}

static const struct page_file *find(const char *path)
{
	for (size_t i = 0; i < page_n_files; i++) {
		if (strcmp(page_files[i].url, path) == 0)
			return &page_files[i];
	}
	return NULL;
}

static void redirect(struct exchange *x)
{
	struct answer a = {0};

	answer_add(&a, "location", PAGE_URL);
	answer_add(&a, "cache-control", "no-store");
	add_security(&a);
	answer_send(x, 302, &a, NULL, 0);
}

/* "gzip" in Accept-Encoding and not switched off by ;q=0. */
static bool takes_gzip(const struct exchange *x)
{
	const char *p = exchange_header(x, "accept-encoding");

	while (p && *p) {
		size_t len;

		p += strspn(p, " \t,");
		len = strcspn(p, ",");
		if (strncasecmp(p, "gzip", 4) == 0 && strcspn(p, " \t,;") == 4) {
			const char *q = memmem(p, len, "q=0", 3);

			return !q || strspn(q + 3, ".0") < strcspn(q + 3, ", \t");
		}
		p += len;
	}
	return false;
}

/* The list of If-None-Match, weak marks ignored. */
static bool is_known(const struct exchange *x, const struct page_file *f)
{
	const char *known = exchange_header(x, "if-none-match");

	return known && (strcmp(known, "*") == 0 || strstr(known, f->etag));
}

static void serve(struct exchange *x, const struct page_file *f)
{
	bool gzip = f->gzip_len && takes_gzip(x);
	struct answer a = {0};

	answer_add(&a, "cache-control",
		   f->immutable ? "public, max-age=31536000, immutable" : "no-cache");
	answer_add(&a, "etag", f->etag);
	answer_add(&a, "vary", "accept-encoding");
	add_security(&a);
	if (is_known(x, f)) {
		answer_send(x, 304, &a, NULL, 0);
		return;
	}
	answer_add(&a, "content-type", f->type);
	answer_add(&a, "content-encoding", gzip ? "gzip" : NULL);
	answer_send(x, 200, &a, gzip ? f->gzip : f->data, gzip ? f->gzip_len : f->len);
}

bool page_serve(struct exchange *x)
{
	const struct page_file *f = find(x->path);

	if (!f && strcmp(x->path, "/") != 0)
		return false;
	if (strcmp(x->method, "GET") != 0 && strcmp(x->method, "HEAD") != 0)
		answer_refuse(x, 405, "GET, HEAD", "This address is only read.");
	else if (f)
		serve(x, f);
	else
		redirect(x);
	return true;
}
