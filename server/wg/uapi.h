/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client of the cross-platform WireGuard socket (wireguard.com/xplatform):
 * one connection per request, because a daemon swallows what follows a set.
 */
#ifndef QM_UAPI_H
#define QM_UAPI_H

#include "server/wg/wglist.h"

#define UAPI_DIR "/var/run/wireguard"

/* Somebody answers on the interface's socket. */
bool uapi_answers(const char *interface);
/* Everything the interface has. Free with wglist_done. */
int uapi_get(const char *interface, struct wg_list *ret_list) _must_check_;
int uapi_set_device(const char *interface, const struct key *private_key, uint16_t port)
	_must_check_;
/* Changes from .. from + n - 1 in one message. */
int uapi_apply(const char *interface, const struct wg_delta *d, size_t from, size_t n) _must_check_;
/* Line of an answer into the list; -EBADMSG. For uapi_get, tests and fuzzing. */
int uapi_parse_line(struct wg_list *l, const char *line) _must_check_;

#endif
