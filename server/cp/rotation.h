/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new key without a gap: pending beside the active one until its home says
 * that it shook hands, or the overlap is over.
 */
#ifndef QM_ROTATION_H
#define QM_ROTATION_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"

int rotation_start(struct call *call, const Pb__RotateDeviceKeyRequest *in,
		   Pb__RotateDeviceKeyResponse *out);
/*
 * A home moved a device to its pending key: makes that the log's. Again, late
 * or from another node: nothing.
 */
int rotation_promoted(struct call *call, const Pb__Promoted *promoted) _must_check_;
/* Ends the overlaps that are over. */
int rotation_lapse(struct cp *cp) _must_check_;

#endif
