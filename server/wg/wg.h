/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One WireGuard interface behind a back end: the seam. One thread at a time
 * owns a struct wg: then dumps and changes never meet. Nothing is rolled back
 * by any back end: after an error dump and compare again.
 */
#ifndef QM_WG_H
#define QM_WG_H

#include "server/wg/wglist.h"

#define WG_NAME_MAX 15
#define WG_PREFIX_MAX 131072

struct wg;

struct wg_options {
	const char *interface; /* at most WG_NAME_MAX characters */
	const char *state_dir; /* pid file and log of the userspace daemon */
	const char *userspace; /* program, "wireguard-go" */
};

/* What a back end is. interface and state_dir come from the struct wg. */
struct wg_backend {
	const char *name; /* "userspace", "kernel" */
	/* Makes the interface, or adopts the one there is; *ret_made tells. */
	int (*open)(const struct wg_options *o, bool *ret_made);
	/* Removes it; 0 when there was none. */
	int (*destroy)(const struct wg_options *o);
	/* Never sends what the interface has already: a key sent again costs sessions. */
	int (*set_device)(const struct wg_options *o, const struct key *private_key, uint16_t port);
	int (*dump)(const struct wg_options *o, struct wg_list *ret_list);
	/* All changes in one message, in order. */
	int (*apply)(const struct wg_options *o, const struct wg_delta *d, size_t from, size_t n);
};

extern const struct wg_backend wg_userspace, wg_kernel;

/*
 * backend NULL: that of the interface if it is there, else the kernel's if it
 * has one, else userspace. -EINVAL, -ENOMEM. Touches nothing yet.
 */
int wg_new(const struct wg_options *o, const struct wg_backend *backend, struct wg **ret_wg)
	_must_check_;
void wg_free(struct wg *w); /* the interface stays */
CLEANUP_DEFINE(struct wg, wg_free);
const char *wg_backend_name(const struct wg *w);
/* Why this one: "the kernel has WireGuard". */
const char *wg_backend_why(const struct wg *w);
int wg_open(struct wg *w, bool *ret_made) _must_check_;
int wg_destroy(struct wg *w) _must_check_;
int wg_set_device(struct wg *w, const struct key *private_key, uint16_t port) _must_check_;
/* Free with wglist_done. */
int wg_dump(struct wg *w, struct wg_list *ret_list) _must_check_;
int wg_apply(struct wg *w, const struct wg_delta *d) _must_check_;
/* Each change on its own; failed is told of those that were refused. The last error or 0. */
int wg_apply_each(struct wg *w, const struct wg_delta *d,
		  void (*failed)(void *arg, const struct wg_change *c, int error), void *arg);

#endif
