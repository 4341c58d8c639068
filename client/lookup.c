/* SPDX-License-Identifier: Apache-2.0 */
/* Looking host names up beside the I/O thread; see lookup.h. */
#include "client/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

struct lookup {
	atomic_uint refs;
	atomic_bool done;
	int wake_fd;
	int error; /* EAI_ */
	struct addrinfo *answer;
	char host[256];
	char port[8];
};

static void unref(struct lookup *l)
{
	if (atomic_fetch_sub(&l->refs, 1) != 1)
		return;
	if (l->answer)
		freeaddrinfo(l->answer);
	close_fdp(&l->wake_fd);
	free(l);
}

static void resolve(struct lookup *l, int flags)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};

	l->error = getaddrinfo(l->host, l->port, &hints, &l->answer);
	if (l->error)
		l->answer = NULL;
}

static void *run(void *arg)
{
	struct lookup *l = arg;
	uint64_t one = 1;

	resolve(l, AI_ADDRCONFIG);
	atomic_store(&l->done, true);
	if (write(l->wake_fd, &one, sizeof(one)) < 0) {
		/* The counter is full: the reader is awake anyway. */
	}
	unref(l);
	return NULL;
}

static int start_thread(struct lookup *l)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	if (pthread_attr_init(&attr) != 0)
		return -ENOMEM;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_store(&l->refs, 2);
	r = pthread_create(&thread, &attr, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r != 0)
		atomic_store(&l->refs, 1);
	return r == 0 ? 0 : -EAGAIN;
}

int lookup_start(const char *host, uint16_t port, int wake_fd, struct lookup **ret_lookup)
{
	struct lookup *l;
	int r;

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	atomic_init(&l->refs, 1);
	snprintf(l->host, sizeof(l->host), "%s", host);
	snprintf(l->port, sizeof(l->port), "%u", port);
	l->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	if (l->wake_fd < 0) {
		r = -errno;
		unref(l);
		return r;
	}
	resolve(l, AI_NUMERICHOST);
	if (l->answer) {
		atomic_store(&l->done, true);
	} else {
		r = start_thread(l);
		if (r < 0) {
			unref(l);
			return r;
		}
	}
	*ret_lookup = l;
	return 0;
}

bool lookup_done(const struct lookup *l)
{
	return atomic_load(&l->done);
}

const struct addrinfo *lookup_answer(const struct lookup *l)
{
	return l->answer;
}

const char *lookup_why(const struct lookup *l)
{
	return l->error == EAI_NONAME ? "no such host" : gai_strerror(l->error);
}

void lookup_free(struct lookup *l)
{
	if (l)
		unref(l);
}
