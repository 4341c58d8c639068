/* SPDX-License-Identifier: Apache-2.0 */
/* Values of one name stand together in JSON, in their order. */
#include "gateway/connect_trailer.h"

#include <string.h>

#include "base/json.h"
#include "server/rpc/dispatch.h"

void connect_trailer_headers(const struct webcall *w, struct answer *a)
{
	const struct header *own;
	size_t n;

	own = call_trailers(w->call, &n);
	for (size_t i = 0; i < n; i++) {
		const char *name = arena_printf(&w->call->arena, "trailer-%s", own[i].name);

		if (name)
			answer_add(a, name, own[i].value);
	}
}

static bool is_first(const struct header *all, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(all[i].name, all[at].name) == 0)
			return false;
	return true;
}

/* All values of the name that stands at the place. */
static void add_values(const struct header *all, size_t n, size_t at, struct text *json)
{
	const char *comma = "";

	for (size_t i = at; i < n; i++) {
		if (strcmp(all[i].name, all[at].name) != 0)
			continue;
		text_adds(json, comma);
		json_quote(json, all[i].value);
		comma = ",";
	}
}

void connect_trailer_json(const struct webcall *w, struct text *json)
{
	const char *comma = "";
	const struct header *own;
	size_t n;

	own = call_trailers(w->call, &n);
	if (n == 0)
		return;
	text_adds(json, json->len > 1 ? ",\"metadata\":{" : "\"metadata\":{");
	for (size_t i = 0; i < n; i++) {
		if (!is_first(own, i))
			continue;
		text_adds(json, comma);
		json_quote(json, own[i].name);
		text_adds(json, ":[");
		add_values(own, n, i, json);
		text_adds(json, "]");
		comma = ",";
	}
	text_adds(json, "}");
}
