/* SPDX-License-Identifier: Apache-2.0 */
/* Output of the command line; see print.h. */
#include "client/cli/print.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

#include "base/json.h"

static char *copy(const char *s)
{
	char *p = strdup(s);

	if (!p) {
		fputs("error: out of memory\n", stderr);
		exit(1);
	}
	return p;
}

static void add_cell(struct print_table *t, char *text)
{
	if (t->n_cells == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->cells = reallocarray(t->cells, t->cap, sizeof(*t->cells));
		if (!t->cells) {
			fputs("error: out of memory\n", stderr);
			exit(1);
		}
	}
	t->cells[t->n_cells++] = text;
}

void print_table_init(struct print_table *t, const char *header)
{
	_cleanup_(freep) char *words = copy(header);
	char *rest = words, *word;

	*t = (struct print_table){0};
	while ((word = strsep(&rest, "|"))) {
		add_cell(t, copy(word));
		t->n_columns++;
	}
}

void print_cell(struct print_table *t, const char *text)
{
	add_cell(t, text && text[0] ? print_harmless(text) : copy("-"));
}

void print_cellf(struct print_table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_cell(t, text);
}

/* Columns that a text takes on a terminal. */
static size_t width(const char *s)
{
	mbstate_t state = {0};
	size_t n, columns = 0;
	wchar_t c;

	while (*s) {
		n = mbrtowc(&c, s, strlen(s), &state);
		if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
			/* A locale that is not UTF-8: count characters by their first bytes. */
			columns += ((unsigned char)*s & 0xc0) != 0x80;
			memset(&state, 0, sizeof(state));
			s++;
			continue;
		}
		columns += wcwidth(c) > 0 ? (size_t)wcwidth(c) : 0;
		s += n;
	}
	return columns;
}

void print_table_done(struct print_table *t, FILE *out)
{
	size_t widths[PRINT_MAX_COLUMNS] = {0};

	for (size_t i = 0; i < t->n_cells; i++) {
		size_t w = width(t->cells[i]);

		if (w > widths[i % t->n_columns])
			widths[i % t->n_columns] = w;
	}
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t column = i % t->n_columns;

		fputs(t->cells[i], out);
		if (column + 1 == t->n_columns)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (int)(widths[column] - width(t->cells[i]) + 2), "");
		free(t->cells[i]);
	}
	free(t->cells);
	*t = (struct print_table){0};
}

/* Length of the well-formed UTF-8 character at s; 0: none. */
static size_t utf8_len(const char *s)
{
	size_t rest = strlen(s);

	for (size_t n = 1; n <= 4 && n <= rest; n++)
		if (text_utf8_ok(s, n))
			return n;
	return 0;
}

static bool is_harmful(const char *s, size_t len)
{
	unsigned char a = (unsigned char)s[0], b = len > 1 ? (unsigned char)s[1] : 0;
	unsigned char c = len > 2 ? (unsigned char)s[2] : 0;

	if (len == 1)
		return a < 0x20 || a == 0x7f;
	if (a == 0xc2)
		return b < 0xa0; /* C1 controls */
	if (a == 0xd8)
		return b == 0x9c; /* Arabic letter mark */
	if (a == 0xe2 && b == 0x80)
		return (c >= 0x8b && c <= 0x8f) || (c >= 0xa8 && c <= 0xae);
	if (a == 0xe2 && b == 0x81)
		return c >= 0xa0 && c <= 0xaf; /* invisible operators, isolates */
	return a == 0xef && b == 0xbb && c == 0xbf;
}

char *print_harmless(const char *s)
{
	char *p = copy(s), *out = p;

	while (*s) {
		size_t n = utf8_len(s);

		if (n == 0 || is_harmful(s, n)) {
			*out++ = '?';
			s += n ? n : 1;
			continue;
		}
		memcpy(out, s, n);
		out += n;
		s += n;
	}
	*out = '\0';
	return p;
}

void print_line(FILE *out, const char *fmt, ...)
{
	_cleanup_(freep) char *raw = NULL, *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&raw, fmt, ap);
	va_end(ap);
	if (r < 0) {
		raw = NULL;
		return;
	}
	text = print_harmless(raw);
	fprintf(out, "%s\n", text);
}

const char *print_ago(int64_t then_ms, int64_t now_ms, char *ret)
{
	int64_t s = (now_ms - then_ms) / 1000;
	bool future = s < 0;
	const char *unit;

	if (future)
		s = -s;
	if (s == 0) {
		snprintf(ret, 32, "now");
		return ret;
	}
	/* To the nearest: a session of 8 h that is a second old still ends in 8 h. */
	if (s < 120) {
		unit = "s";
	} else if (s < 120 * 60) {
		s = (s + 30) / 60;
		unit = "min";
	} else if (s < 48 * 3600) {
		s = (s + 1800) / 3600;
		unit = "h";
	} else {
		s = (s + 43200) / 86400;
		unit = "d";
	}
	snprintf(ret, 32, "%s%" PRId64 " %s%s", future ? "in " : "", s, unit, future ? "" : " ago");
	return ret;
}

const char *print_bytes(uint64_t n, char *ret)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)n;
	size_t i = 0;

	while (value >= 1024 && i + 1 < ARRAY_LEN(units)) {
		value /= 1024;
		i++;
	}
	if (i == 0)
		snprintf(ret, 32, "%" PRIu64 " B", n);
	else
		snprintf(ret, 32, "%.1f %s", value, units[i]);
	return ret;
}

const char *print_enum(const ProtobufCEnumDescriptor *desc, int value, const char *prefix,
		       char *ret)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(desc, value);
	const char *name;
	size_t i;

	if (!v) {
		snprintf(ret, 64, "%d", value);
		return ret;
	}
	name = v->name;
	if (strncmp(name, prefix, strlen(prefix)) == 0)
		name += strlen(prefix);
	for (i = 0; name[i] && i < 63; i++)
		ret[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
	ret[i] = '\0';
	return ret;
}

int print_enum_parse(const ProtobufCEnumDescriptor *desc, const char *word, const char *prefix,
		     int *ret_value)
{
	char text[64];

	for (unsigned i = 0; i < desc->n_values; i++) {
		print_enum(desc, desc->values[i].value, prefix, text);
		if (desc->values[i].value != 0 && strcasecmp(text, word) == 0) {
			*ret_value = desc->values[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

int print_json(FILE *out, const char *schema, const ProtobufCMessage *msg)
{
	_cleanup_(text_done) struct text text = TEXT_INIT(64 * 1024 * 1024);
	int r;

	r = json_encode(msg, JSON_REST, &text);
	if (r < 0 || text.failed || text.len < 2)
		return r < 0 ? r : -ENOMEM;
	fprintf(out, "{\"schema\":\"%s\"%s%s\n", schema, text.len > 2 ? "," : "", text.s + 1);
	return 0;
}

void print_json_members(FILE *out, const char *schema, const char *members)
{
	fprintf(out, "{\"schema\":\"%s\"%s%s}\n", schema, members[0] ? "," : "", members);
}

/* What to do now, as far as the reason tells. */
static void hint(const struct status *s)
{
	const char *suggestion = status_get(s, "suggestion");

	if (s->err == ERR_LABEL_TAKEN && suggestion) {
		_cleanup_(freep) char *text = print_harmless(suggestion);

		fprintf(stderr, "hint: try \"%s\"\n", text);
	} else if (s->err == ERR_TOKEN_MISSING || s->err == ERR_TOKEN_INVALID) {
		fputs("hint: sign in with: qmesh login\n", stderr);
	} else if (s->err == ERR_DEVICE_CAP_REACHED) {
		fputs("hint: remove a device (qmesh device remove), or ask for a larger plan\n",
		      stderr);
	} else if (s->retry_ms > 0) {
		fprintf(stderr, "hint: try again in %" PRIu64 " s\n", (s->retry_ms + 999) / 1000);
	} else if (s->err == ERR_CP_UNREACHABLE) {
		fputs("hint: is the daemon running? --server or QMESH_SERVER says where it is\n",
		      stderr);
	} else if (s->err == ERR_NEEDS_REHOME) {
		fputs("hint: move its devices with --rehome-to NODE, or remove them too with "
		      "--force\n",
		      stderr);
	} else if (s->err == ERR_OUTCOME_UNKNOWN) {
		fputs("hint: look before you try again\n", stderr);
	}
}

static void print_failure_json(const struct status *s)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(1024 * 1024);

	text_addf(&t, "\"code\":\"%s\",\"reason\":\"%s\",\"message\":", err_grpc_name(s->code),
		  s->err ? err_reason(s->err) : "");
	json_quote(&t, s->message ? s->message : "");
	text_adds(&t, ",\"metadata\":{");
	for (size_t i = 0; i < s->n_meta; i++) {
		text_adds(&t, i ? "," : "");
		json_quote(&t, s->meta[i].key);
		text_adds(&t, ":");
		json_quote(&t, s->meta[i].value);
	}
	text_adds(&t, "},\"fields\":[");
	for (size_t i = 0; i < s->n_fields; i++) {
		text_adds(&t, i ? ",{\"field\":" : "{\"field\":");
		json_quote(&t, s->fields[i].field);
		text_adds(&t, ",\"description\":");
		json_quote(&t, s->fields[i].description);
		text_adds(&t, "}");
	}
	text_addf(&t, "],\"retry_ms\":%" PRIu64, s->retry_ms);
	if (!t.failed)
		print_json_members(stdout, "qmesh.error/1", t.s);
}

void print_failure(const struct status *s, bool json)
{
	_cleanup_(freep) char *message =
		print_harmless(s->message && s->message[0] ? s->message : err_grpc_name(s->code));

	fflush(stdout);
	fprintf(stderr, "error: %s\n", message);
	for (size_t i = 0; i < s->n_fields; i++) {
		size_t len = strlen(s->fields[i].field);

		/* A single violation is often the whole message. */
		if (s->message && strncmp(s->message, s->fields[i].field, len) == 0 &&
		    s->message[len] == ':')
			continue;
		_cleanup_(freep) char *field = print_harmless(s->fields[i].field);
		_cleanup_(freep) char *rule = print_harmless(s->fields[i].description);

		fprintf(stderr, "error: %s: %s\n", field, rule);
	}
	hint(s);
	if (json)
		print_failure_json(s);
}

void print_problem(const char *hint_text, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	if (hint_text)
		fprintf(stderr, "hint: %s\n", hint_text);
}
