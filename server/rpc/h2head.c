/* SPDX-License-Identifier: Apache-2.0 */
/* One block: its own description, the headers, then the texts, filled from the front. */
#include "server/rpc/h2head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
