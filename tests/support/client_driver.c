/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libqmesh from the outside: makes the calls that its options describe and
 * prints what came back, one fact a line, for a test script to judge.
 *
 *   client_driver [options] TARGET PATH [REQUEST]
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "client/qmesh.h"
#include "client/qstream.h"
#include "client/qwatch.h"

#define MAX_MD 16

static struct {
	struct qm_options client;
	struct qm_call_options call;
	const char *path, *request;
	bool stream, hash, quiet, watch, renew;
	/* 'c' or 'b': a client stream or a bidi call of many requests. */
	char many;
	unsigned many_requests, pause_after, pause_ms, cancel_after, threads, repeat, gap_ms,
		big_request;
	struct qm_md md[MAX_MD];
	uint8_t pins[4][32];
	/* Takes the place of the pins after the first call. */
	uint8_t later_pin[1][32];
	bool has_later_pin;
} o = {.threads = 1, .repeat = 1};

struct run {
	pthread_mutex_t lock;
	pthread_cond_t ready;
	bool done;
	unsigned n_messages;
	struct qm_call *call;
};

static atomic_uint n_ok, n_failed;

static void print_bytes(const char *what, const void *p, size_t len)
{
	const uint8_t *b = p;

	printf("%s=", what);
	for (size_t i = 0; i < len && i < 4096; i++)
		if (b[i] >= 0x20 && b[i] < 0x7f && b[i] != '\\')
			putchar(b[i]);
		else
			printf("\\x%02x", b[i]);
	putchar('\n');
}

static void print_status(const struct status *s)
{
	printf("code=%d\nerr=%s\n", (int)s->code, err_reason(s->err));
	print_bytes("message", s->message ? s->message : "", s->message ? strlen(s->message) : 0);
	for (size_t i = 0; i < s->n_meta; i++)
		printf("meta:%s=%s\n", s->meta[i].key, s->meta[i].value);
	for (size_t i = 0; i < s->n_fields; i++)
		printf("field:%s=%s\n", s->fields[i].field, s->fields[i].description);
	if (s->retry_ms)
		printf("retry_ms=%llu\n", (unsigned long long)s->retry_ms);
	fflush(stdout);
}

static void print_md(const struct qm_md *md, size_t n)
{
	char what[300];

	for (size_t i = 0; i < n; i++) {
		snprintf(what, sizeof(what), "md:%s", md[i].name);
		print_bytes(what, md[i].value, md[i].value_len);
	}
	fflush(stdout);
}

static void print_message(const uint8_t *p, size_t len)
{
	printf("len=%zu\n", len);
	if (!o.hash)
		print_bytes("msg", p, len);
	fflush(stdout);
}

static void on_metadata(void *arg, const struct qm_md *md, size_t n)
{
	(void)arg;
	if (!o.quiet)
		print_md(md, n);
}

static void *resume(void *arg)
{
	struct run *run = arg;

	usleep(o.pause_ms * 1000);
	printf("resumed\n");
	qm_call_read(run->call, true);
	return NULL;
}

static void on_message(void *arg, const uint8_t *p, size_t len)
{
	struct run *run = arg;
	pthread_t thread;

	run->n_messages++;
	if (!o.quiet)
		print_message(p, len);
	/* The handle may not be stored yet when the first message comes. */
	pthread_mutex_lock(&run->lock);
	pthread_mutex_unlock(&run->lock);
	if (o.pause_after == run->n_messages) {
		printf("paused\n");
		qm_call_read(run->call, false);
		pthread_create(&thread, NULL, resume, run);
		pthread_detach(thread);
	}
	if (o.cancel_after == run->n_messages)
		qm_call_cancel(run->call);
}

static void on_done(void *arg, const struct status *status)
{
	struct run *run = arg;

	if (!o.quiet)
		print_status(status);
	atomic_fetch_add(status->code == GRPC_OK ? &n_ok : &n_failed, 1);
	pthread_mutex_lock(&run->lock);
	run->done = true;
	pthread_cond_signal(&run->ready);
	pthread_mutex_unlock(&run->lock);
}

static int one_stream(struct qm_client *client, const char *request, size_t len)
{
	static const struct qm_handler handler = {
		.metadata = on_metadata, .message = on_message, .done = on_done};
	struct run run = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, NULL};
	int r;

	pthread_mutex_lock(&run.lock);
	r = qm_start(client, o.path, request, len, &o.call, &handler, &run, &run.call);
	while (r == 0 && !run.done)
		pthread_cond_wait(&run.ready, &run.lock);
	pthread_mutex_unlock(&run.lock);
	if (r == 0) {
		if (o.pause_after)
			usleep(o.pause_ms * 1000 + 100000);
		qm_call_release(run.call);
	}
	return r;
}

static void print_messages(struct qm_stream *s, bool all)
{
	uint8_t *p;
	size_t len;

	while (qm_stream_receive(s, &p, &len) > 0) {
		if (!o.quiet)
			print_message(p, len);
		free(p);
		if (!all)
			break;
	}
}

/* A client stream sends all and reads one; a bidi call sends and reads in turn. */
static int one_many(struct qm_client *client, const char *request, size_t len)
{
	enum qm_kind kind = o.many == 'c' ? QM_CLIENT_STREAM : QM_BIDI;
	const struct status *status;
	struct qm_stream *s;
	size_t n;
	int r;

	r = qm_stream_open(client, o.path, kind, &o.call, &s);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < o.many_requests && r == 0; i++) {
		r = qm_stream_send(s, request, len);
		if (r == 0 && kind == QM_BIDI)
			print_messages(s, false);
		if (r == 0 && o.cancel_after == i + 1)
			qm_stream_cancel(s);
	}
	if (r < 0)
		printf("send=%d\n", -r);
	qm_stream_end(s);
	print_messages(s, true);
	status = qm_stream_status(s);
	atomic_fetch_add(status->code == GRPC_OK ? &n_ok : &n_failed, 1);
	if (!o.quiet) {
		const struct qm_md *md = qm_stream_headers(s, &n);

		print_md(md, n);
		md = qm_stream_trailers(s, &n);
		print_md(md, n);
		print_status(status);
	}
	qm_stream_free(s);
	return 0;
}

struct watching {
	struct run run;
	struct qm_watch *watch;
	char opening[12];
	unsigned n_openings;
	struct qm_md md;
};

static void *resume_watch(void *arg)
{
	struct watching *w = arg;

	usleep(o.pause_ms * 1000);
	printf("resumed\n");
	qm_watch_read(w->watch, true);
	return NULL;
}

static void on_change(void *arg, const uint8_t *p, size_t len, uint64_t version)
{
	struct watching *w = arg;
	pthread_t thread;

	(void)p;
	(void)len;
	printf("version=%llu\n", (unsigned long long)version);
	fflush(stdout);
	/* The handle may not be stored yet when the first message comes. */
	pthread_mutex_lock(&w->run.lock);
	pthread_mutex_unlock(&w->run.lock);
	w->run.n_messages++;
	if (o.pause_after == w->run.n_messages) {
		printf("paused\n");
		qm_watch_read(w->watch, false);
		pthread_create(&thread, NULL, resume_watch, w);
		pthread_detach(thread);
	}
	if (o.cancel_after == w->run.n_messages)
		qm_watch_cancel(w->watch);
}

static void on_lost(void *arg, const struct status *status, uint64_t pause_ms)
{
	(void)arg;
	printf("lost=%d\npause=%llu\n", (int)status->code, (unsigned long long)pause_ms);
	fflush(stdout);
}

/* Other metadata for each opening, as a token that has aged would be. */
static int on_renew(void *arg, const struct qm_md **md, size_t *n)
{
	struct watching *w = arg;

	snprintf(w->opening, sizeof(w->opening), "%u", ++w->n_openings);
	w->md = (struct qm_md){"x-opening", w->opening, strlen(w->opening)};
	*md = &w->md;
	*n = 1;
	return w->n_openings < 4 ? 0 : -ECANCELED;
}

static void on_watch_done(void *arg, const struct status *status)
{
	struct watching *w = arg;

	on_done(&w->run, status);
}

static int one_watch(struct qm_client *client, const char *request, size_t len)
{
	static const struct qm_watch_handler handler = {
		.message = on_change, .done = on_watch_done, .lost = on_lost};
	static const struct qm_watch_handler renewing = {
		.message = on_change, .done = on_watch_done, .lost = on_lost, .renew = on_renew};
	struct qm_watch_options options = {.path = o.path,
					   .request = request,
					   .request_len = len,
					   .request_field = 1,
					   .answer_field = 1,
					   .call = &o.call,
					   .first_pause_ms = o.gap_ms,
					   .last_pause_ms = o.gap_ms * 4};
	struct watching w = {
		.run = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0, NULL}};
	int r;

	pthread_mutex_lock(&w.run.lock);
	r = qm_watch_start(client, &options, o.renew ? &renewing : &handler, &w, &w.watch);
	while (r == 0 && !w.run.done)
		pthread_cond_wait(&w.run.ready, &w.run.lock);
	pthread_mutex_unlock(&w.run.lock);
	if (r < 0)
		return r;
	if (o.pause_after)
		usleep(o.pause_ms * 1000 + 100000);
	printf("last=%llu\n", (unsigned long long)qm_watch_version(w.watch));
	qm_watch_release(w.watch);
	return 0;
}

static int one_unary(struct qm_client *client, const char *request, size_t len)
{
	struct qm_reply reply;
	int r;

	r = qm_unary(client, o.path, request, len, &o.call, &reply);
	if (r < 0)
		return r;
	if (!o.quiet) {
		print_md(reply.metadata, reply.n_metadata);
		if (reply.message)
			print_message(reply.message, reply.len);
		print_status(&reply.status);
	}
	atomic_fetch_add(reply.status.code == GRPC_OK ? &n_ok : &n_failed, 1);
	qm_reply_done(&reply);
	return 0;
}

static void *calls(void *arg)
{
	struct qm_client *client = arg;
	size_t len = o.big_request ? o.big_request : strlen(o.request);
	char *request = malloc(len + 1);
	int r;

	memset(request, 'x', len);
	if (!o.big_request)
		memcpy(request, o.request, len);
	for (unsigned i = 0; i < o.repeat; i++) {
		if (i == 1 && o.has_later_pin)
			qm_client_set_pins(client, (const uint8_t(*)[32])o.later_pin, 1);
		if (i > 0 && o.gap_ms)
			usleep(o.gap_ms * 1000);
		if (o.many)
			r = one_many(client, request, len);
		else if (o.watch)
			r = one_watch(client, request, len);
		else if (o.stream)
			r = one_stream(client, request, len);
		else
			r = one_unary(client, request, len);
		if (r < 0)
			printf("errno=%d\n", -r);
	}
	free(request);
	return NULL;
}

static uint32_t number(const char *value)
{
	return (uint32_t)strtoul(value, NULL, 10);
}

static int set(int c, char *value)
{
	char *equal;

	switch (c) {
	case 'a':
		o.client.ca_file = value;
		break;
	case 'p':
		o.client.pins = o.pins;
		return text_unhex(value, o.pins[o.client.n_pins++], 32);
	case 'U':
		o.has_later_pin = true;
		return text_unhex(value, o.later_pin[0], 32);
	case 'n':
		o.client.server_name = value;
		break;
	case 'm':
		o.client.max_message = strtoul(value, NULL, 10);
		break;
	case 'k':
		o.client.keepalive_ms = number(value);
		break;
	case 'c':
		o.client.connect_ms = number(value);
		break;
	case 't':
		o.call.timeout_ms = number(value);
		break;
	case 'd':
		equal = strchr(value, '=');
		if (!equal || o.call.n_metadata == MAX_MD)
			return -EINVAL;
		*equal = '\0';
		o.md[o.call.n_metadata++] = (struct qm_md){value, equal + 1, strlen(equal + 1)};
		o.call.metadata = o.md;
		break;
	case 'P':
		return sscanf(value, "%u,%u", &o.pause_after, &o.pause_ms) == 2 ? 0 : -EINVAL;
	case 'N':
		return sscanf(value, "%c%u", &o.many, &o.many_requests) == 2 ? 0 : -EINVAL;
	case 'C':
		o.cancel_after = number(value);
		break;
	case 'T':
		o.threads = number(value);
		break;
	case 'R':
		o.repeat = number(value);
		break;
	case 'g':
		o.gap_ms = number(value);
		break;
	case 'b':
		o.big_request = number(value);
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static int parse(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "a:p:U:n:m:k:c:t:d:P:C:T:R:g:b:N:ishqzwY")) != -1) {
		if (c == 'i')
			o.call.idempotent = true;
		else if (c == 's')
			o.stream = true;
		else if (c == 'h')
			o.hash = true;
		else if (c == 'z')
			o.call.gzip = true;
		else if (c == 'w')
			o.watch = true;
		else if (c == 'Y')
			o.renew = true;
		else if (c == 'q')
			o.quiet = true;
		else if (set(c, optarg) < 0)
			return -EINVAL;
	}
	if (argc - optind < 2)
		return -EINVAL;
	o.client.target = argv[optind];
	o.path = argv[optind + 1];
	o.request = argc - optind > 2 ? argv[optind + 2] : "";
	return 0;
}

static unsigned n_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int main(int argc, char **argv)
{
	unsigned before = n_fds();
	pthread_t threads[64];
	struct qm_client *client;
	int r;

	if (parse(argc, argv) < 0 || o.threads > 64) {
		fprintf(stderr, "client_driver: wrong arguments\n");
		return 2;
	}
	r = qm_client_new(&o.client, &client);
	if (r < 0) {
		printf("errno=%d\n", -r);
		return 0;
	}
	for (unsigned i = 0; i < o.threads; i++)
		pthread_create(&threads[i], NULL, calls, client);
	for (unsigned i = 0; i < o.threads; i++)
		pthread_join(threads[i], NULL);
	qm_client_free(client);
	printf("ok=%u\nfailed=%u\nfds=%d\n", n_ok, n_failed, (int)n_fds() - (int)before);
	/* In use, not held back by malloc; 0 where a sanitizer has malloc and looks itself. */
	printf("heap=%zu\n", mallinfo2().uordblks);
	return 0;
}
