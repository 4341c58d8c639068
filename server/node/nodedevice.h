/* SPDX-License-Identifier: Apache-2.0 */
/* MeshService at a node, devices: list, one, its traffic, why it is not connected. */
#ifndef QM_NODEDEVICE_H
#define QM_NODEDEVICE_H

#include "quazzar/mesh/v1/mesh.pb-c.h"

struct call;

int nodedevice_list(struct call *call, const Pb__ListDevicesRequest *in,
		    Pb__ListDevicesResponse *out);
int nodedevice_get(struct call *call, const Pb__GetDeviceRequest *in, Pb__GetDeviceResponse *out);
int nodedevice_stats(struct call *call, const Pb__GetDeviceStatsRequest *in,
		     Pb__GetDeviceStatsResponse *out);
int nodedevice_why(struct call *call, const Pb__ExplainDeviceRequest *in,
		   Pb__ExplainDeviceResponse *out);

#endif
