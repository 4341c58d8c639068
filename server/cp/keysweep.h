/* SPDX-License-Identifier: Apache-2.0 */
/* What a change of root keys means for each tenant: its audit, its sessions, its nodes. */
#ifndef QM_KEYSWEEP_H
#define QM_KEYSWEEP_H

#include "server/cp/cp.h"
#include "server/cp/keyring.h"
#include "server/store/audit_row.h"

struct keysweep {
	struct audit_row audit; /* without tenant and object */
	enum keyring_use use;
	uint32_t version; /* 0: the newest of its purpose */
	int64_t now_ms;
	bool end_sessions; /* all that were made until now_ms */
	uint32_t n_ended;  /* of them */
};

/* A row in each tenant's audit, with the end of its sessions in one write. */
int keysweep_run(struct cp *cp, struct keysweep *sweep) _must_check_;
/* Nodes that have not been connected since then, as far as this process knows. */
int keysweep_untold(struct cp *cp, int64_t since_ms, uint32_t *ret_n) _must_check_;

#endif
