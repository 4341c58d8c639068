/* SPDX-License-Identifier: Apache-2.0 */
/* Why a device is not connected, as its home last reported. */
#ifndef QM_EXPLAIN_H
#define QM_EXPLAIN_H

#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/rpc/call.h"

int explain_device(struct call *call, const Pb__ExplainDeviceRequest *in,
		   Pb__ExplainDeviceResponse *out);

#endif
