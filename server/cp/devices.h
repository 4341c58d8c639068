/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: create, list, get, update, rotate, delete; each reads top to bottom. */
#ifndef QM_DEVICES_H
#define QM_DEVICES_H

#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/device_row.h"
#include "server/store/tenant_row.h"

/* As people see it. NULL: out of memory. */
Pb__Device *devices_fill(struct call *call, const struct tenant_row *tenant,
			 const struct device_row *row);
/* The answer to a change of a device: waits for its home, sets applied and status. */
int devices_answer(struct call *call, const struct device_row *row, uint64_t generation,
		   uint32_t wait_ms, Pb__Device *device);

/* What a read of one device, ended with r, is to this caller: 0, or the refusal. */
int devices_seen(struct call *call, int r, const struct device_row *row);

int devices_list(struct call *call, const Pb__ListDevicesRequest *in, Pb__ListDevicesResponse *out);
int devices_get(struct call *call, const Pb__GetDeviceRequest *in, Pb__GetDeviceResponse *out);
int devices_create(struct call *call, const Pb__CreateDeviceRequest *in,
		   Pb__CreateDeviceResponse *out);
int devices_update(struct call *call, const Pb__UpdateDeviceRequest *in,
		   Pb__UpdateDeviceResponse *out);
int devices_delete(struct call *call, const Pb__DeleteDeviceRequest *in,
		   Pb__DeleteDeviceResponse *out);

#endif
