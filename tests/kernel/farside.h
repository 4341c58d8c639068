/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of the tunnel: a process in a network namespace of its own,
 * with an interface of the back end under test, that sends probes through the
 * tunnel until told to stop, and says how many came back.
 */
#ifndef QM_FARSIDE_H
#define QM_FARSIDE_H

#include "server/wg/wg.h"

#define FARSIDE_PORT 7777

struct farside {
	pid_t pid, echo_pid;
	int to, from; /* pipes */
	struct key public_key;
};

struct farside_count {
	unsigned sent, echoed;
};

/* Forks it; its end of the cable is not there yet. state_dir holds its wireguard-go's files. */
int farside_start(struct farside *f, const struct wg_backend *backend, const char *state_dir);
/* Cable, interface, peer (near's key, preshared key, 192.0.2.1:51820), address 10.77.0.2/16. */
int farside_connect(struct farside *f, const struct key *near_public, const struct key *psk);
/* Echo of datagrams and streams at our end, on FARSIDE_PORT of every address. */
int farside_serve_echo(struct farside *f);
/* 'u': datagrams, each waited for; 't': one TCP stream. */
void farside_probe(struct farside *f, char kind);
struct farside_count farside_stop_probe(struct farside *f);
/* Its interface goes, then it ends. 0: all went well there. */
int farside_end(struct farside *f);

#endif
