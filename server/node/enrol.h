/* SPDX-License-Identifier: Apache-2.0 */
/* The first call of a node: a join token traded for an identity in a tenant. */
#ifndef QM_ENROL_H
#define QM_ENROL_H

#include <stdint.h>

#include "base/cleanup.h"
#include "server/node/identity.h"
#include "server/node/node_conf.h"
#include "server/node/trust.h"

struct enrolment {
	struct trust trust;
	char agent_token[1025];
	int64_t token_expires_at_ms;
};

/*
 * Blocks until the Control Panel is reached; stop tells when to give up.
 * Fills the ids and the pin of identity and saves it. > 0: refused, the words
 * are logged; the join token is of no use then.
 */
int enrol(const struct node_conf *conf, struct identity *identity, bool (*stop)(void),
	  struct enrolment *ret) _must_check_;
void enrolment_wipe(struct enrolment *e);
/* cp_pin of the configuration, hex or base64url. -EINVAL. */
int enrol_parse_pin(const char *s, uint8_t ret_pin[32]) _must_check_;

#endif
