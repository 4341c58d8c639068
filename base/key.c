/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Curve25519 keys and what is derived from them, by libsodium. Only values;
 * whoever holds a private one wipes it.
 */
#include "base/key.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/text.h"

void key_make(struct key *ret_private, struct key *ret_public)
{
	randombytes_buf(ret_private->b, KEY_LEN);
	ret_private->b[0] &= 248;
	ret_private->b[31] = (uint8_t)((ret_private->b[31] & 127) | 64);
	key_public(ret_private, ret_public);
}

void key_public(const struct key *private, struct key *ret_public)
{
	/* Cannot fail: the base point is not of low order. */
	if (crypto_scalarmult_curve25519_base(ret_public->b, private->b) != 0)
		memset(ret_public->b, 0, KEY_LEN);
}

const char *key_text(const struct key *k, char *ret)
{
	text_base64(k->b, KEY_LEN, ret);
	return ret;
}

int key_parse(const char *s, struct key *ret_key)
{
	struct key k;
	size_t len = 0;
	int r;

	/* WireGuard's tools know one form only: the standard alphabet, padded. */
	if (strnlen(s, KEY_TEXT_LEN + 1) != KEY_TEXT_LEN || s[KEY_TEXT_LEN - 1] != '=' ||
	    strpbrk(s, "-_"))
		return -EINVAL;
	r = text_unbase64(s, KEY_TEXT_LEN, k.b, KEY_LEN, &len);
	if (r == 0 && len == KEY_LEN)
		*ret_key = k;
	else
		r = -EINVAL;
	key_wipe(&k);
	return r;
}

int key_parse_hex(const char *s, struct key *ret_key)
{
	return text_unhex(s, ret_key->b, KEY_LEN);
}

/* Below 2^255 - 19: the one spelling of a coordinate that a peer ever sends. */
static bool canonical(const struct key *k)
{
	if (k->b[31] & 0x80)
		return false;
	if (k->b[31] != 0x7f || k->b[0] < 0xed)
		return true;
	for (int i = 1; i < 31; i++) {
		if (k->b[i] != 0xff)
			return true;
	}
	return false;
}

bool key_usable(const struct key *k)
{
	/* Any scalar shows it: a point of low order times the cofactor is zero. */
	static const uint8_t scalar[KEY_LEN] = {8, [31] = 64};
	uint8_t shared[KEY_LEN];

	return canonical(k) && crypto_scalarmult_curve25519(shared, scalar, k->b) == 0;
}

bool key_equal(const struct key *a, const struct key *b)
{
	return sodium_memcmp(a->b, b->b, KEY_LEN) == 0;
}

bool key_is_zero(const struct key *k)
{
	return sodium_is_zero(k->b, KEY_LEN) == 1;
}

void key_wipe(struct key *k)
{
	sodium_memzero(k->b, KEY_LEN);
}

void key_wipe_bytes(void *p, size_t len)
{
	if (p)
		sodium_memzero(p, len);
}

static void wipe_registers(void)
{
#if defined(__x86_64__)
	/* memcpy uses those that AVX-512 has and vzeroupper does not reach. */
	if (__builtin_cpu_supports("avx512f"))
		__asm__ volatile("vpxorq %zmm16, %zmm16, %zmm16\n\t"
				 "vpxorq %zmm17, %zmm17, %zmm17\n\t"
				 "vpxorq %zmm18, %zmm18, %zmm18\n\t"
				 "vpxorq %zmm19, %zmm19, %zmm19\n\t"
				 "vpxorq %zmm20, %zmm20, %zmm20\n\t"
				 "vpxorq %zmm21, %zmm21, %zmm21\n\t"
				 "vpxorq %zmm22, %zmm22, %zmm22\n\t"
				 "vpxorq %zmm23, %zmm23, %zmm23\n\t"
				 "vpxorq %zmm24, %zmm24, %zmm24\n\t"
				 "vpxorq %zmm25, %zmm25, %zmm25\n\t"
				 "vpxorq %zmm26, %zmm26, %zmm26\n\t"
				 "vpxorq %zmm27, %zmm27, %zmm27\n\t"
				 "vpxorq %zmm28, %zmm28, %zmm28\n\t"
				 "vpxorq %zmm29, %zmm29, %zmm29\n\t"
				 "vpxorq %zmm30, %zmm30, %zmm30\n\t"
				 "vpxorq %zmm31, %zmm31, %zmm31");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall"
				 :
				 :
				 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
				   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
				   "xmm15");
#endif
}

#if __has_attribute(zero_call_used_regs)
__attribute__((zero_call_used_regs("all")))
#endif
__attribute__((noinline)) void
key_wipe_stack(void)
{
	sodium_stackzero(KEY_STACK_LEN);
	wipe_registers();
}

static void derive(const struct key *from, const char *purpose, const uint8_t id[16],
		   uint32_t version, struct key *ret)
{
	const uint8_t be[4] = {(uint8_t)(version >> 24), (uint8_t)(version >> 16),
			       (uint8_t)(version >> 8), (uint8_t)version};
	crypto_generichash_state state;

	crypto_generichash_init(&state, from->b, KEY_LEN, KEY_LEN);
	crypto_generichash_update(&state, (const uint8_t *)purpose, strlen(purpose));
	crypto_generichash_update(&state, id, 16);
	crypto_generichash_update(&state, be, sizeof(be));
	crypto_generichash_final(&state, ret->b, KEY_LEN);
	sodium_memzero(&state, sizeof(state));
}

void key_psk_node(const struct key *k_psk, const uint8_t node_id[16], uint32_t psk_version,
		  struct key *ret_k_n)
{
	derive(k_psk, "psk-node/1", node_id, psk_version, ret_k_n);
}

void key_psk_device(const struct key *k_n, const uint8_t device_id[16], uint32_t key_version,
		    struct key *ret_psk)
{
	derive(k_n, "psk-dev/1", device_id, key_version, ret_psk);
}

int key_seal(const struct key *public, const void *p, size_t len, uint8_t *ret)
{
	return crypto_box_seal(ret, p, len, public->b) == 0 ? 0 : -EINVAL;
}

int key_unseal(const struct key *private, const uint8_t *box, size_t box_len, void *ret)
{
	struct key public;

	key_public(private, &public);
	return crypto_box_seal_open(ret, box, box_len, public.b, private->b) == 0 ? 0 : -EBADMSG;
}

_Static_assert(KEY_SEAL_OVERHEAD == crypto_box_SEALBYTES, "sealed box");
_Static_assert(KEY_STREAM_HEAD_LEN == crypto_secretstream_xchacha20poly1305_HEADERBYTES, "head");
_Static_assert(KEY_STREAM_OVERHEAD == crypto_secretstream_xchacha20poly1305_ABYTES, "tag");
_Static_assert(sizeof(struct key_stream) == sizeof(crypto_secretstream_xchacha20poly1305_state),
	       "room for the state");

static crypto_secretstream_xchacha20poly1305_state *state_of(struct key_stream *s)
{
	return (crypto_secretstream_xchacha20poly1305_state *)s->state;
}

int key_stream_seal(struct key_stream *s, const struct key *k,
		    uint8_t ret_head[KEY_STREAM_HEAD_LEN])
{
	return crypto_secretstream_xchacha20poly1305_init_push(state_of(s), ret_head, k->b) == 0
		       ? 0
		       : -EINVAL;
}

int key_stream_push(struct key_stream *s, const void *p, size_t len, bool last, uint8_t *ret)
{
	unsigned char tag = last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;

	return crypto_secretstream_xchacha20poly1305_push(state_of(s), ret, NULL, p, len, NULL, 0,
							  tag) == 0
		       ? 0
		       : -EINVAL;
}

int key_stream_open(struct key_stream *s, const struct key *k,
		    const uint8_t head[KEY_STREAM_HEAD_LEN])
{
	return crypto_secretstream_xchacha20poly1305_init_pull(state_of(s), head, k->b) == 0
		       ? 0
		       : -EBADMSG;
}

int key_stream_pull(struct key_stream *s, const uint8_t *p, size_t len, uint8_t *ret,
		    bool *ret_last)
{
	unsigned char tag = 0;

	if (len < KEY_STREAM_OVERHEAD ||
	    crypto_secretstream_xchacha20poly1305_pull(state_of(s), ret, NULL, &tag, p, len, NULL,
						       0) != 0)
		return -EBADMSG;
	*ret_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
	return 0;
}
