/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/pins.h"

#include <limits.h>
#include <string.h>

#include "server/cp/keyring.h"
#include "server/rpc/cert.h"

static int read_active(struct cp *cp, uint8_t ret_pin[32])
{
	char cert[PATH_MAX];

	if (*cp->conf.cert_file)
		return err_trace(cert_pin(cp->conf.cert_file, ret_pin));
	keyring_cert_file(cp->keyring, cert);
	return err_trace(cert_pin(cert, ret_pin));
}

size_t pins_get(struct cp *cp, uint8_t ret_pins[PINS_MAX][32])
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	size_t n = 0, n_infos;

	if (!read_active(cp, ret_pins[0]))
		n = 1;
	/* The operator's own: so is its successor. */
	if (*cp->conf.cert_file && *cp->conf.next_cert_file &&
	    !cert_pin(cp->conf.next_cert_file, ret_pins[n]))
		n++;
	if (*cp->conf.cert_file || keyring_list(cp->keyring, &infos, &n_infos))
		return n;
	for (size_t i = 0; i < n_infos && n < PINS_MAX; i++) {
		if (infos[i].use == KEYRING_TLS && infos[i].state == KEYRING_NEXT)
			memcpy(ret_pins[n++], infos[i].public, sizeof(ret_pins[0]));
	}
	return n;
}
