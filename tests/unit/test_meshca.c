/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tenant's CA and what it gives to nodes, judged by OpenSSL's own verification and not by
 * what we read from it: what lies outside the tenant does not verify, whoever signed it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sign.h"
#include "server/cp/meshca.h"
#include "server/rpc/cert.h"

#define NOW_MS 1800000000000LL
#define DAY_S 86400LL

static char dir[64];
static uint8_t secret[KEYRING_CA_LEN], ca[MESHCA_DER_MAX];
static size_t ca_len;
static struct meshca signer = {.secret = secret, .der = ca};
static struct meshca_tenant tenant = {.name = "home"};
static struct meshca_node node = {.slug = "n1"};

static void write_file(const char *name, const void *p, size_t len)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
}

static size_t read_file(const char *name, uint8_t *ret, size_t cap)
{
	char path[128];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	len = fread(ret, 1, cap, f);
	fclose(f);
	return len;
}

/* In the directory; all it says goes to the file "said". */
static int shell(const char *words)
{
	char command[1024];

	snprintf(command, sizeof(command), "cd %s && { %s; } >said 2>&1", dir, words);
	return system(command);
}

static bool said(const char *words)
{
	static char text[65536];
	size_t len = read_file("said", (uint8_t *)text, sizeof(text) - 1);

	text[len] = '\0';
	return strstr(text, words) != NULL;
}

static void write_ca(void)
{
	char pem[MESHCA_PEM_MAX];

	assert_int_equal(meshca_make(secret, &tenant, NOW_MS, ca, &ca_len), 0);
	signer.der_len = ca_len;
	assert_int_equal(meshca_pem(ca, ca_len, pem), 0);
	write_file("ca.pem", pem, strlen(pem));
}

static int begin(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/qmesh-test-meshca-XXXXXX");
	sign_random(secret, sizeof(secret));
	if (sign_init() || !mkdtemp(dir) || cidr_parse("10.64.0.0/16", &tenant.range4) ||
	    cidr_parse("fd12:3456:789a::/48", &tenant.range6) ||
	    cidr_parse("10.64.0.1", &node.ip4) || cidr_parse("fd12:3456:789a::1", &node.ip6))
		return -1;
	write_ca();
	return shell("openssl ecparam -name prime256v1 -genkey -noout -out k.pem && "
		     "openssl req -new -key k.pem -subj /CN=x -outform DER -out k.csr");
}

static int end(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static int issue_from(const char *csr_file, const struct meshca_node *n, int64_t now_ms)
{
	char pem[MESHCA_PEM_MAX];
	uint8_t csr[8192];
	size_t len = read_file(csr_file, csr, sizeof(csr));
	int r = meshca_issue(&signer, csr, len, n, now_ms, pem);

	if (!r)
		write_file("leaf.pem", pem, strlen(pem));
	return r;
}

#define VERIFY "openssl verify -x509_strict -purpose sslserver -CAfile ca.pem -attime 1800000100 "

static void node_is_good(void **state)
{
	(void)state;
	assert_int_equal(issue_from("k.csr", &node, NOW_MS), 0);
	assert_int_equal(shell(VERIFY "-verify_hostname n1.quazzar.mesh leaf.pem"), 0);
	assert_int_equal(shell(VERIFY "-verify_ip 10.64.0.1 leaf.pem"), 0);
	assert_int_equal(shell(VERIFY "-verify_ip fd12:3456:789a::1 leaf.pem"), 0);
	assert_int_not_equal(shell(VERIFY "-verify_hostname n2.quazzar.mesh leaf.pem"), 0);
	assert_int_not_equal(shell(VERIFY "-verify_ip 10.64.0.2 leaf.pem"), 0);
	assert_int_not_equal(shell("openssl verify -purpose sslclient -CAfile ca.pem -attime "
				   "1800000100 leaf.pem"),
			     0);
	/* An hour before, 90 days after, and not longer. */
	assert_int_equal(shell("openssl verify -CAfile ca.pem -attime 1799996500 leaf.pem"), 0);
	assert_int_equal(shell("openssl verify -CAfile ca.pem -attime 1807775900 leaf.pem"), 0);
	assert_int_not_equal(shell("openssl verify -CAfile ca.pem -attime 1807776100 leaf.pem"), 0);
}

static void what_it_says(void **state)
{
	struct cert_info info;
	uint8_t text[8192];

	(void)state;
	assert_int_equal(issue_from("k.csr", &node, NOW_MS), 0);
	text[read_file("leaf.pem", text, sizeof(text) - 1)] = '\0';
	assert_int_equal(cert_read((const char *)text, &info), 0);
	assert_string_equal(info.names, "n1.quazzar.mesh 10.64.0.1 fd12:3456:789a::1");
	assert_int_equal(info.until_s - info.from_s, 90 * DAY_S + 3600);
	assert_int_equal(info.until_s, NOW_MS / 1000 + 90 * DAY_S);
	assert_int_equal(info.pem_len, strlen((const char *)text));
	assert_int_equal(shell("openssl x509 -in leaf.pem -noout -text"), 0);
	assert_true(said("CA:FALSE"));
	assert_true(said("TLS Web Server Authentication"));
	assert_false(said("TLS Web Client Authentication"));
	assert_int_equal(shell("openssl x509 -in ca.pem -noout -text"), 0);
	assert_true(said("CA:TRUE, pathlen:0"));
	assert_true(said("DNS:quazzar.mesh"));
	assert_true(said("IP:10.64.0.0/255.255.0.0"));
	assert_true(said("FD12:3456:789A:0:0:0:0:0/FFFF:FFFF:FFFF:0:0:0:0:0"));
	assert_true(said("CN = home"));
	assert_int_equal(cert_read("no certificate", &info), -EBADMSG);
	assert_int_equal(cert_read("", &info), -EBADMSG);
}

/* What the request asks for beside its key is passed over. */
static void request_asks_in_vain(void **state)
{
	struct cert_info info;
	uint8_t text[8192];

	(void)state;
	assert_int_equal(
		shell("openssl req -new -key k.pem -subj '/CN=bank.example/O=Evil' -addext "
		      "'subjectAltName=DNS:bank.example,DNS:n2.quazzar.mesh,IP:10.64.0.9' -addext "
		      "basicConstraints=critical,CA:TRUE -outform DER -out greedy.csr"),
		0);
	assert_int_equal(issue_from("greedy.csr", &node, NOW_MS), 0);
	text[read_file("leaf.pem", text, sizeof(text) - 1)] = '\0';
	assert_int_equal(cert_read((const char *)text, &info), 0);
	assert_string_equal(info.names, "n1.quazzar.mesh 10.64.0.1 fd12:3456:789a::1");
	assert_int_equal(shell("openssl x509 -in leaf.pem -noout -text"), 0);
	assert_false(said("bank") || said("Evil") || said("CA:TRUE") || said("n2."));
}

/* The CA's own key cannot speak for what lies outside: that is checked by the client. */
static void constraints_hold(void **state)
{
	static const struct {
		const char *slug, *ip4, *ip6;
	} cases[] = {{"n1.quazzar.mesh.evil.example,DNS:n1", "10.64.0.1", "fd12:3456:789a::1"},
		     {"n1", "10.65.0.1", "fd12:3456:789a::1"},
		     {"n1", "192.0.2.1", "fd12:3456:789a::1"},
		     {"n1", "10.64.0.1", "fd12:3456:789b::1"},
		     {"n1.quazzar.mesh,DNS:bank.example,DNS:n1", "10.64.0.1", "fd12:3456:789a::1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct meshca_node forged = {.slug = cases[i].slug};

		assert_int_equal(cidr_parse(cases[i].ip4, &forged.ip4), 0);
		assert_int_equal(cidr_parse(cases[i].ip6, &forged.ip6), 0);
		assert_int_equal(issue_from("k.csr", &forged, NOW_MS), 0);
		assert_int_not_equal(shell(VERIFY "leaf.pem"), 0);
		assert_true(said("permitted subtree violation"));
	}
	/* Nor may a node's key sign for others. */
	assert_int_equal(issue_from("k.csr", &node, NOW_MS), 0);
	assert_int_equal(
		shell("openssl req -new -key k.pem -subj /CN=n2 -out n2.csr && printf "
		      "'subjectAltName=DNS:n2.quazzar.mesh\\n' >ext && openssl x509 -req -in n2.csr "
		      "-CA leaf.pem -CAkey k.pem -CAcreateserial -extfile ext -days 3650 -out n2.pem"),
		0);
	assert_int_not_equal(shell(VERIFY "-untrusted leaf.pem n2.pem"), 0);
}

/* The same secret is the same key: of a store that is older every certificate is good still. */
static void key_is_derived(void **state)
{
	uint8_t other[KEYRING_CA_LEN];

	(void)state;
	assert_int_equal(issue_from("k.csr", &node, NOW_MS), 0);
	write_ca();
	assert_int_equal(shell(VERIFY "leaf.pem"), 0);
	memcpy(other, secret, sizeof(other));
	secret[KEYRING_CA_LEN - 1] ^= 1;
	write_ca();
	assert_int_not_equal(shell(VERIFY "leaf.pem"), 0);
	memcpy(secret, other, sizeof(other));
	write_ca();
	/* Even where all bits are set, or none, there is a key. */
	memset(secret, 255, sizeof(secret));
	write_ca();
	memset(secret, 0, sizeof(secret));
	write_ca();
	assert_int_equal(issue_from("k.csr", &node, NOW_MS), 0);
	assert_int_equal(shell(VERIFY "leaf.pem"), 0);
	memcpy(secret, other, sizeof(other));
	write_ca();
}

static void junk_is_refused(void **state)
{
	uint8_t csr[8192], junk[512];
	char pem[MESHCA_PEM_MAX];
	size_t len = read_file("k.csr", csr, sizeof(csr));

	(void)state;
	for (size_t i = 0; i < len; i++) {
		csr[i] ^= 1;
		assert_true(meshca_issue(&signer, csr, len, &node, NOW_MS, pem) < 0);
		csr[i] ^= 1;
		assert_true(meshca_issue(&signer, csr, i, &node, NOW_MS, pem) < 0);
	}
	csr[len] = 0;
	assert_int_equal(meshca_issue(&signer, csr, len + 1, &node, NOW_MS, pem), -EBADMSG);
	for (int i = 0; i < 2000; i++) {
		sign_random(junk, sizeof(junk));
		assert_int_equal(meshca_issue(&signer, junk, sizeof(junk), &node, NOW_MS, pem),
				 -EBADMSG);
	}
	assert_int_equal(shell("openssl req -new -newkey rsa:2048 -nodes -keyout r.pem -subj /CN=x "
			       "-outform DER -out r.csr && openssl ecparam -name secp384r1 -genkey "
			       "-noout -out p.pem && openssl req -new -key p.pem -subj /CN=x "
			       "-outform DER -out p.csr && openssl req -new -newkey ed25519 -nodes "
			       "-keyout e.pem -subj /CN=x -outform DER -out e.csr"),
			 0);
	assert_int_equal(issue_from("r.csr", &node, NOW_MS), -ENOKEY);
	assert_int_equal(issue_from("p.csr", &node, NOW_MS), -ENOKEY);
	assert_int_equal(issue_from("e.csr", &node, NOW_MS), -ENOKEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_is_good),         cmocka_unit_test(what_it_says),
		cmocka_unit_test(request_asks_in_vain), cmocka_unit_test(constraints_hold),
		cmocka_unit_test(key_is_derived),       cmocka_unit_test(junk_is_refused),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
