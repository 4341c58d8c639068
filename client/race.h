/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to the addresses of one host that race each other (Happy
 * Eyeballs v2, RFC 8305): families in turn, IPv6 first, the next attempt when
 * the last has failed or after 250 ms; the first that stands wins and the
 * others are closed, until it proves to be no good. Addresses may be added while it runs.
 * Non-blocking.
 */
#ifndef QM_RACE_H
#define QM_RACE_H

#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define RACE_STAGGER_MS 250
/* Addresses of one family that are looked at. */
#define RACE_FAMILY_MAX 8
#define RACE_MAX (2 * RACE_FAMILY_MAX)

struct race_runner {
	struct sockaddr_storage addr;
	socklen_t addr_len;
	int fd;    /* -1: not yet, or done for */
	int error; /* why it is done for; 0 */
	bool started;
	char said[160]; /* why it is done for although it stood; "" */
};

struct race {
	struct race_runner runners[RACE_MAX]; /* in order of arrival */
	size_t n;
	int last_family;
	uint64_t next_at; /* the next attempt starts then */
	int winner;       /* index or -1 */
};

enum race_state { RACE_RUNS, RACE_WON, RACE_LOST };

void race_init(struct race *r);
/* Closes what was not taken. */
void race_done(struct race *r);
/* Addresses beyond RACE_FAMILY_MAX of a family are left out. */
void race_add(struct race *r, const struct sockaddr *addr, socklen_t len);
void race_add_all(struct race *r, const struct addrinfo *list);
/* Starts what is due and looks how the others are. Lost: all that was added has failed. */
enum race_state race_step(struct race *r, uint64_t now_ms);
/* The winner's descriptor, the caller's from now on; the others are closed, and may run again. */
int race_take(struct race *r);
/* What the winner led to was no good: the race goes on without it. why: for race_why. */
void race_lose(struct race *r, const char *why);
/* Is there one that has not had its try? */
bool race_has_more(const struct race *r);
/* When race_step must run at the latest; UINT64_MAX: when a descriptor is ready. */
uint64_t race_due(const struct race *r);
/* RACE_MAX at most. */
nfds_t race_poll(const struct race *r, struct pollfd *ret_fds);
/* What became of each address: the reason alone when there was just one. */
void race_why(const struct race *r, const char *if_open, char *ret, size_t cap);

#endif
