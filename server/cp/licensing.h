/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The licence in force. It lies in the store; licence_file is where new ones are
 * looked for. Whatever changes it, or the time, goes into the rows of the tenants
 * at once, and from there to nodes and people. Any thread.
 */
#ifndef QM_LICENSING_H
#define QM_LICENSING_H

#include "server/cp/cp.h"
#include "server/cp/licence.h"

struct licensing;

/* Loads keys, what is installed and the file, and settles all tenants. */
int licensing_new(struct cp *cp, struct licensing **ret_licensing) _must_check_;
void licensing_free(struct licensing *l);

/* Every second: a file that changed, a date that passed, rows that the store refused before. */
void licensing_tick(struct licensing *l);
/* Another licence may be installed than was thought: the next tick looks. Any thread. */
void licensing_doubt(struct licensing *l);
/* On SIGHUP: vendor keys and file are read anew. */
void licensing_reload(struct licensing *l);
/* Puts text in force and settles. ERR_LICENCE_INVALID with the fault. */
int licensing_install(struct licensing *l, const char *text, struct licence_fault *ret_fault)
	_must_check_;
/* As licensing_install would judge; *ret_in_force: it is the one there is. */
int licensing_verify(struct licensing *l, const char *text, struct licence *ret_licence,
		     bool *ret_in_force, struct licence_fault *ret_fault) _must_check_;

/* How things stand. */
struct licensing_look {
	bool has;
	struct licence licence;
	enum plans_licence state;
	int64_t installed_ms;
	int64_t now_ms; /* the time that licences count by, see wallmark.h */
	struct uuid panel;
	char file_problem[301];
};
void licensing_get(struct licensing *l, struct licensing_look *ret);

/*
 * Plan, cap and the rest into a tenant's row. keep_trial: one that begins now,
 * while a licence is in force, which does not end it. Touches nothing else.
 */
void licensing_apply(const struct licensing_look *look, const struct plan_caps *caps,
		     bool keep_trial, struct tenant_row *tenant);
/* The rows of all tenants as they should be now; what fails, the next tick tries again. */
int licensing_settle(struct licensing *l);

#endif
