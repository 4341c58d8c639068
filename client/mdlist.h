/* SPDX-License-Identifier: Apache-2.0 */
/* A list of metadata on the heap: names lower case, values wiped when dropped. */
#ifndef QM_MDLIST_H
#define QM_MDLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "client/qmesh.h"

struct mdlist {
	struct qm_md *v;
	size_t n, cap;
	size_t bytes; /* of names and values, with 32 for each entry as HPACK counts */
};

/* Copies; a NUL follows each value. -ENOMEM. */
int mdlist_add(struct mdlist *l, const char *name, size_t name_len, const char *value,
	       size_t value_len) _must_check_;
/* As received: values of "-bin" names are split at commas and decoded. -EBADMSG: not base64. */
int mdlist_add_wire(struct mdlist *l, const char *name, size_t name_len, const char *value,
		    size_t value_len) _must_check_;
/* As given by a caller, brought into the form of the wire. -EINVAL: a name or value that may not
 * be sent. */
int mdlist_add_own(struct mdlist *l, const struct qm_md *md) _must_check_;
/* Wipes and frees the entries. */
void mdlist_done(struct mdlist *l);

#endif
