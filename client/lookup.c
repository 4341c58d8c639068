/* SPDX-License-Identifier: Apache-2.0 */
/* Looking host names up beside the I/O thread; see lookup.h. */
#include "client/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* One family's question: shared by its thread and the lookup. */
struct query {
	atomic_uint refs;
	atomic_bool done;
	int wake_fd;
	int family;
	int error; /* EAI_ */
	struct addrinfo *answer;
	char host[256];
	char port[8];
};

struct lookup {
	struct query *queries[LOOKUP_FAMILIES];
};

static void unref(struct query *q)
{
	if (!q || atomic_fetch_sub(&q->refs, 1) != 1)
		return;
	if (q->answer)
		freeaddrinfo(q->answer);
	close_fdp(&q->wake_fd);
	free(q);
}

static void resolve(struct query *q, int flags)
{
	struct addrinfo hints = {.ai_family = q->family,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = flags | AI_NUMERICSERV};

	q->error = getaddrinfo(q->host, q->port, &hints, &q->answer);
	if (q->error)
		q->answer = NULL;
}

static void *run(void *arg)
{
	struct query *q = arg;
	uint64_t one = 1;

	resolve(q, 0);
	atomic_store(&q->done, true);
	if (write(q->wake_fd, &one, sizeof(one)) < 0) {
		/* The counter is full: the reader is awake anyway. */
	}
	unref(q);
	return NULL;
}

static int start_thread(struct query *q)
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
	atomic_fetch_add(&q->refs, 1);
	r = pthread_create(&thread, &attr, run, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r != 0)
		unref(q);
	return r == 0 ? 0 : -EAGAIN;
}

static int new_query(const char *host, uint16_t port, int wake_fd, int family,
		     struct query **ret_query)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	atomic_init(&q->refs, 1);
	q->family = family;
	snprintf(q->host, sizeof(q->host), "%s", host);
	snprintf(q->port, sizeof(q->port), "%u", port);
	q->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	*ret_query = q;
	return q->wake_fd < 0 ? -errno : 0;
}

/* An address in text answers one family and leaves the other without an answer. */
static bool answer_text(struct lookup *l)
{
	bool found = false;

	for (int i = 0; i < LOOKUP_FAMILIES; i++) {
		resolve(l->queries[i], AI_NUMERICHOST);
		found |= l->queries[i]->answer != NULL;
	}
	for (int i = 0; i < LOOKUP_FAMILIES && found; i++)
		atomic_store(&l->queries[i]->done, true);
	return found;
}

int lookup_start(const char *host, uint16_t port, int wake_fd, struct lookup **ret_lookup)
{
	static const int families[LOOKUP_FAMILIES] = {AF_INET6, AF_INET};
	struct lookup *l;
	int r = 0;

	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	for (int i = 0; i < LOOKUP_FAMILIES && r == 0; i++)
		r = new_query(host, port, wake_fd, families[i], &l->queries[i]);
	if (r == 0 && !answer_text(l))
		for (int i = 0; i < LOOKUP_FAMILIES && r == 0; i++)
			r = start_thread(l->queries[i]);
	if (r < 0) {
		lookup_free(l);
		return r;
	}
	*ret_lookup = l;
	return 0;
}

bool lookup_done(const struct lookup *l, enum lookup_family family)
{
	return atomic_load(&l->queries[family]->done);
}

const struct addrinfo *lookup_answer(const struct lookup *l, enum lookup_family family)
{
	return l->queries[family]->answer;
}

const char *lookup_why(const struct lookup *l)
{
	int v4 = l->queries[LOOKUP_V4]->error, v6 = l->queries[LOOKUP_V6]->error;
	/* "No address of this family" explains less than whatever went wrong with the other. */
	int e = v4 == EAI_NONAME || v4 == EAI_NODATA || v4 == EAI_ADDRFAMILY ? v6 : v4;

	if (e == EAI_NONAME || e == EAI_NODATA || e == EAI_ADDRFAMILY)
		return "no such host";
	return gai_strerror(e);
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	for (int i = 0; i < LOOKUP_FAMILIES; i++)
		unref(l->queries[i]);
	free(l);
}
