/* SPDX-License-Identifier: Apache-2.0 */
/* The handle of an interface: options and the back end that serves it. */
#include "server/wg/wg.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "server/wg/netif.h"
#include "server/wg/uapi.h"
#include "server/wg/wgnl.h"

struct wg {
	struct wg_options options;
	const struct wg_backend *backend;
	const char *why;
	char *interface, *state_dir, *userspace;
};

/* Sessions count more than speed: an interface that runs keeps the back end it has. */
static const struct wg_backend *choose(const char *interface, const char **ret_why)
{
	char kind[NETIF_KIND_LEN];
	uint16_t family;
	int r;

	r = netif_kind(interface, kind);
	if (!r && strcmp(kind, "wireguard") == 0) {
		*ret_why = "the interface is there, a kernel one";
		return &wg_kernel;
	}
	if (!r && uapi_answers(interface)) {
		*ret_why = "the interface is there, a userspace one";
		return &wg_userspace;
	}
	if (wgnl_family(&family)) {
		*ret_why = "the kernel has no WireGuard";
		return &wg_userspace;
	}
	*ret_why = "the kernel has WireGuard";
	return &wg_kernel;
}

int wg_new(const struct wg_options *o, const struct wg_backend *backend, struct wg **ret_wg)
{
	_cleanup_(wg_freep) struct wg *w = NULL;

	if (!o->interface[0] || strlen(o->interface) > WG_NAME_MAX || strchr(o->interface, '/'))
		return err_origin(-EINVAL);
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_origin(-ENOMEM);
	w->why = "as configured";
	w->backend = backend ? backend : choose(o->interface, &w->why);
	w->interface = strdup(o->interface);
	w->state_dir = strdup(o->state_dir);
	w->userspace = strdup(o->userspace ? o->userspace : "wireguard-go");
	if (!w->interface || !w->state_dir || !w->userspace)
		return err_origin(-ENOMEM);
	w->options = (struct wg_options){
		.interface = w->interface, .state_dir = w->state_dir, .userspace = w->userspace};
	*ret_wg = TAKE(w);
	return 0;
}

void wg_free(struct wg *w)
{
	if (!w)
		return;
	free(w->interface);
	free(w->state_dir);
	free(w->userspace);
	free(w);
}

const char *wg_backend_name(const struct wg *w)
{
	return w->backend->name;
}

const char *wg_backend_why(const struct wg *w)
{
	return w->why;
}

int wg_open(struct wg *w, bool *ret_made)
{
	return w->backend->open(&w->options, ret_made);
}

int wg_destroy(struct wg *w)
{
	return w->backend->destroy(&w->options);
}

int wg_set_device(struct wg *w, const struct key *private_key, uint16_t port)
{
	return w->backend->set_device(&w->options, private_key, port);
}

int wg_dump(struct wg *w, struct wg_list *ret_list)
{
	return w->backend->dump(&w->options, ret_list);
}

int wg_apply(struct wg *w, const struct wg_delta *d)
{
	return d->n_changes ? w->backend->apply(&w->options, d, 0, d->n_changes) : 0;
}

int wg_apply_each(struct wg *w, const struct wg_delta *d,
		  void (*failed)(void *arg, const struct wg_change *c, int error), void *arg)
{
	int last = 0;

	for (size_t i = 0; i < d->n_changes; i++) {
		int r = w->backend->apply(&w->options, d, i, 1);

		if (r) {
			last = r;
			failed(arg, &d->changes[i], r);
		}
	}
	return last;
}
