/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Out of memory at the n-th allocation, for every n until the call needs no
 * more: of our own code (malloc and its kin, wrapped by the linker) and of
 * SQLite (its allocator is ours). Each call is answered, nothing crashes or
 * leaks (LeakSanitizer looks at the end), the store is whole and says what the
 * answer said, and the node that listens holds what the store has.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"
#include "tests/support/world.h"

enum { N_MAX = 20000, BUDGET_MS = 25000 };

/* --- the allocator --- */

static atomic_bool armed;
static atomic_uint left, n_asked;

static bool falls(void)
{
	if (!armed)
		return false;
	n_asked++;
	return atomic_fetch_sub(&left, 1) == 1;
}

/* The linker's names for what it wraps. */
void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t len);
int __real_vasprintf(char **ret, const char *fmt, va_list ap) _printf_(2, 0);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t len);
int __wrap_vasprintf(char **ret, const char *fmt, va_list ap) _printf_(2, 0);

void *__wrap_malloc(size_t len)
{
	return falls() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
	return falls() ? NULL : __real_calloc(n, len);
}

void *__wrap_realloc(void *p, size_t len)
{
	return falls() ? NULL : __real_realloc(p, len);
}

char *__wrap_strdup(const char *s)
{
	return falls() ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t len)
{
	return falls() ? NULL : __real_strndup(s, len);
}

int __wrap_vasprintf(char **ret, const char *fmt, va_list ap)
{
	return falls() ? -1 : __real_vasprintf(ret, fmt, ap);
}

static sqlite3_mem_methods below;

static void *lite_malloc(int len)
{
	return falls() ? NULL : below.xMalloc(len);
}

static void *lite_realloc(void *p, int len)
{
	return falls() ? NULL : below.xRealloc(p, len);
}

static int wrap_sqlite(void)
{
	sqlite3_mem_methods ours;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &below) != SQLITE_OK)
		return -1;
	ours = below;
	ours.xMalloc = lite_malloc;
	ours.xRealloc = lite_realloc;
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) == SQLITE_OK ? 0 : -1;
}

/* --- the calls --- */

static char label[32];

static int create(struct world *w)
{
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;

	snprintf(label, sizeof(label), "m%u", w->i);
	in.label = label;
	in.node_id = w->node_id;
	return world_try(w, &w->admin, &mesh_service_methods[METHOD_MESH_CREATE_DEVICE], &in);
}

static int rename_(struct world *w)
{
	Pb__UpdateDeviceRequest in = PB__UPDATE_DEVICE_REQUEST__INIT;

	snprintf(label, sizeof(label), "steady %u", w->i);
	in.id = w->device_id;
	in.label_choice_case = PB__UPDATE_DEVICE_REQUEST__LABEL_CHOICE_LABEL;
	in.label = label;
	return world_try(w, &w->admin, &mesh_service_methods[METHOD_MESH_UPDATE_DEVICE], &in);
}

static int rotate(struct world *w)
{
	Pb__RotateDeviceKeyRequest in = PB__ROTATE_DEVICE_KEY_REQUEST__INIT;

	in.id = w->device_id;
	return world_try(w, &w->admin, &mesh_service_methods[METHOD_MESH_ROTATE_DEVICE_KEY], &in);
}

static int login(struct world *w)
{
	Pb__LoginRequest in = PB__LOGIN_REQUEST__INIT;

	in.tenant = (char *)"acme";
	in.user = (char *)"ann";
	in.password = (char *)WORLD_PASSWORD;
	return world_try(w, &w->nobody, &auth_service_methods[METHOD_AUTH_LOGIN], &in);
}

/* A stream's first message or its end, then its end. */
static int open_stream(struct world *w, const struct panel_who *who, const struct method *method,
		       const void *in)
{
	struct panel_answer *a = w->answer;
	int r = panel_stream(&w->panel, who, method, in, a);

	for (unsigned i = 0; !r && i < 2000; i++) {
		bool begun;

		pthread_mutex_lock(&a->lock);
		begun = a->n_messages >= 1 || a->n_done;
		pthread_mutex_unlock(&a->lock);
		if (begun)
			break;
		usleep(1000);
	}
	armed = false;
	panel_cut(a);
	return r;
}

static int watch(struct world *w)
{
	static const Pb__WatchStateRequest in = PB__WATCH_STATE_REQUEST__INIT;

	return open_stream(w, &w->admin, &mesh_service_methods[METHOD_MESH_WATCH_STATE], &in);
}

/* As the node itself: its standing stream ends, and comes back later. */
static int subscribe(struct world *w)
{
	static const Pb__SubscribeRequest in = PB__SUBSCRIBE_REQUEST__INIT;

	return open_stream(w, &w->agent, &agent_service_methods[METHOD_AGENT_SUBSCRIBE], &in);
}

static const struct call_case {
	const char *name;
	int (*act)(struct world *w);
	const char *effect; /* # is w->i */
	bool stream;
} cases[] = {
	{"create", create, "SELECT count(*) FROM members WHERE label = 'm#'", false},
	{"rename", rename_, "SELECT group_concat(label) FROM members WHERE slug LIKE 'steady%'",
	 false},
	{"rotate", rotate, "SELECT sum(key_version) FROM devices", false},
	{"login", login, "SELECT count(*) FROM sessions", false},
	{"watch", watch, NULL, true},
	{"subscribe", subscribe, NULL, true},
};

static unsigned n_passed, n_failed, n_refused, n_late;

static const char *judge(const struct call_case *c, int r, const struct panel_answer *a,
			 bool changed)
{
	if (r == -ENOMEM)
		return changed ? "not begun and there" : NULL;
	if (a->n_done != 1)
		return "not answered once";
	if (c->stream)
		return NULL;
	n_refused += a->err != ERR_NONE;
	if (!a->err)
		return changed ? NULL : "acknowledged and not there";
	/* The commit was done and the answer had no room: a retry by key finds it. */
	n_late += changed;
	return a->code == GRPC_INTERNAL || a->err == ERR_OUTCOME_UNKNOWN ? NULL : a->words;
}

/* True while the n-th allocation was asked for. */
static bool one(struct world *w, const struct call_case *c, unsigned n)
{
	char sql[256] = "", before[WORLD_VALUE_LEN] = "", after[WORLD_VALUE_LEN] = "";
	int len = c->effect ? (int)strcspn(c->effect, "#") : 0;
	const char *why;
	int r;

	w->i++;
	if (c->effect) {
		snprintf(sql, sizeof(sql), "%.*s", len, c->effect);
		if (c->effect[len])
			snprintf(sql + len, sizeof(sql) - (size_t)len, "%u%s", w->i,
				 c->effect + len + 1);
		world_value(w, sql, before);
	}
	do {
		n_asked = 0;
		left = n;
		armed = true;
		r = c->act(w);
		armed = false;
		if (!r && w->answer->err == ERR_RATE_LIMITED)
			usleep(50000);
	} while (!r && w->answer->err == ERR_RATE_LIMITED);
	if (c->effect)
		world_value(w, sql, after);
	why = judge(c, r, w->answer, strcmp(before, after) != 0);
	if (!why)
		why = world_fault(w);
	if (!why) {
		n_passed++;
	} else if (n_failed++ < 40) {
		printf("FAIL %s at allocation %u: %s\n", c->name, n, why);
	}
	return n_asked >= n;
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	bool all = getenv("QMESH_LONG") != NULL;
	static struct world w;
	uint64_t from = clock_boot_ms();

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (wrap_sqlite())
		return 1;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t until = from + BUDGET_MS * (i + 1) / ARRAY_LEN(cases);
		unsigned n = 1, step = 1;

		if (only && strcmp(only, cases[i].name) != 0)
			continue;
		while (n < N_MAX && one(&w, &cases[i], n)) {
			/* In the time there is: the further, the wider. */
			if (!all && clock_boot_ms() > until)
				step = n / 8 + 1;
			n += step;
		}
		printf("%-10s up to allocation %u%s, %u so far, %u s\n", cases[i].name, n,
		       step > 1 ? " with gaps" : "", n_passed + n_failed,
		       (unsigned)((clock_boot_ms() - from) / 1000));
	}
	world_done(&w);
	printf("%u answered with an error, %u of them after the commit\n", n_refused, n_late);
	printf("passed %u failed %u skipped 0\n", n_passed, n_failed);
	return n_failed != 0;
}
