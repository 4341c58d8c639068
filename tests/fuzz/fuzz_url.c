/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a browser puts around a body: path, query, Cookie and
 * Accept, one a line. Whatever is taken must be text, and stay itself.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/answer.h"
#include "gateway/bind.h"
#include "gateway/cookie.h"
#include "gateway/export.h"
#include "gateway/url.h"
#include "gen/rpc/routes.h"
#include "server/rpc/dispatch.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static struct services *services;

static void check_text(const char *s)
{
	if (!text_utf8_ok(s, strlen(s)))
		abort();
}

/* Every row that fits, as the REST door would bind it. */
static void try_route(const struct route *route, const char *path, const char *query)
{
	struct router_match match = {.route = route};
	ProtobufCMessage *msg;
	struct call *call;
	char *link;

	if (!router_match_pattern(route->pattern, path, &match))
		return;
	call = call_new(services, route->method, NULL, NULL, NULL, 0);
	msg = call ? call_alloc(call, route->method->in->sizeof_message) : NULL;
	if (!msg)
		abort();
	protobuf_c_message_init(route->method->in, msg);
	if (bind_path(call, &match, msg) == 0 && bind_query(call, route, &match, query, msg) == 0 &&
	    !protobuf_c_message_check(msg))
		abort();
	for (size_t i = 0; i < call->status.n_fields; i++)
		check_text(call->status.fields[i].description);
	link = bind_next_link(path, query, "a>b", &call->arena);
	if (link && strchr(link + 1, '>') != strrchr(link, '>'))
		abort();
	call_unref(call);
}

static void try_headers(const char *cookie, const char *accept)
{
	const struct header headers[] = {{"cookie", cookie, strlen(cookie)},
					 {"accept", accept, strlen(accept)}};
	struct exchange x = {.authority = accept, .headers = headers, .n_headers = 2};
	char name[COOKIE_NAME_MAX];
	struct arena arena;
	const char *value;

	arena_init(&arena, 1 << 20);
	cookie_name(&x, name);
	value = cookie_find(&x, "qmesh-1", &arena);
	if (value && (!*value || strchr(value, ';')))
		abort();
	(void)answer_accepts(&x, "application/json");
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	const struct service_hooks hooks = {0};
	enum export_form form;
	char *lines[4] = {0};
	uint64_t ms;
	char *text;

	if (!services)
		services = services_new(&hooks);
	text = malloc(len + 1);
	if (!services || !text)
		abort();
	memcpy(text, p, len);
	text[len] = '\0';
	lines[0] = text;
	for (size_t i = 1; i < 4; i++) {
		lines[i] = lines[i - 1] + strcspn(lines[i - 1], "\n");
		if (*lines[i])
			*lines[i]++ = '\0';
	}
	for (size_t i = 0; i < n_routes; i++) {
		try_route(&routes[i], lines[0], lines[1]);
		(void)export_form_of(routes[i].method, lines[1], &form);
	}
	if (bind_wait_ms(lines[1], &ms) == 0 && !*lines[1])
		abort();
	try_headers(lines[2], lines[3]);
	free(text);
	return 0;
}
