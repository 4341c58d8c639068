/* SPDX-License-Identifier: Apache-2.0 */
/* Files of signed audit heads, a JSON object a line, and of the keys that sign them. */
#ifndef QM_HEADFILE_H
#define QM_HEADFILE_H

#include "base/arena.h"
#include "server/store/audithead.h"

/* As VerifyAudit takes them. */
#define HEADFILE_MAX 2000
#define HEADFILE_KEYS_MAX 64

/* What is wrong, for people: "line 3 is no head". */
struct headfile_problem {
	const char *keys_path; /* the file it is about, where that is the one of the keys */
	char words[400];
};

/*
 * The heads of one tenant, in the arena; lines of others are passed over. 0,
 * -errno of the file, or ERR_FIELD_INVALID with *ret_problem.
 */
int headfile_read(const char *path, const char *tenant_id, struct arena *arena,
		  Pb__AuditHead ***ret_heads, size_t *ret_n, struct headfile_problem *ret_problem)
	_must_check_;
/* Adds a line at the end; the file is made where there is none. -errno. */
int headfile_add(const char *path, const char *line, size_t len) _must_check_;
/* One head as a line with its end, on the heap; NULL: out of memory. */
char *headfile_line(const Pb__AuditHead *head);

/*
 * Are all of them signed by a key of that file (lines "qmesh-audit-public KID
 * BASE64")? 0, -errno (of that file), ERR_FIELD_INVALID with *ret_problem.
 */
int headfile_check(const char *keys_path, Pb__AuditHead *const *heads, size_t n,
		   struct headfile_problem *ret_problem) _must_check_;

#endif
