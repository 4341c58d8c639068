/* SPDX-License-Identifier: Apache-2.0 */
/* MeshService at a node, devices: list, one, its traffic. */
#ifndef QM_NODEDEVICE_H
#define QM_NODEDEVICE_H

#include "base/cleanup.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

struct call;
struct member;

int nodedevice_list(struct call *call, const Pb__ListDevicesRequest *in,
		    Pb__ListDevicesResponse *out);
int nodedevice_get(struct call *call, const Pb__GetDeviceRequest *in, Pb__GetDeviceResponse *out);
int nodedevice_stats(struct call *call, const Pb__GetDeviceStatsRequest *in,
		     Pb__GetDeviceStatsResponse *out);
/*
 * With the replica's lock held: a device that the caller may see, auditors all
 * of them; else the refusal.
 */
int nodedevice_find(struct call *call, const char *id_text, const struct member **ret) _must_check_;

#endif
