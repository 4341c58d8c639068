/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O thread of a client; see channel.h. One round: take the inbox, let the
 * engine work, sleep in poll. Callbacks of calls run here, with no lock held,
 * so they may start, pause and cancel calls.
 *
 * Time is CLOCK_MONOTONIC and not base/clock.h: these are timeouts of real
 * sockets, which a test's clock cannot move.
 */
#include "client/channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/sign.h"
#include "client/engine.h"
#include "client/target.h"

#define DEFAULT_MESSAGE (4 * 1024 * 1024)
#define DEFAULT_KEEPALIVE_MS 20000
#define DEFAULT_CONNECT_MS 10000
#define LONGEST_SLEEP_MS 3600000

struct channel {
	atomic_uint refs;
	pthread_t thread;
	int wake_fd;
	pthread_mutex_t lock;
	/* Under the lock. */
	TAILQ_HEAD(, qm_call) inbox;
	bool stopping;
	struct pin_set pins;
	/* Fixed after channel_new. */
	struct target target;
	struct qtls *tls;
	char *server_name, *user_agent, *authority;
	/* The I/O thread's. */
	struct engine engine;
};

static void wake(struct channel *ch)
{
	uint64_t one = 1;

	if (write(ch->wake_fd, &one, sizeof(one)) < 0) {
		/* The counter is full: the thread is awake anyway. */
	}
}

/* false: the client is being freed. */
static bool take_inbox(struct channel *ch)
{
	struct qm_call *call;
	bool go_on, cancel;

	for (;;) {
		pthread_mutex_lock(&ch->lock);
		go_on = !ch->stopping;
		ch->engine.pins = ch->pins;
		call = TAILQ_FIRST(&ch->inbox);
		if (call) {
			TAILQ_REMOVE(&ch->inbox, call, inbox_link);
			call->in_inbox = false;
			cancel = call->cancel_asked;
		}
		pthread_mutex_unlock(&ch->lock);
		if (!call)
			return go_on;
		engine_attend(&ch->engine, call, cancel);
		qcall_unref(call);
	}
}

static void sleep_until(struct channel *ch, uint64_t due)
{
	struct pollfd fds[ENGINE_MAX_FDS + 1];
	uint64_t now = qcall_now_ms(), ignored;
	int timeout = -1;
	nfds_t n;

	fds[0] = (struct pollfd){.fd = ch->wake_fd, .events = POLLIN};
	n = engine_poll(&ch->engine, fds + 1) + 1;
	if (due <= now)
		timeout = 0;
	else if (due - now < LONGEST_SLEEP_MS)
		timeout = (int)(due - now);
	poll(fds, n, timeout);
	if (fds[0].revents & POLLIN && read(ch->wake_fd, &ignored, sizeof(ignored)) < 0) {
		/* Already read: the inbox is looked at in every round anyway. */
	}
}

static void *run(void *arg)
{
	struct channel *ch = arg;

	for (;;) {
		ch->engine.now = qcall_now_ms();
		if (!take_inbox(ch))
			break;
		engine_round(&ch->engine);
		sleep_until(ch, engine_due(&ch->engine));
	}
	engine_end(&ch->engine);
	return NULL;
}

static void free_channel(struct channel *ch)
{
	qtls_free(ch->tls);
	free(ch->server_name);
	free(ch->user_agent);
	free(ch->authority);
	close_fdp(&ch->wake_fd);
	pthread_mutex_destroy(&ch->lock);
	free(ch);
}

static int set_names(struct channel *ch, const struct qm_options *o)
{
	const char *name = o->server_name ? o->server_name : ch->target.host;
	int r;

	if (o->server_name && ch->target.kind != TARGET_UNIX)
		r = asprintf(&ch->authority, "%s:%u", o->server_name, ch->target.port);
	else
		r = asprintf(&ch->authority, "%s", ch->target.authority);
	if (r < 0) {
		ch->authority = NULL;
		return -ENOMEM;
	}
	ch->server_name = strdup(name);
	ch->user_agent = strdup(o->user_agent ? o->user_agent : "libqmesh/" QMESH_VERSION);
	return ch->server_name && ch->user_agent ? 0 : -ENOMEM;
}

static int set_up(struct channel *ch, const struct qm_options *o)
{
	int r;

	r = pin_set_fill(&ch->pins, o->pins, o->n_pins);
	if (r == 0 && ch->target.kind == TARGET_TLS)
		r = qtls_new(o->ca_file, &ch->tls);
	if (r == 0)
		r = set_names(ch, o);
	if (r < 0)
		return r;
	engine_init(
		&ch->engine,
		&(struct engine_options){
			.target = &ch->target,
			.tls = ch->tls,
			.server_name = ch->server_name,
			.user_agent = ch->user_agent,
			.authority = ch->authority,
			.max_message = o->max_message ? o->max_message : DEFAULT_MESSAGE,
			.connect_ms = o->connect_ms ? o->connect_ms : DEFAULT_CONNECT_MS,
			.keepalive_ms = o->keepalive_ms ? o->keepalive_ms : DEFAULT_KEEPALIVE_MS,
			.wake_fd = ch->wake_fd,
		});
	return 0;
}

/* The thread takes no signals: they are the program's, and SIGPIPE would end it. */
static int start_thread(struct channel *ch)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&ch->thread, NULL, run, ch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int channel_new(const struct qm_options *options, struct channel **ret_channel)
{
	struct target target;
	struct channel *ch;
	int r;

	r = target_parse(options->target, &target);
	if (r < 0)
		return r;
	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return -ENOMEM;
	atomic_init(&ch->refs, 1);
	pthread_mutex_init(&ch->lock, NULL);
	TAILQ_INIT(&ch->inbox);
	ch->target = target;
	ch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = ch->wake_fd < 0 ? -errno : sign_init();
	if (r == 0)
		r = set_up(ch, options);
	if (r == 0)
		r = start_thread(ch);
	if (r < 0) {
		free_channel(ch);
		return r;
	}
	*ret_channel = ch;
	return 0;
}

void channel_stop(struct channel *ch)
{
	pthread_mutex_lock(&ch->lock);
	ch->stopping = true;
	pthread_mutex_unlock(&ch->lock);
	wake(ch);
	pthread_join(ch->thread, NULL);
	channel_unref(ch);
}

struct channel *channel_ref(struct channel *ch)
{
	atomic_fetch_add(&ch->refs, 1);
	return ch;
}

void channel_unref(struct channel *ch)
{
	if (atomic_fetch_sub(&ch->refs, 1) == 1)
		free_channel(ch);
}

/* Under the lock. */
static void put_in_inbox(struct channel *ch, struct qm_call *call)
{
	if (call->in_inbox)
		return;
	call->in_inbox = true;
	atomic_fetch_add(&call->refs, 1);
	TAILQ_INSERT_TAIL(&ch->inbox, call, inbox_link);
}

int channel_submit(struct channel *ch, struct qm_call *call)
{
	int r = -ECANCELED;

	pthread_mutex_lock(&ch->lock);
	if (!ch->stopping) {
		put_in_inbox(ch, call);
		r = 0;
	}
	pthread_mutex_unlock(&ch->lock);
	if (r == 0)
		wake(ch);
	return r;
}

void channel_cancel(struct channel *ch, struct qm_call *call)
{
	pthread_mutex_lock(&ch->lock);
	call->cancel_asked = true;
	if (!ch->stopping)
		put_in_inbox(ch, call);
	pthread_mutex_unlock(&ch->lock);
	wake(ch);
}

void channel_poke(struct channel *ch, struct qm_call *call)
{
	pthread_mutex_lock(&ch->lock);
	if (!ch->stopping)
		put_in_inbox(ch, call);
	pthread_mutex_unlock(&ch->lock);
	wake(ch);
}

int channel_set_pins(struct channel *ch, const uint8_t (*pins)[PIN_LEN], size_t n)
{
	int r;

	pthread_mutex_lock(&ch->lock);
	r = pin_set_fill(&ch->pins, pins, n);
	pthread_mutex_unlock(&ch->lock);
	return r;
}

bool channel_is_self(const struct channel *ch)
{
	return pthread_equal(pthread_self(), ch->thread);
}
