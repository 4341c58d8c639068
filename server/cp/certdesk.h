/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for HTTPS on the mesh: a tenant's CAs, made when they are first asked for, and
 * what nodes get of them. The keys derive from the root key "ca" (keyring.h); the store has
 * the CAs' certificates.
 */
#ifndef QM_CERTDESK_H
#define QM_CERTDESK_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"

int certdesk_issue(struct call *call, const Pb__IssueCertificateRequest *in,
		   Pb__IssueCertificateResponse *out);
int certdesk_ca(struct call *call, const Pb__GetMeshCaRequest *in, Pb__GetMeshCaResponse *out);
/* The event Certificate: which CAs are live. NULL: out of memory. */
struct frame *certdesk_frame(struct cp *cp);

#endif
