/* SPDX-License-Identifier: Apache-2.0 */
/* The Control Panel's parts, as handlers find them in call->owner. */
#ifndef QM_CP_H
#define QM_CP_H

#include <stdatomic.h>

#include "server/cp/cp_conf.h"
#include "server/cp/tally.h"
#include "server/rpc/call.h"
#include "server/rpc/service.h"
#include "server/store/store.h"

struct denials;
struct headsign;
struct health;
struct hub;
struct issuers;
struct keyring;
struct inspection;
struct licensing;
struct manners;
struct misdeeds;
struct passwords;
struct presence;
struct progress;
struct replays;
struct server;
struct ticker;
struct watch;

struct cp {
	struct cp_conf conf;
	int state_fd; /* holds the state directory against another process */
	struct store *store;
	struct keyring *keyring;
	struct licensing *licensing;
	struct issuers *issuers;
	struct passwords *passwords;
	struct hub *hub;
	struct progress *progress;
	struct presence *presence;
	struct replays *replays;
	struct denials *denials;
	struct inspection *inspection;
	struct manners *manners;
	struct misdeeds *misdeeds;
	struct tally tally;
	struct headsign *headsign;
	struct watch *watch;
	struct ticker *ticker;
	struct server *server; /* the daemon's, while it serves */
	struct health *health; /* the daemon's; before cp_services */
	atomic_bool unheard;   /* unheard.c's */
};

/* Everything but the server: opens the store, loads keys, starts the threads. */
int cp_new(const struct cp_conf *conf, struct cp **ret_cp) _must_check_;
void cp_free(struct cp *cp);
CLEANUP_DEFINE(struct cp, cp_free);
/* Methods and hooks of this daemon. NULL: out of memory. */
struct services *cp_services(struct cp *cp);

#endif
