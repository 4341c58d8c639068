/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the kernel's generic netlink family "wireguard": what uapi.h is
 * for a userspace daemon. One socket per request, closed on every way out: a
 * dump left half read would keep the interface from ever being deleted.
 */
#ifndef QM_WGNL_H
#define QM_WGNL_H

#include "server/wg/wglist.h"

/* The kernel has the family, or loads it now; -ENOENT: it has not. */
int wgnl_family(uint16_t *ret_family) _must_check_;
/* Everything the interface has. Free with wglist_done. -EAGAIN: others change it all the time. */
int wgnl_get(const char *interface, struct wg_list *ret_list) _must_check_;
/* private_key NULL, port 0: stay as they are. */
int wgnl_set_device(const char *interface, const struct key *private_key, uint16_t port)
	_must_check_;
/* Changes from .. from + n - 1 in as few messages as hold them; ends at the first refused one. */
int wgnl_apply(const char *interface, const struct wg_delta *d, size_t from, size_t n) _must_check_;
/* All peers go at once. Only for an interface that goes too. */
int wgnl_clear(const char *interface) _must_check_;

#endif
