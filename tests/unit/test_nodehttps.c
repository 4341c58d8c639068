/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodehttps.c and nodecert.c with a real server, the Control Panel's own signing and a clock of
 * the test's: when a certificate is asked for, what is taken, what is served, what stays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/cp/meshca.h"
#include "server/node/nodehttps.h"
#include "server/rpc/server.h"

#define DAY_MS 86400000LL
#define OWN "127.77.0.1"
/* Of a tenant with one node. */
#define SPREAD_MS (NODEHTTPS_SPREAD_MS + NODEHTTPS_SPREAD_NODE_MS)

static const struct uuid self = {{1}}, tenant_id = {{2}};

static struct lab {
	char dir[64], port[8];
	struct node_conf conf;
	struct replica replica;
	struct server *server;
	struct nodehttps https;
	uint8_t csr[NODECERT_CSR_MAX];
	size_t csr_len;
	unsigned n_asked;
	uint64_t boot_ms;
	int64_t wall_ms;
	uint8_t secret[KEYRING_CA_LEN], ca[MESHCA_DER_MAX];
	size_t ca_len;
	struct meshca_tenant tenant;
} lab;

static int on_ask(void *arg, const uint8_t *csr, size_t len)
{
	(void)arg;
	memcpy(lab.csr, csr, len);
	lab.csr_len = len;
	lab.n_asked++;
	return 0;
}

static void pass(int64_t ms)
{
	lab.boot_ms += (uint64_t)ms;
	lab.wall_ms += ms;
	clock_fake(1, lab.boot_ms, lab.wall_ms, "");
}

static void be_called(const char *slug)
{
	struct member m = {.id = self, .kind = MEMBER_NODE, .label = slug, .slug = slug};
	uint8_t *bytes;
	size_t len;

	m.ip4 = 0x7f4d0001;
	m.has_ip6 = true;
	m.ip6[15] = 1;
	m.node.public_key.b[0] = 1;
	assert_int_equal(member_encode(&m, &bytes, &len), 0);
	assert_int_equal(members_put(lab.replica.list, bytes, len), 0);
	free(bytes);
}

static void free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	lab.conf.mesh_port = ntohs(in.sin_port);
	snprintf(lab.port, sizeof(lab.port), "%u", ntohs(in.sin_port));
}

static void set_range(void)
{
	struct tenantrec t = {0};
	uint8_t *bytes;
	size_t len;

	assert_int_equal(cidr_parse("127.77.0.0/16", &t.range4), 0);
	assert_int_equal(cidr_parse("::/48", &t.range6), 0);
	lab.tenant = (struct meshca_tenant){.name = "home", .range4 = t.range4, .range6 = t.range6};
	assert_int_equal(tenantrec_encode(&t, &bytes, &len), 0);
	assert_int_equal(members_set_tenant(lab.replica.list, bytes, len), 0);
	free(bytes);
}

static int begin(void **state)
{
	const struct server_options options = {.loops = 2};

	(void)state;
	lab = (struct lab){.boot_ms = 1000000, .wall_ms = (int64_t)time(NULL) * 1000};
	strcpy(lab.dir, "/tmp/qmesh-test-nodehttps-XXXXXX");
	assert_non_null(mkdtemp(lab.dir));
	pass(0);
	lab.conf.state_dir = lab.dir;
	lab.conf.http2 = true;
	free_port();
	assert_int_equal(sign_init(), 0);
	sign_random(lab.secret, sizeof(lab.secret));
	assert_int_equal(replica_init(&lab.replica, &self, &tenant_id), 0);
	set_range();
	be_called("n1");
	lab.replica.interface.active = true;
	assert_int_equal(meshca_make(lab.secret, &lab.tenant, lab.wall_ms, lab.ca, &lab.ca_len), 0);
	assert_int_equal(server_new(&options, &lab.server), 0);
	assert_int_equal(server_start(lab.server), 0);
	nodehttps_init(&lab.https, &lab.conf, &lab.replica, on_ask, NULL);
	return 0;
}

static int end(void **state)
{
	char command[100];

	(void)state;
	nodehttps_attach(&lab.https, NULL);
	server_free(lab.server);
	nodehttps_done(&lab.https);
	replica_done(&lab.replica);
	clock_fake(0, 0, 0, NULL);
	snprintf(command, sizeof(command), "rm -r %s", lab.dir);
	return system(command);
}

/* The Control Panel's answer to the last request, by the name that it knows. */
static void answer_for(const char *slug, const char *mark)
{
	Pb__IssueCertificateResponse pb = PB__ISSUE_CERTIFICATE_RESPONSE__INIT;
	Pb__Certificate certificate = PB__CERTIFICATE__INIT;
	char chain[MESHCA_PEM_MAX], ca[MESHCA_PEM_MAX];
	struct meshca_node node = {.slug = slug};
	const struct meshca signer = {.secret = lab.secret, .der = lab.ca, .der_len = lab.ca_len};
	uint8_t bytes[16384];

	assert_int_equal(cidr_parse(OWN, &node.ip4), 0);
	assert_int_equal(cidr_parse("::1", &node.ip6), 0);
	assert_int_equal(meshca_issue(&signer, lab.csr, lab.csr_len, &node, lab.wall_ms, chain), 0);
	assert_int_equal(meshca_pem(lab.ca, lab.ca_len, ca), 0);
	certificate.chain = chain;
	certificate.ca = ca;
	certificate.mark = (char *)mark;
	pb.certificate = &certificate;
	nodehttps_answer(&lab.https, false, bytes,
			 pb__issue_certificate_response__pack(&pb, bytes));
}

static void serve(void)
{
	nodehttps_attach(&lab.https, lab.server);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 1);
	answer_for("n1", "a");
	assert_true(nodehttps_look(&lab.https));
	assert_memory_equal(lab.replica.https.status, "serving until ", 14);
}

static bool said(const char *words)
{
	static char text[65536];
	char path[100];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/said", lab.dir);
	f = fopen(path, "r");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	return strstr(text, words) != NULL;
}

/* A stock client's look at what is served; what it says is in "said". */
static bool fetch_from(const char *from, const char *name, const char *host)
{
	char command[1024];

	snprintf(
		command, sizeof(command),
		"cd %s && printf 'GET / HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' | "
		"openssl s_client -quiet -bind %s:0 -connect " OWN
		":%s -servername x -CAfile " NODECERT_CA_FILE
		" -verify_return_error -verify_hostname %s >said 2>err",
		lab.dir, host, from, lab.port, name);
	/* A connection that just ends is an error to it; a certificate that is no good says
	 * nothing. */
	(void)!system(command);
	return said("HTTP/1.1 ");
}

static bool fetch(const char *name, const char *host)
{
	return fetch_from("127.77.0.2", name, host);
}

static void asks_until_it_is_given(void **state)
{
	(void)state;
	assert_string_equal(lab.replica.https.status, "starting");
	assert_false(nodehttps_look(&lab.https));
	nodehttps_attach(&lab.https, lab.server);
	nodehttps_look(&lab.https);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 1);
	assert_string_equal(lab.replica.https.status, "starting");
	nodehttps_answer(&lab.https, false, "junk", 4);
	nodehttps_look(&lab.https);
	assert_string_equal(lab.replica.https.status,
			    "degraded: no certificate yet: what the Control Panel sent is none for "
			    "this node");
	assert_int_equal(lab.n_asked, 1);
	pass(15000);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 2);
	nodehttps_answer(&lab.https, true, "not today", 9);
	pass(29999);
	nodehttps_look(&lab.https);
	assert_string_equal(lab.replica.https.status, "degraded: no certificate yet: not today");
	assert_int_equal(lab.n_asked, 2);
	/* News from the Control Panel: it may be granted now. */
	nodehttps_mark(&lab.https, "a");
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 3);
	answer_for("n1", "a");
	assert_true(nodehttps_look(&lab.https));
	assert_memory_equal(lab.replica.https.status, "serving until ", 14);
	assert_int_equal(strlen(lab.replica.https.pin), 64);
	assert_non_null(lab.replica.https.ca);
	assert_true(fetch("n1.quazzar.mesh", "n1.quazzar.mesh"));
	assert_true(said("HTTP/1.1 404"));
	assert_false(fetch("n2.quazzar.mesh", "n1.quazzar.mesh"));
	assert_false(fetch_from("127.78.0.2", "n1.quazzar.mesh", "n1.quazzar.mesh"));
	assert_true(fetch("n1.quazzar.mesh", "n2.quazzar.mesh"));
	assert_true(said("HTTP/1.1 421"));
}

static void renews_when_a_third_is_left(void **state)
{
	char pin[65], before[REPLICA_HTTPS_LEN];

	(void)state;
	serve();
	strcpy(pin, lab.replica.https.pin);
	strcpy(before, lab.replica.https.status);
	/* Its life began an hour before it was made. */
	pass(60 * DAY_MS - 1200000 - 1000);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 1);
	pass(1000);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 2);
	/* Meanwhile it goes on; without an answer it asks again, and tells when it is over. */
	nodehttps_answer(&lab.https, true, "the Control Panel is away", 25);
	assert_false(nodehttps_look(&lab.https));
	pass(31 * DAY_MS);
	assert_true(nodehttps_look(&lab.https));
	assert_memory_equal(lab.replica.https.status, "degraded: its certificate ended at ", 35);
	assert_non_null(strstr(lab.replica.https.status, "the Control Panel is away"));
	assert_int_equal(lab.n_asked, 3);
	answer_for("n1", "a");
	assert_true(nodehttps_look(&lab.https));
	assert_memory_equal(lab.replica.https.status, "serving until ", 14);
	assert_string_not_equal(lab.replica.https.status, before);
	assert_string_equal(lab.replica.https.pin, pin);
	assert_int_equal(lab.n_asked, 3);
}

static void follows_its_name_and_the_cas(void **state)
{
	(void)state;
	serve();
	be_called("n9");
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 1);
	pass(15000);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 2);
	answer_for("n9", "a");
	nodehttps_look(&lab.https);
	assert_non_null(strstr(lab.replica.https.url, "https://n9.quazzar.mesh:"));
	assert_true(fetch("n9.quazzar.mesh", "n9.quazzar.mesh"));
	assert_true(said("HTTP/1.1 404"));
	assert_true(fetch("n9.quazzar.mesh", "n1.quazzar.mesh"));
	assert_true(said("HTTP/1.1 421"));
	/* The same CAs; then others. */
	nodehttps_mark(&lab.https, "a");
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 2);
	nodehttps_mark(&lab.https, "b a");
	pass(SPREAD_MS);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 3);
	answer_for("n9", "b a");
	nodehttps_mark(&lab.https, "b a");
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 3);
}

/* When it asks after other CAs were told of, in ms; it was not asked before that. */
static uint64_t asks_after(const char *mark)
{
	unsigned before = lab.n_asked;
	uint64_t begin = lab.boot_ms;

	nodehttps_mark(&lab.https, mark);
	while (lab.boot_ms - begin <= SPREAD_MS) {
		uint64_t at = nodehttps_look_at_ms(&lab.https);

		nodehttps_look(&lab.https);
		if (lab.n_asked != before) {
			/* The keeper comes back for it. */
			assert_in_range(at, lab.boot_ms - 50, lab.boot_ms);
			assert_true(nodehttps_look_at_ms(&lab.https) == UINT64_MAX);
			return lab.boot_ms - begin;
		}
		pass(50);
		/* Told again, as when the stream comes back: it neither hurries nor waits longer.
		 */
		nodehttps_mark(&lab.https, mark);
	}
	fail_msg("not within the spread");
	return 0;
}

/* Nodes that are told of other CAs at the same moment ask one after the other. */
static void asks_for_other_cas_in_its_time(void **state)
{
	unsigned quarters[4] = {0};
	char mark[16];

	(void)state;
	serve();
	for (unsigned i = 0; i < 40; i++) {
		/* Another node each time, as far as its seed goes. */
		snprintf(mark, sizeof(mark), "ca%u", i);
		quarters[asks_after(mark) * 4 / (SPREAD_MS + 50)]++;
		answer_for("n1", mark);
		nodehttps_look(&lab.https);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(quarters[i], 3, 20);
}

/* CAs that were told of while the request was under way are newer than what signed it. */
static void hears_of_cas_while_it_asks(void **state)
{
	(void)state;
	nodehttps_attach(&lab.https, lab.server);
	nodehttps_mark(&lab.https, "a");
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 1);
	nodehttps_mark(&lab.https, "b a");
	answer_for("n1", "a");
	pass(15000);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 2);
	answer_for("n1", "b a");
	pass(15000);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 2);
}

/* A clock that is months ahead makes each certificate one that is due: it is not asked for forever.
 */
static void bears_a_wrong_clock(void **state)
{
	(void)state;
	serve();
	for (int i = 0; i < 960; i++) {
		unsigned before = lab.n_asked;

		pass(15000);
		lab.wall_ms += i ? 0 : 100 * DAY_MS;
		clock_fake(1, lab.boot_ms, lab.wall_ms, "");
		nodehttps_look(&lab.https);
		if (lab.n_asked == before)
			continue;
		/* Signed by the right clock. */
		lab.wall_ms -= 100 * DAY_MS;
		answer_for("n1", "a");
		lab.wall_ms += 100 * DAY_MS;
	}
	/* 15 s, 30 s, … an hour, for four hours. */
	assert_in_range(lab.n_asked, 8, 14);
	nodehttps_look(&lab.https);
	assert_non_null(strstr(lab.replica.https.status, "are the clocks right?"));
	assert_non_null(strstr(lab.replica.https.status, "degraded: its certificate ended at "));
}

static void takes_only_what_is_for_it(void **state)
{
	uint8_t other[NODECERT_CSR_MAX];
	struct nodecert stranger = {0};
	size_t len;
	char status[REPLICA_HTTPS_LEN], empty[] = "/tmp/qmesh-test-nodehttps-XXXXXX";

	(void)state;
	serve();
	strcpy(status, lab.replica.https.status);
	assert_non_null(mkdtemp(empty));
	assert_int_equal(nodecert_load(empty, &stranger), 0);
	assert_int_equal(nodecert_request(&stranger, other, &len), 0);
	nodecert_done(&stranger);
	rmdir(empty);
	nodehttps_mark(&lab.https, "b");
	pass(SPREAD_MS);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 2);
	memcpy(lab.csr, other, len);
	lab.csr_len = len;
	answer_for("n1", "a");
	nodehttps_look(&lab.https);
	assert_string_equal(lab.replica.https.status, status);
	assert_true(fetch("n1.quazzar.mesh", "n1.quazzar.mesh"));
}

static void keeps_it_over_a_restart(void **state)
{
	struct nodecert c;
	char path[100], pin[65];
	struct stat st;
	FILE *f;

	(void)state;
	serve();
	strcpy(pin, lab.replica.https.pin);
	snprintf(path, sizeof(path), "%s/" NODECERT_FILE, lab.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	nodehttps_attach(&lab.https, NULL);
	server_unlisten(lab.server, "mesh");
	server_unlisten(lab.server, "mesh6");
	nodehttps_done(&lab.https);
	nodehttps_init(&lab.https, &lab.conf, &lab.replica, on_ask, NULL);
	nodehttps_attach(&lab.https, lab.server);
	nodehttps_look(&lab.https);
	assert_int_equal(lab.n_asked, 1);
	assert_memory_equal(lab.replica.https.status, "serving until ", 14);
	assert_string_equal(lab.replica.https.pin, pin);
	assert_true(fetch("n1.quazzar.mesh", "n1.quazzar.mesh"));
	/* What is damaged is made anew. */
	f = fopen(path, "r+");
	assert_non_null(f);
	fseek(f, 60, SEEK_SET);
	fputs("XXXX", f);
	fclose(f);
	assert_int_equal(nodecert_load(lab.dir, &c), 0);
	assert_false(c.has_leaf);
	nodecert_done(&c);
}

/* Who is there and has said nothing yet, while another certificate takes over. */
static void changes_before_a_handshake(void **state)
{
	const struct sockaddr_in from = {.sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(0x7f4d0002)};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f4d0001)};
	_cleanup_(text_done) struct text t = TEXT_INIT(65536);
	struct timeval patience = {.tv_sec = 60};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	(void)state;
	serve();
	to.sin_port = htons((uint16_t)lab.conf.mesh_port);
	assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	for (int i = 0; i < 6000 && !(t.s && strstr(t.s, "qmesh_connections 1\n")); i++) {
		usleep(10000);
		text_done(&t);
		t = (struct text)TEXT_INIT(65536);
		server_metrics(lab.server, &t);
	}
	assert_non_null(strstr(t.s, "qmesh_connections 1\n"));
	answer_for("n1", "b");
	nodehttps_look(&lab.https);
	/* No handshake, and an end that is its own. */
	assert_int_equal(send(fd, "no TLS at all\n", 14, MSG_NOSIGNAL), 14);
	while (recv(fd, &byte, 1, 0) > 0)
		;
	close(fd);
	assert_true(fetch("n1.quazzar.mesh", "n1.quazzar.mesh"));
}

static void stops_when_it_is_removed(void **state)
{
	(void)state;
	serve();
	assert_true(fetch("n1.quazzar.mesh", "n1.quazzar.mesh"));
	assert_true(members_remove(lab.replica.list, &self));
	assert_true(nodehttps_look(&lab.https));
	assert_string_equal(lab.replica.https.status, "degraded: the interface is not up");
	assert_string_equal(lab.replica.https.url, "");
	assert_false(fetch("n1.quazzar.mesh", "n1.quazzar.mesh"));
	assert_int_equal(lab.n_asked, 1);
}

static void tells_who_has_its_port(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	in.sin_port = htons((uint16_t)lab.conf.mesh_port);
	inet_pton(AF_INET, OWN, &in.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	nodehttps_attach(&lab.https, lab.server);
	nodehttps_look(&lab.https);
	answer_for("n1", "a");
	nodehttps_look(&lab.https);
	assert_memory_equal(lab.replica.https.status, "degraded: another program has port ", 35);
	assert_string_equal(lab.replica.https.url, "");
	close(fd);
	assert_true(nodehttps_look(&lab.https));
	assert_memory_equal(lab.replica.https.status, "serving until ", 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_until_it_is_given, begin, end),
		cmocka_unit_test_setup_teardown(renews_when_a_third_is_left, begin, end),
		cmocka_unit_test_setup_teardown(follows_its_name_and_the_cas, begin, end),
		cmocka_unit_test_setup_teardown(asks_for_other_cas_in_its_time, begin, end),
		cmocka_unit_test_setup_teardown(hears_of_cas_while_it_asks, begin, end),
		cmocka_unit_test_setup_teardown(bears_a_wrong_clock, begin, end),
		cmocka_unit_test_setup_teardown(takes_only_what_is_for_it, begin, end),
		cmocka_unit_test_setup_teardown(keeps_it_over_a_restart, begin, end),
		cmocka_unit_test_setup_teardown(changes_before_a_handshake, begin, end),
		cmocka_unit_test_setup_teardown(stops_when_it_is_removed, begin, end),
		cmocka_unit_test_setup_teardown(tells_who_has_its_port, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
