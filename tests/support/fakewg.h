/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WireGuard back end in memory, found by its interface's name: peers, who holds
 * which prefix, handshakes as a test makes them. Takes messages as the kernel
 * does: a prefix moves to its newest holder, what is refused ends the message
 * and nothing before it is undone. Counts messages, what each one
 * touched, and dumps.
 */
#ifndef QM_FAKEWG_H
#define QM_FAKEWG_H

#include "server/wg/wg.h"

struct fakewg_peer {
	struct wg_peer is;      /* its place in a list is not kept */
	uint64_t born, touched; /* numbers of messages: that made it, that named it last */
	struct cidr *prefixes;
	size_t n_prefixes, cap_prefixes, at;
};

struct fakewg {
	char interface[WG_NAME_MAX + 1];
	struct fakewg_peer **peers; /* in no order */
	size_t n_peers, cap_peers;
	void *by_key, *claims; /* trees */
	struct key private_key;
	uint16_t port;
	bool is_there;
	uint64_t n_messages, n_changes, n_dumps;
	char fault[160]; /* the first message that made no sense; "": none */
	/* May be NULL. True: this peer may not be added. */
	bool (*refuses)(void *arg, const struct key *public_key);
	/* A prefix that nobody holds after this change. */
	void (*lost)(void *arg, const struct cidr *prefix);
	/* Before it is carried out. */
	void (*change)(void *arg, const struct wg_delta *d, const struct wg_change *c);
	void *arg;
};

extern const struct wg_backend fakewg_backend;

/* One for each name. NULL: out of memory. */
struct fakewg *fakewg_new(const char *interface);
void fakewg_free(struct fakewg *f);
/* NULL: not there, or nobody. */
struct fakewg_peer *fakewg_peer(const struct fakewg *f, const struct key *public_key);
struct fakewg_peer *fakewg_holder(const struct fakewg *f, const struct cidr *prefix);

#endif
