/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tenant that lives: people, a node that listens, a device, on a panel in
 * this process, and a second look at the store past all faults.
 */
#ifndef QM_WORLD_H
#define QM_WORLD_H

#include <stdio.h>

#include "base/sign.h"
#include "tests/support/follower.h"

#define WORLD_PASSWORD "correct horse battery"
#define WORLD_VALUE_LEN 512

struct world {
	struct panel panel;
	struct panel_answer *answer;
	struct follower node;
	char admin_token[4096], bob_token[4096], agent_token[4096], join_token[256];
	struct panel_who admin, bob, agent, operator_, nobody;
	char node_id[UUID_TEXT_LEN + 1], device_id[UUID_TEXT_LEN + 1], other_id[UUID_TEXT_LEN + 1];
	uint8_t identity_public[SIGN_PUBLIC_LEN], identity_secret[SIGN_SECRET_LEN];
	unsigned i; /* of names that are used once */
};

/* Ends the program when it does not come about: nothing is armed yet. */
void world_init(struct world *w);
/* The parts of world_restart, with panel_open between them. */
void world_stop(struct world *w);
void world_listen(struct world *w);
/* Starts the panel again on what it left; the node comes back. */
void world_restart(struct world *w);
void world_done(struct world *w);

/* An answer in w->answer; ends the program unless it was good. */
void world_must(struct world *w, const struct panel_who *who, const struct method *method,
		const void *in);
/* The call as it falls out. -ENOMEM: not even begun. */
int world_try(struct world *w, const struct panel_who *who, const struct method *method,
	      const void *in);
/* The last answer, unpacked: free with protobuf_c_message_free_unpacked. */
ProtobufCMessage *world_out(struct world *w, const ProtobufCMessageDescriptor *descriptor);

/* Things to have before the call that counts; each ends the program when refused. */
void world_login(struct world *w, const char *user, char *ret_token, size_t cap);
void world_create(struct world *w, const char *label, char ret_id[UUID_TEXT_LEN + 1]);
void world_invite(struct world *w);
void world_enroll(struct world *w, const char *name, char ret_id[UUID_TEXT_LEN + 1]);

/* First column of the first row, text or hex; "" without one. Opened and closed at once. */
void world_value(struct world *w, const char *sql, char ret[WORLD_VALUE_LEN]);
/* What must always hold, in store and node; NULL, or what does not. */
const char *world_fault(struct world *w);

#endif
