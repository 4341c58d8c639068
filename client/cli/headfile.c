/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/headfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/json.h"
#include "client/cli/outfile.h"

enum { FILE_MAX = 64 << 20, KEYS_FILE_MAX = 65536, LINE_MAX_LEN = 4096 };

static int _printf_(2, 3) complain(struct headfile_problem *ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret->words, sizeof(ret->words), fmt, ap);
	va_end(ap);
	return ERR_FIELD_INVALID;
}

char *headfile_line(const Pb__AuditHead *head)
{
	struct text text = TEXT_INIT(LINE_MAX_LEN);

	if (json_encode(&head->base, JSON_REST, &text))
		text.failed = true;
	text_adds(&text, "\n");
	return text_take(&text);
}

int headfile_add(const char *path, const char *line, size_t len)
{
	_cleanup_(close_fdp) int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, line, len) != (ssize_t)len || fsync(fd))
		return errno ? -errno : -EIO;
	return 0;
}

/* --- heads --- */

struct reading {
	const char *tenant_id;
	struct arena *arena;
	Pb__AuditHead **heads;
	size_t n, line, others;
	struct headfile_problem *problem;
};

static int read_line(struct reading *r, const char *line, size_t len)
{
	struct json_error error;
	struct audithead head;
	ProtobufCMessage *msg;
	const char *wrong;
	int n;

	r->line++;
	while (len && strchr(" \t\r", line[len - 1]))
		len--;
	if (!len)
		return 0;
	if (!memmem(line, len, r->tenant_id, strlen(r->tenant_id))) {
		r->others++;
		return 0;
	}
	if (r->n == HEADFILE_MAX)
		return complain(r->problem, "it has more than %d heads of this tenant: split it",
				HEADFILE_MAX);
	n = json_decode(line, len, &pb__audit_head__descriptor, r->arena, &msg, &error);
	if (n == ERR_FIELD_INVALID)
		return complain(r->problem, "line %zu is no head: %s%s%s", r->line, error.path,
				*error.path ? " " : "", error.rule);
	if (n)
		return n;
	wrong = audithead_hear((Pb__AuditHead *)msg, &head);
	if (!wrong && !((Pb__AuditHead *)msg)->signature.len)
		wrong = "signature";
	if (wrong)
		return complain(r->problem, "line %zu is no head: its %s is not right", r->line,
				wrong);
	r->heads[r->n++] = (Pb__AuditHead *)msg;
	return 0;
}

int headfile_read(const char *path, const char *tenant_id, struct arena *arena,
		  Pb__AuditHead ***ret_heads, size_t *ret_n, struct headfile_problem *ret_problem)
{
	struct reading reading = {.tenant_id = tenant_id, .arena = arena, .problem = ret_problem};
	_cleanup_(freep) char *text = NULL;
	const char *at, *end;
	size_t len;
	int r;

	r = outfile_read(path, FILE_MAX, &text, &len);
	if (r)
		return r;
	reading.heads = arena_alloc(arena, HEADFILE_MAX * sizeof(*reading.heads));
	if (!reading.heads)
		return -ENOMEM;
	for (at = text, end = text + len; !r && at < end;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = nl ? (size_t)(nl - at) : (size_t)(end - at);

		r = read_line(&reading, at, n);
		at += n + (nl != NULL);
	}
	if (!r && !reading.n)
		r = complain(ret_problem, reading.others
						  ? "none of its lines is a head of this tenant"
						  : "there is no head in it");
	if (r)
		return r;
	*ret_heads = reading.heads;
	*ret_n = reading.n;
	return 0;
}

/* --- keys --- */

struct keys {
	struct {
		char kid[AUDITHEAD_KID_LEN + 1];
		uint8_t public[SIGN_PUBLIC_LEN];
	} all[HEADFILE_KEYS_MAX];
	size_t n;
};

static int read_key(const char *line, struct keys *keys)
{
	char kid[AUDITHEAD_KID_LEN + 1], base64[64];
	size_t len;

	if (sscanf(line, "qmesh-audit-public %16s %63s", kid, base64) != 2 ||
	    strlen(kid) != AUDITHEAD_KID_LEN || keys->n == HEADFILE_KEYS_MAX ||
	    text_unbase64(base64, strlen(base64), keys->all[keys->n].public, SIGN_PUBLIC_LEN,
			  &len) ||
	    len != SIGN_PUBLIC_LEN)
		return -EINVAL;
	memcpy(keys->all[keys->n++].kid, kid, sizeof(kid));
	return 0;
}

static int read_keys(const char *path, struct keys *keys, struct headfile_problem *ret_problem)
{
	_cleanup_(freep) char *text = NULL;
	char *line, *rest = NULL;
	size_t len;
	int r;

	ret_problem->keys_path = path;
	r = outfile_read(path, KEYS_FILE_MAX, &text, &len);
	if (r)
		return r;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (*line != '#' && read_key(line, keys))
			return complain(ret_problem, "not what \"qmesh audit key\" prints: %.40s",
					line);
	}
	if (!keys->n)
		return complain(ret_problem, "there is no key in it");
	ret_problem->keys_path = NULL;
	return 0;
}

int headfile_check(const char *keys_path, Pb__AuditHead *const *heads, size_t n,
		   struct headfile_problem *ret_problem)
{
	struct keys keys = {.n = 0};
	int r;

	r = read_keys(keys_path, &keys, ret_problem);
	for (size_t i = 0; !r && i < n; i++) {
		struct audithead head;
		size_t k = 0;

		if (audithead_hear(heads[i], &head))
			return -EINVAL; /* they were heard when they were read */
		while (k < keys.n && strcmp(keys.all[k].kid, head.kid) != 0)
			k++;
		if (k == keys.n)
			r = complain(ret_problem,
				     "the head of row %llu is signed by key %s, which is not in %s",
				     (unsigned long long)head.seq, head.kid, keys_path);
		else if (!audithead_is_signed(&head, keys.all[k].public))
			r = complain(ret_problem, "the head of row %llu is not as it was signed",
				     (unsigned long long)head.seq);
	}
	return r;
}
