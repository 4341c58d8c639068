/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per event on stderr, written by one write(2), so that lines of
 * several threads never mix. Level and trace are set once at start, before
 * threads exist; after that everything here is read only, but for each thread's own hush.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LINE_MAX_LEN 4096
#define TEXT_MAX_LEN 2048

static const char *const level_names[] = {"error", "warn", "info", "debug"};

static enum log_level current_level = LOG_LEVEL_INFO;
static char trace_spec[256];
static _Thread_local struct log_hush *hush_now;

void log_set_level(enum log_level level)
{
	current_level = level;
}

int log_level_parse(const char *s, enum log_level *ret_level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(s, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_trace(const char *spec)
{
	if (!spec)
		spec = getenv("QMESH_TRACE");
	snprintf(trace_spec, sizeof(trace_spec), "%s", spec ? spec : "");
}

/* The last word that names the component, or "all", decides. */
static bool traced(const char *component)
{
	size_t component_len = strlen(component);
	bool on = false;
	const char *p = trace_spec;

	while (*p) {
		size_t len = strcspn(p, ", ");
		const char *word = p;
		bool wanted = true;

		p += len;
		p += strspn(p, ", ");
		if (len && *word == '-') {
			wanted = false;
			word++;
			len--;
		}
		if ((len == 3 && strncmp(word, "all", 3) == 0) ||
		    (len == component_len && strncmp(word, component, len) == 0))
			on = wanted;
	}
	return on;
}

struct line {
	char s[LINE_MAX_LEN];
	size_t len;
};

static void add_raw(struct line *l, const char *s)
{
	size_t len = strlen(s);

	/* Room for the newline is always kept. */
	if (len > sizeof(l->s) - 1 - l->len)
		len = sizeof(l->s) - 1 - l->len;
	memcpy(l->s + l->len, s, len);
	l->len += len;
}

/* What came from outside must not be able to forge a second line or drive a terminal. */
static void add_escaped(struct line *l, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char one[5] = {(char)c, 0};

		if (c < 0x20 || c == 0x7f)
			snprintf(one, sizeof(one), "\\x%02x", c);
		/* C1 controls as UTF-8 drive some terminals too. */
		else if (c == 0xc2 && (unsigned char)s[1] >= 0x80 && (unsigned char)s[1] < 0xa0)
			snprintf(one, sizeof(one), "\\x%02x", c);
		add_raw(l, one);
	}
}

static void add_pair(struct line *l, bool *first, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	add_raw(l, *first ? " [" : " ");
	*first = false;
	add_raw(l, name);
	add_raw(l, "=");
	add_escaped(l, value);
}

void log_hush(struct log_hush *hush)
{
	hush_now = hush;
	if (hush)
		hush->n_before = hush->n;
}

/* FNV-1a; numbers of processes and times do not make another line of it. */
static uint64_t hash_words(uint64_t hash, const char *s)
{
	for (; *s; s++)
		if (*s < '0' || *s > '9')
			hash = (hash ^ (uint8_t)*s) * 0x100000001b3;
	return hash;
}

static bool is_hushed(struct log_hush *h, const char *component, const char *text)
{
	uint64_t hash = hash_words(hash_words(0xcbf29ce484222325, component), text);

	for (unsigned i = 0; i < h->n_before; i++)
		if (h->said[i] == hash)
			return true;
	if (h->n < LOG_HUSH_MAX)
		h->said[h->n++] = hash;
	return false;
}

void log_line(enum log_level level, const char *component, const struct log_ctx *ctx,
	      const char *fmt, ...)
{
	char text[TEXT_MAX_LEN];
	struct line l = {.len = 0};
	bool first = true;
	int saved = errno;
	va_list ap;

	if (level > current_level && !(level == LOG_LEVEL_DEBUG && traced(component)))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (hush_now && level != LOG_LEVEL_DEBUG && is_hushed(hush_now, component, text))
		return;

	add_raw(&l, level_names[level]);
	add_raw(&l, " ");
	add_raw(&l, component);
	add_raw(&l, ": ");
	add_escaped(&l, text);
	if (ctx) {
		add_pair(&l, &first, "request", ctx->request);
		add_pair(&l, &first, "tenant", ctx->tenant);
		add_pair(&l, &first, "node", ctx->node);
		add_pair(&l, &first, "device", ctx->device);
		if (!first)
			add_raw(&l, "]");
	}
	l.s[l.len++] = '\n';
	/* A log that cannot be written has nowhere to complain. */
	if (write(STDERR_FILENO, l.s, l.len) < 0)
		errno = saved;
	errno = saved;
}
