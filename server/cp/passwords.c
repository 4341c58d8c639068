/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/passwords.h"

#include <pthread.h>

#include "base/limits.h"
#include "server/cp/cp.h"

enum { AT_ONCE = LIMIT_PASSWORDS_AT_ONCE, QUEUE = LIMIT_PASSWORDS_WAITING, RETRY_MS = 1000 };

struct passwords {
	pthread_mutex_t lock;
	pthread_cond_t room;
	unsigned running, waiting;
};

struct passwords *passwords_new(void)
{
	struct passwords *p = calloc(1, sizeof(*p));

	if (p) {
		pthread_mutex_init(&p->lock, NULL);
		pthread_cond_init(&p->room, NULL);
	}
	return p;
}

void passwords_free(struct passwords *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->room);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Those who wait hold a worker each: half of the workers are left to everybody else. */
static unsigned places(const struct cp *cp)
{
	unsigned half = (unsigned)cp->conf.workers / 2;

	return half > AT_ONCE + QUEUE ? AT_ONCE + QUEUE : half ? half : 1;
}

static int enter(struct passwords *p, struct call *call)
{
	bool full;

	pthread_mutex_lock(&p->lock);
	full = p->running + p->waiting >= places(call->owner);
	if (!full) {
		p->waiting++;
		while (p->running == AT_ONCE)
			pthread_cond_wait(&p->room, &p->lock);
		p->waiting--;
		p->running++;
	}
	pthread_mutex_unlock(&p->lock);
	if (!full)
		return 0;
	call_fail(call, ERR_RATE_LIMITED, "Too many sign-ins at this moment. Try again.");
	status_retry(&call->status, RETRY_MS);
	return ERR_RATE_LIMITED;
}

static void leave(struct passwords *p)
{
	pthread_mutex_lock(&p->lock);
	p->running--;
	pthread_cond_signal(&p->room);
	pthread_mutex_unlock(&p->lock);
}

int passwords_hash(struct passwords *p, struct call *call, const char *password,
		   char ret_hash[PASSWORD_HASH_LEN])
{
	int r = enter(p, call);

	if (r)
		return r;
	r = password_hash(password, ret_hash);
	leave(p);
	return err_trace(r);
}

int passwords_check(struct passwords *p, struct call *call, const char *hash, const char *password)
{
	bool good;
	int r = enter(p, call);

	if (r)
		return r;
	good = password_verify(hash, password);
	leave(p);
	return good ? 0 : ERR_LOGIN_FAILED;
}
