/* SPDX-License-Identifier: Apache-2.0 */
/* One rule as nft prints it, held against one packet. Pure. */
#ifndef QM_NFTRULE_H
#define QM_NFTRULE_H

#include <stdbool.h>

#include "server/wg/ruleset.h"

enum nftrule_verdict {
	NFTRULE_NONE, /* does not match, or that cannot be told */
	NFTRULE_ACCEPT,
	NFTRULE_DROP, /* or rejected */
	NFTRULE_RETURN,
	NFTRULE_JUMP,
	NFTRULE_GOTO,
};

/* The target of JUMP and GOTO, RULESET_NAME_LEN. */
enum nftrule_verdict nftrule_judge(const char *rule, const struct ruleset_packet *packet,
				   char ret_target[RULESET_NAME_LEN]);
/* It is `jump TARGET` for every packet. */
bool nftrule_jumps_always(const char *rule, char ret_target[RULESET_NAME_LEN]);

#endif
