/* SPDX-License-Identifier: Apache-2.0 */
/* One block: its own description, the headers, then the texts, filled from the front. */
#include "server/rpc/h2head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/rpc/h1.h"

struct h2head *h2head_new(size_t n, size_t text_len)
{
	size_t len = sizeof(struct h2head) + n * sizeof(struct header) + text_len;
	struct h2head *head = malloc(len);

	if (!head)
		return NULL;
	head->len = len;
	head->at = (char *)(head->headers + n);
	return head;
}

void h2head_free(struct h2head *head)
{
	if (!head)
		return;
	explicit_bzero(head, head->len);
	free(head);
}

char *h2head_text(struct h2head *head, const char *p, size_t len)
{
	char *text = head->at;

	if (len)
		memcpy(text, p, len);
	text[len] = '\0';
	head->at += len + 1;
	return text;
}

bool h2head_target(struct h2head *head, const char *p, size_t len, struct exchange *x)
{
	char *path = h2head_text(head, p, len), *query = strchr(path, '?');

	x->path = path;
	if (query) {
		*query = '\0';
		x->query = query + 1;
	}
	return h2head_printable(p, len) && p[0] == '/';
}

bool h2head_printable(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)p[i] <= 0x20 || (uint8_t)p[i] >= 0x7f)
			return false;
	return len > 0;
}

static bool of_connection(const char *name)
{
	switch (name[0]) { /* no two begin alike */
	case 'c':
		return strcmp(name, "connection") == 0;
	case 'k':
		return strcmp(name, "keep-alive") == 0;
	case 'p':
		return strcmp(name, "proxy-connection") == 0;
	case 't':
		return strcmp(name, "transfer-encoding") == 0;
	case 'u':
		return strcmp(name, "upgrade") == 0;
	default:
		return false;
	}
}

unsigned h2head_check(struct exchange *x)
{
	const char *host = NULL;
	unsigned n_hosts = 0;

	for (size_t i = 0; i < x->n_headers; i++) {
		const struct header *h = &x->headers[i];

		if (h->name[0] == '\0' || of_connection(h->name))
			return 400;
		if (h->name[0] == 'h' && strcmp(h->name, "host") == 0) {
			host = h->value;
			n_hosts++;
		}
	}
	if (n_hosts > 1 || strchr(x->path, '#') || (x->query && strchr(x->query, '#')) ||
	    strcmp(x->method, "CONNECT") == 0)
		return 400;
	if (host && x->authority[0] == '\0')
		x->authority = host;
	if (host && strcasecmp(host, x->authority) != 0)
		return 400;
	return x->authority[0] && h1_host_ok(x->authority) ? 0 : 400;
}
