/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar is what both official apps accept: one [Interface], one [Peer],
 * no key that only wg-quick knows, no empty value, no comment, numbers for
 * PersistentKeepalive, networks without host bits.
 */
#include "server/cp/profile.h"

#include <errno.h>

static void add_key(struct text *out, const char *name, const struct key *key)
{
	char key_base64[KEY_TEXT_LEN + 1];

	text_addf(out, "%s = %s\n", name, key_text(key, key_base64));
	key_wipe_bytes(key_base64, sizeof(key_base64));
}

static void add_pair(struct text *out, const char *name, const struct cidr *a, const struct cidr *b)
{
	char first[CIDR_TEXT_LEN + 1], second[CIDR_TEXT_LEN + 1];

	text_addf(out, "%s = %s, %s\n", name, cidr_text(a, first), cidr_text(b, second));
}

int profile_write(const struct profile *p, struct text *out)
{
	char dns[CIDR_TEXT_LEN + 1];

	text_adds(out, "[Interface]\n");
	if (p->private_key)
		add_key(out, "PrivateKey", p->private_key);
	add_pair(out, "Address", &p->address4, &p->address6);
	if (p->dns.family)
		text_addf(out, "DNS = %s, quazzar.mesh\n", cidr_addr_text(&p->dns, dns));
	text_addf(out, "MTU = %u\n\n[Peer]\n", p->mtu);
	add_key(out, "PublicKey", &p->node_key);
	add_key(out, "PresharedKey", &p->psk);
	add_pair(out, "AllowedIPs", &p->range4, &p->range6);
	text_addf(out, "Endpoint = %s\n", p->endpoint);
	if (p->keepalive)
		text_addf(out, "PersistentKeepalive = %d\n", PROFILE_KEEPALIVE_S);
	return out->failed ? -ENOMEM : 0;
}
