/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a device is not connected: of our own devices from what this node has,
 * of others' from what the Control Panel was told, while it can be asked.
 */
#ifndef QM_NODEWHY_H
#define QM_NODEWHY_H

#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/rpc/call.h"

int nodewhy_explain(struct call *call, const Pb__ExplainDeviceRequest *in,
		    Pb__ExplainDeviceResponse *out);

#endif
