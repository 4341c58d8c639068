/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creates devices over gRPC, so many at once, and says how long it took:
 *
 *   store_load TARGET TOKENS N AT_ONCE own|qr PREFIX
 *
 * TOKENS is a file with a session per line, used in turn. own: the caller's
 * key, so no key, config secret or QR is made; qr: everything.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/key.h"
#include "base/sign.h"
#include "client/qmesh.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

enum { TOKENS_MAX = 4096, TOKEN_LEN = 1200 };

static char (*tokens)[TOKEN_LEN];
static size_t n_tokens;
static struct qm_client *client;
static unsigned n_total;
static atomic_uint next_call, n_ok, n_failed, n_done;
static bool own_key;
static const char *prefix;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;

static void start_next(void);

static void on_done(void *arg, const struct status *status)
{
	(void)arg;
	if (status->code == GRPC_OK)
		n_ok++;
	else if (n_failed++ == 0)
		fprintf(stderr, "store_load: %s\n", status->message);
	start_next();
	if (++n_done == n_total) {
		pthread_mutex_lock(&lock);
		pthread_cond_signal(&finished);
		pthread_mutex_unlock(&lock);
	}
}

static const struct qm_handler handler = {.done = on_done};

static void start_next(void)
{
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;
	unsigned i = next_call++;
	char label[64], public_text[KEY_TEXT_LEN + 1], bearer[TOKEN_LEN + 8];
	struct qm_md md = {.name = "authorization", .value = bearer};
	struct qm_call_options options = {.timeout_ms = 60000, .metadata = &md, .n_metadata = 1};
	uint8_t bytes[512];
	struct key private_key, public_key;

	if (i >= n_total)
		return;
	snprintf(label, sizeof(label), "%s-%u", prefix, i);
	in.label = label;
	in.type = PB__DEVICE_TYPE__DEVICE_TYPE_LAPTOP;
	if (own_key) {
		key_make(&private_key, &public_key);
		in.public_key = (char *)key_text(&public_key, public_text);
	}
	snprintf(bearer, sizeof(bearer), "Bearer %s", tokens[i % n_tokens]);
	md.value_len = strlen(bearer);
	if (qm_start(client, "/quazzar.mesh.v1.MeshService/CreateDevice", bytes,
		     protobuf_c_message_pack(&in.base, bytes), &options, &handler, NULL, NULL)) {
		fprintf(stderr, "store_load: a call could not be started\n");
		exit(1);
	}
}

static int read_tokens(const char *path)
{
	FILE *f = fopen(path, "re");

	tokens = calloc(TOKENS_MAX, sizeof(*tokens));
	if (!f || !tokens)
		return -1;
	while (n_tokens < TOKENS_MAX && fgets(tokens[n_tokens], TOKEN_LEN, f)) {
		tokens[n_tokens][strcspn(tokens[n_tokens], "\n")] = '\0';
		n_tokens++;
	}
	fclose(f);
	return n_tokens ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct qm_options options = {0};
	unsigned at_once;
	uint64_t start_ms;

	if (argc != 7 || sign_init() || read_tokens(argv[2])) {
		fprintf(stderr, "store_load: TARGET TOKENS N AT_ONCE own|qr PREFIX\n");
		return 2;
	}
	options.target = argv[1];
	n_total = (unsigned)atoi(argv[3]);
	at_once = (unsigned)atoi(argv[4]);
	own_key = strcmp(argv[5], "own") == 0;
	prefix = argv[6];
	if (qm_client_new(&options, &client))
		return 1;
	start_ms = clock_boot_ms();
	for (unsigned i = 0; i < at_once; i++)
		start_next();
	pthread_mutex_lock(&lock);
	while (n_done < n_total)
		pthread_cond_wait(&finished, &lock);
	pthread_mutex_unlock(&lock);
	printf("%llu ms %u ok %u failed\n", (unsigned long long)(clock_boot_ms() - start_ms),
	       (unsigned)n_ok, (unsigned)n_failed);
	qm_client_free(client);
	free(tokens);
	return n_failed ? 1 : 0;
}
