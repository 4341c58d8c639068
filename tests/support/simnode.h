/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real node without threads, sockets and a kernel: node, link and keeper as
 * qmesh-noded has them, taken turn by turn by whoever drives the clock. Three
 * things are not real: the interface (fakewg), the clock, and the wire, which
 * ends in a Control Panel of the same process (inproc). A program that uses
 * this is linked with the wraps of tests/model/CMakeLists.txt.
 */
#ifndef QM_SIMNODE_H
#define QM_SIMNODE_H

#include "base/frame.h"
#include "server/node/node.h"
#include "server/rpc/service.h"
#include "tests/support/fakewg.h"

#define SIMNODE_MAX 6000

struct simcall;

struct simnode {
	struct node node;
	unsigned index;
	char dir[96], address[32];
	struct fakewg *wg;
	struct services **services; /* the Control Panel's; *services NULL: it is away */
	struct simcall *stream;     /* open, or ended and not told yet */
	bool is_up;                 /* the process runs */
	bool is_cut;                /* nothing gets through, and both ends know */
	bool is_slow;               /* it takes nothing from its stream */
	uint64_t due_ms;
	unsigned n_hellos, n_reports, n_refused;
	unsigned n_asked_all;   /* hellos that show a head and ask for everything all the same */
	uint64_t not_before_ms; /* a drain was told: no stream earlier */
	unsigned n_early;       /* and there was one */
	struct frame *kept;     /* a list it was sent once */
	size_t most_waiting;
};

/* Its directory and interface; the index makes names. -errno. */
int simnode_init(struct simnode *n, unsigned index, const char *parent, struct services **services)
	_must_check_;
/* Starts the process; with a join token at its first start, which enrols. -errno. */
int simnode_start(struct simnode *n, const char *join_token) _must_check_;
/* As kill -9 does; interface and directory stay. */
void simnode_kill(struct simnode *n);
void simnode_done(struct simnode *n);

/* All that is due now, frames that wait included. True: there was something. */
bool simnode_run(struct simnode *n);
/* The connection breaks; while is_cut no new one comes. */
void simnode_break(struct simnode *n);
/* Takes one frame away that the node never sees. False: none waits. */
bool simnode_lose(struct simnode *n);
/* Gives it an old list again, signed and all. False: none was kept. */
bool simnode_replay(struct simnode *n);
/* A record of its list is gone from its memory, and the interface is made anew of the rest. False:
 * it has no device. */
bool simnode_spoil(struct simnode *n);

#endif
