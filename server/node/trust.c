/* SPDX-License-Identifier: Apache-2.0 */
/* Keys to trust, from and to their wire form. Pure; any thread. */
#include "server/node/trust.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

void trust_wipe(struct trust *t)
{
	key_wipe_bytes(t, sizeof(*t));
}

static int read_keys(Pb__VerifyKey **from, size_t n, struct trust_key *to, size_t *ret_n)
{
	if (n > TRUST_MAX_KEYS)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		if (strlen(from[i]->kid) >= sizeof(to[i].kid) ||
		    from[i]->public_key.len != SIGN_PUBLIC_LEN)
			return -EBADMSG;
		strcpy(to[i].kid, from[i]->kid);
		memcpy(to[i].public_key, from[i]->public_key.data, SIGN_PUBLIC_LEN);
	}
	*ret_n = n;
	return 0;
}

static int read_secrets(const Pb__Keys *keys, struct trust *t)
{
	if (keys->n_cp_pins > TRUST_MAX_KEYS || keys->n_k_n > TRUST_MAX_K_N)
		return -EBADMSG;
	for (size_t i = 0; i < keys->n_cp_pins; i++) {
		if (keys->cp_pins[i].len != sizeof(t->pins[0]))
			return -EBADMSG;
		memcpy(t->pins[t->n_pins++], keys->cp_pins[i].data, sizeof(t->pins[0]));
	}
	for (size_t i = 0; i < keys->n_k_n; i++) {
		if (keys->k_n[i]->key.len != KEY_LEN)
			return -EBADMSG;
		t->k_n[t->n_k_n].psk_version = keys->k_n[i]->psk_version;
		memcpy(t->k_n[t->n_k_n++].key.b, keys->k_n[i]->key.data, KEY_LEN);
	}
	return 0;
}

int trust_read(const Pb__Keys *keys, struct trust *ret)
{
	_cleanup_(trust_wipe) struct trust t = {0};
	int r;

	r = read_keys(keys->session_keys, keys->n_session_keys, t.session_keys, &t.n_session_keys);
	if (!r)
		r = read_keys(keys->list_keys, keys->n_list_keys, t.list_keys, &t.n_list_keys);
	if (!r)
		r = read_secrets(keys, &t);
	if (!r)
		*ret = t;
	return r;
}

static void put_keys(const struct trust_key *from, size_t n, Pb__VerifyKey *items,
		     Pb__VerifyKey **to)
{
	for (size_t i = 0; i < n; i++) {
		pb__verify_key__init(&items[i]);
		items[i].kid = (char *)from[i].kid;
		items[i].public_key.len = SIGN_PUBLIC_LEN;
		items[i].public_key.data = (uint8_t *)from[i].public_key;
		to[i] = &items[i];
	}
}

int trust_encode(const struct trust *t, uint8_t **ret_bytes, size_t *ret_len)
{
	Pb__Keys keys = PB__KEYS__INIT;
	Pb__VerifyKey items[2 * TRUST_MAX_KEYS], *verify[2 * TRUST_MAX_KEYS];
	Pb__NodePskKey psk[TRUST_MAX_K_N], *psks[TRUST_MAX_K_N];
	ProtobufCBinaryData pins[TRUST_MAX_KEYS];
	uint8_t *bytes;

	put_keys(t->session_keys, t->n_session_keys, items, verify);
	put_keys(t->list_keys, t->n_list_keys, items + TRUST_MAX_KEYS, verify + TRUST_MAX_KEYS);
	keys.n_session_keys = t->n_session_keys;
	keys.session_keys = verify;
	keys.n_list_keys = t->n_list_keys;
	keys.list_keys = verify + TRUST_MAX_KEYS;
	for (size_t i = 0; i < t->n_pins; i++)
		pins[i] = (ProtobufCBinaryData){.len = 32, .data = (uint8_t *)t->pins[i]};
	keys.n_cp_pins = t->n_pins;
	keys.cp_pins = pins;
	for (size_t i = 0; i < t->n_k_n; i++) {
		pb__node_psk_key__init(&psk[i]);
		psk[i].psk_version = t->k_n[i].psk_version;
		psk[i].key.len = KEY_LEN;
		psk[i].key.data = (uint8_t *)t->k_n[i].key.b;
		psks[i] = &psk[i];
	}
	keys.n_k_n = t->n_k_n;
	keys.k_n = psks;
	bytes = malloc(pb__keys__get_packed_size(&keys) + 1);
	if (!bytes)
		return err_origin(-ENOMEM);
	*ret_len = pb__keys__pack(&keys, bytes);
	*ret_bytes = bytes;
	return 0;
}

int trust_decode(const void *p, size_t len, struct trust *ret)
{
	Pb__Keys *keys = pb__keys__unpack(NULL, len, p);
	int r;

	if (!keys)
		return -EBADMSG;
	r = trust_read(keys, ret);
	for (size_t i = 0; i < keys->n_k_n; i++)
		key_wipe_bytes(keys->k_n[i]->key.data, keys->k_n[i]->key.len);
	pb__keys__free_unpacked(keys, NULL);
	return r;
}

const struct key *trust_k_n(const struct trust *t, uint32_t psk_version)
{
	for (size_t i = 0; i < t->n_k_n; i++)
		if (t->k_n[i].psk_version == psk_version)
			return &t->k_n[i].key;
	return NULL;
}

const struct trust_key *trust_list_key(const struct trust *t, const char *kid)
{
	for (size_t i = 0; i < t->n_list_keys; i++)
		if (strcmp(t->list_keys[i].kid, kid) == 0)
			return &t->list_keys[i];
	return NULL;
}
