/* SPDX-License-Identifier: Apache-2.0 */
/* The CAs that people trust for HTTPS on the mesh, as both daemons show them. Pure. */
#ifndef QM_CALIST_H
#define QM_CALIST_H

#include "base/arena.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

#define CALIST_PEM_MAX 16384
#define CALIST_MAX 4

/* From PEM text, one after the other. -EBADMSG: no certificate; -ENOMEM. */
int calist_fill(struct arena *arena, const char *pem, Pb__GetMeshCaResponse *out) _must_check_;

#endif
