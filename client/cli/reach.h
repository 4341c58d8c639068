/* SPDX-License-Identifier: Apache-2.0 */
/* How a command reaches its daemon: which one, with what trust and credential. */
#ifndef QM_REACH_H
#define QM_REACH_H

#include <protobuf-c/protobuf-c.h>

#include "client/cli/command.h"

#define REACH_NODE_SOCKET "unix:/run/qmesh/noded.sock"
#define REACH_CP_SOCKET "unix:/run/qmesh/cpd.sock"

/* For people's commands: the local node unless told otherwise, with the stored session. 0, or an
 * exit code after saying why. */
int reach_open(struct cli *cli) _must_check_;
/* For the operator's: the Control Panel's socket unless told otherwise, no session. */
int reach_open_operator(struct cli *cli) _must_check_;
/* Same as reach_open, but a missing session is the caller's business. */
int reach_open_anonymous(struct cli *cli) _must_check_;
void reach_close(struct cli *cli);

/* The exit code of a call: r of the stub, and the reply's status. Says why on stderr. The
 * reply is freed unless it is 0. */
int reach_outcome(const struct cli *cli, int r, struct qm_reply *reply) _must_check_;
int reach_exit_code(const struct status *s);

/* _cleanup_ for answers of the stubs. */
static inline void reach_free(void *p)
{
	ProtobufCMessage *msg = *(ProtobufCMessage **)p;

	if (msg)
		protobuf_c_message_free_unpacked(msg, NULL);
}

#endif
