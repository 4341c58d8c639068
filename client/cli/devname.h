/* SPDX-License-Identifier: Apache-2.0 */
/* Devices by the name that a person has for them: id, label or slug. */
#ifndef QM_DEVNAME_H
#define QM_DEVNAME_H

#include <stdbool.h>

#include "client/cli/command.h"
#include "gen/rpc/stubs.h"

/* All pages of ListDevices. */
struct devname_list {
	Pb__ListDevicesResponse **pages;
	size_t n_pages;
	Pb__Device **devices; /* of the pages */
	size_t n_devices;
};

/* 0, or an exit code after saying why. */
int devname_list(struct cli *cli, bool all, struct devname_list *ret_list) _must_check_;
void devname_list_done(struct devname_list *list);
/* The id of the device that is called so; ret_id must hold 37. An id is taken as it is. Own
 * devices first, then the tenant's where the caller may see them. */
int devname_find(struct cli *cli, const char *name, char *ret_id) _must_check_;

#endif
