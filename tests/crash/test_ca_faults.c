/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CA that is rotated between the moment a node's request looks which one signs and the moment
 * it signs: a whole Control Panel in this process, and a keyring that is changed right then.
 */
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gen/rpc/agent_service.h"
#include "server/cp/keyring.h"
#include "server/node/nodecert.h"
#include "tests/support/world.h"

/* So many more looks for a secret find the keyring changed a moment before. */
static unsigned n_changes;
static unsigned n_passed, n_failed;

int __real_keyring_ca_secret(struct keyring *k, const char *kid, const uint8_t tenant_id[16],
			     uint8_t ret_secret[KEYRING_CA_LEN]);
int __wrap_keyring_ca_secret(struct keyring *k, const char *kid, const uint8_t tenant_id[16],
			     uint8_t ret_secret[KEYRING_CA_LEN]);

int __wrap_keyring_ca_secret(struct keyring *k, const char *kid, const uint8_t tenant_id[16],
			     uint8_t ret_secret[KEYRING_CA_LEN])
{
	int64_t now_ms = clock_wall_ms();

	if (n_changes) {
		n_changes--;
		if (keyring_prepare(k, KEYRING_CA, now_ms, true) ||
		    keyring_switch(k, KEYRING_CA, now_ms, now_ms, true))
			abort();
	}
	return __real_keyring_ca_secret(k, kid, tenant_id, ret_secret);
}

static void expect(bool ok, const char *what, const struct panel_answer *a)
{
	printf("%s - %s (%s)\n", ok ? "ok" : "FAILED", what, a->code ? a->words : "OK");
	*(ok ? &n_passed : &n_failed) += 1;
}

static enum err issue(struct world *w, uint8_t *csr, size_t len, unsigned changes)
{
	Pb__IssueCertificateRequest in = PB__ISSUE_CERTIFICATE_REQUEST__INIT;

	in.csr = (ProtobufCBinaryData){.len = len, .data = csr};
	n_changes = changes;
	if (world_try(w, &w->agent, &agent_service_methods[METHOD_AGENT_ISSUE_CERTIFICATE], &in))
		abort();
	n_changes = 0;
	return w->answer->err;
}

int main(void)
{
	char dir[] = "/tmp/qmesh-ca-faults.XXXXXX";
	struct nodecert cert = {.has_leaf = false};
	static struct world world;
	struct world *w = &world;
	uint8_t csr[NODECERT_CSR_MAX];
	size_t len;

	if (sign_init() || !mkdtemp(dir) || nodecert_load(dir, &cert) ||
	    nodecert_request(&cert, csr, &len))
		return 1;
	nodecert_done(&cert);
	rmdir(dir);
	log_set_level(LOG_LEVEL_ERROR);
	world_init(w);
	expect(issue(w, csr, len, 0) == ERR_NONE, "a certificate", w->answer);
	expect(issue(w, csr, len, 1) == ERR_NONE, "the CA changes once meanwhile: by the new one",
	       w->answer);
	expect(issue(w, csr, len, 1000) == ERR_CALL_IN_PROGRESS &&
		       w->answer->code == GRPC_ABORTED && w->answer->retry_ms > 0,
	       "it changes all the time: told, with a time to ask again", w->answer);
	expect(issue(w, csr, len, 0) == ERR_NONE, "asked again", w->answer);
	world_done(w);
	printf("passed %u failed %u skipped 0\n", n_passed, n_failed);
	return n_failed != 0;
}
