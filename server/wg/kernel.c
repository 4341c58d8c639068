/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end with the kernel's own module. The interface outlives us by
 * itself; teardown clears the peers first, because the kernel deletes a link
 * by some ten milliseconds a peer.
 */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "server/wg/netif.h"
#include "server/wg/wg.h"
#include "server/wg/wgneeds.h"
#include "server/wg/wgnl.h"

#define KIND "wireguard"

static int open_kernel(const struct wg_options *o, bool *ret_made)
{
	char kind[NETIF_KIND_LEN];
	int r;

	r = netif_kind(o->interface, kind);
	if (r == 0 && strcmp(kind, KIND) == 0) {
		*ret_made = false;
		return 0;
	}
	if (r == 0) {
		wgneeds_say_taken(o, wg_kernel.name);
		return err_origin(-EEXIST);
	}
	r = netif_create(o->interface, KIND);
	if (r) {
		log_error("wg", "the kernel makes no WireGuard interface: %s%s", strerror(-r),
			  r == -EPERM ? "; run this as root or with CAP_NET_ADMIN" : "");
		return r;
	}
	log_info("wg", "%s made by the kernel", o->interface);
	*ret_made = true;
	return 0;
}

static int destroy_kernel(const struct wg_options *o)
{
	char kind[NETIF_KIND_LEN];
	int r;

	r = netif_kind(o->interface, kind);
	if (r == -ENODEV)
		return 0;
	if (!r && strcmp(kind, KIND) != 0) {
		wgneeds_say_taken(o, wg_kernel.name);
		r = err_origin(-EBUSY);
	}
	if (!r)
		r = wgnl_clear(o->interface);
	return r ? r : netif_delete(o->interface);
}

/* The kernel keeps a key clamped and takes the same one unclamped for another. */
static struct key clamped(const struct key *private_key)
{
	struct key k = *private_key;

	k.b[0] &= 248;
	k.b[31] = (uint8_t)((k.b[31] & 127) | 64);
	return k;
}

static int set_device(const struct wg_options *o, const struct key *private_key, uint16_t port)
{
	_cleanup_(wglist_done) struct wg_list now = {0};
	_cleanup_(key_wipe) struct key wanted = clamped(private_key);
	bool same_key;
	int r;

	r = wgnl_get(o->interface, &now);
	if (r)
		return err_trace(r);
	same_key = key_equal(&now.private_key, &wanted);
	if (same_key && now.listen_port == port)
		return 0;
	r = now.listen_port == port ? 0 : wgneeds_port(port);
	if (r)
		return r;
	return wgnl_set_device(o->interface, same_key ? NULL : &wanted,
			       now.listen_port == port ? 0 : port);
}

static int dump(const struct wg_options *o, struct wg_list *ret_list)
{
	return wgnl_get(o->interface, ret_list);
}

static int apply(const struct wg_options *o, const struct wg_delta *d, size_t from, size_t n)
{
	return wgnl_apply(o->interface, d, from, n);
}

const struct wg_backend wg_kernel = {
	.name = "kernel",
	.open = open_kernel,
	.destroy = destroy_kernel,
	.set_device = set_device,
	.dump = dump,
	.apply = apply,
};
