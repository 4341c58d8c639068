/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two queues, one lock. A job wakes an idle thread; with none idle and fewer
 * than max, a new thread is made. Threads are detached and counted.
 */
#include "server/rpc/lane.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#define STACK_LEN (1u << 20)
#define IDLE_S 60
#define QUEUE_MAX 8192 /* more are refused: they would time out in the queue */

struct lane_pool {
	pthread_mutex_t lock;
	pthread_cond_t work, gone;
	struct lane_job *head[2], **tail[2]; /* the second waits behind the first */
	unsigned max, n_threads, n_idle, n_queued, n_second;
	bool stop;
};

struct lane_pool *lane_new(unsigned max_threads)
{
	struct lane_pool *l = calloc(1, sizeof(*l));
	pthread_condattr_t attr;

	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->work, &attr);
	pthread_cond_init(&l->gone, &attr);
	pthread_condattr_destroy(&attr);
	l->tail[0] = &l->head[0];
	l->tail[1] = &l->head[1];
	l->max = max_threads;
	return l;
}

/* A quarter of the threads is never for the second queue; of one thread there is no quarter. */
static struct lane_job *take(struct lane_pool *l, bool *ret_second)
{
	bool second = !l->head[0] && l->n_second < l->max - l->max / 4;
	struct lane_job *job = l->head[second];

	if (!job)
		return NULL;
	l->head[second] = job->next;
	if (!l->head[second])
		l->tail[second] = &l->head[second];
	l->n_queued--;
	l->n_second += second;
	*ret_second = second;
	return job;
}

/* Waits for work; false after IDLE_S without any. Called with the lock held. */
static bool wait_work(struct lane_pool *l)
{
	struct timespec until;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	l->n_idle++;
	r = pthread_cond_timedwait(&l->work, &l->lock, &until);
	l->n_idle--;
	return r != ETIMEDOUT || l->head[0] || l->head[1];
}

static void *worker(void *arg)
{
	struct lane_pool *l = arg;

	pthread_mutex_lock(&l->lock);
	for (;;) {
		bool second;
		struct lane_job *job = take(l, &second);

		if (job) {
			pthread_mutex_unlock(&l->lock);
			job->fn(job);
			pthread_mutex_lock(&l->lock);
			l->n_second -= second;
		} else if (l->stop || !wait_work(l)) {
			break;
		}
	}
	l->n_threads--;
	pthread_cond_broadcast(&l->gone);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static int spawn(struct lane_pool *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_LEN);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&thread, &attr, worker, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (r == 0)
		l->n_threads++;
	return r;
}

int lane_post(struct lane_pool *l, struct lane_job *job, bool second)
{
	int r = 0;

	pthread_mutex_lock(&l->lock);
	if (l->stop) {
		r = -ESHUTDOWN;
	} else if (l->n_queued >= (second ? QUEUE_MAX / 2 : QUEUE_MAX)) {
		r = -EAGAIN;
	} else if (l->n_idle > l->n_queued || l->n_threads >= l->max) {
		pthread_cond_signal(&l->work);
	} else if (spawn(l) < 0 && l->n_threads == 0) {
		r = -EAGAIN;
	}
	if (r == 0) {
		job->next = NULL;
		*l->tail[second] = job;
		l->tail[second] = &job->next;
		l->n_queued++;
	}
	pthread_mutex_unlock(&l->lock);
	return r;
}

void lane_stop(struct lane_pool *l)
{
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->work);
	while (l->n_threads > 0)
		pthread_cond_wait(&l->gone, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

void lane_free(struct lane_pool *l)
{
	if (!l)
		return;
	lane_stop(l);
	pthread_cond_destroy(&l->work);
	pthread_cond_destroy(&l->gone);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
