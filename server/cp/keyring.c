/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/keyring.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "server/rpc/cert.h"

enum { KID_LEN = 16, PSK_VERSION = 1 };

struct signer {
	uint8_t secret[SIGN_SECRET_LEN];
	uint8_t public[SIGN_PUBLIC_LEN];
	char kid[KID_LEN + 1];
};

struct keyring {
	struct signer signers[KEYRING_N_USES];
	struct key psk;
	char cert_file[PATH_MAX], key_file[PATH_MAX];
};

static int check_private(int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st))
		return err_origin(-errno);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) || st.st_uid != geteuid()) {
		log_error("keyring", "%s: must be a plain file of this user with mode 0600", path);
		return err_origin(-EPERM);
	}
	return 0;
}

/* 0, -ENOENT, or what is wrong with the file. */
static int read_secret(const char *path, void *ret, size_t len)
{
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = check_private(fd, path);
	if (r)
		return r;
	if (read(fd, ret, len) != (ssize_t)len) {
		log_error("keyring", "%s: not a key of ours", path);
		return err_origin(-EBADMSG);
	}
	return 0;
}

/* Whole or not there at all: written aside, synced, then linked into place. */
static int write_secret(const char *path, const void *p, size_t len)
{
	_cleanup_(close_fdp) int fd = -1;
	char aside[PATH_MAX];

	if (snprintf(aside, sizeof(aside), "%s.new", path) >= (int)sizeof(aside))
		return err_origin(-ENAMETOOLONG);
	unlink(aside);
	fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, p, len) != (ssize_t)len || fsync(fd) || rename(aside, path)) {
		log_error("keyring", "%s: %s", path, strerror(errno));
		return err_origin(errno ? -errno : -EIO);
	}
	return 0;
}

static int load(const char *dir, const char *name, void *key, size_t len, bool *ret_new)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return err_origin(-ENAMETOOLONG);
	r = read_secret(path, key, len);
	*ret_new = r == -ENOENT;
	if (!*ret_new)
		return r;
	if (len == SIGN_SECRET_LEN) {
		uint8_t public[SIGN_PUBLIC_LEN];

		sign_make(public, key);
	} else {
		sign_random(key, len);
	}
	return write_secret(path, key, len);
}

static int load_signer(const char *dir, const char *name, struct signer *s)
{
	uint8_t hash[HASH_LEN];
	bool is_new;
	int r;

	r = load(dir, name, s->secret, sizeof(s->secret), &is_new);
	if (r)
		return err_trace(r);
	/* The second half of an Ed25519 secret is its public key. */
	memcpy(s->public, s->secret + SIGN_SECRET_LEN - SIGN_PUBLIC_LEN, SIGN_PUBLIC_LEN);
	hash_bytes(NULL, 0, s->public, sizeof(s->public), hash);
	text_hex(hash, KID_LEN / 2, s->kid);
	return 0;
}

static int load_tls(struct keyring *k, const char *state_dir, const char *dir)
{
	int fd, r;

	if (snprintf(k->cert_file, sizeof(k->cert_file), "%s/ca.pem", state_dir) >= PATH_MAX ||
	    snprintf(k->key_file, sizeof(k->key_file), "%s/tls.key", dir) >= PATH_MAX)
		return err_origin(-ENAMETOOLONG);
	fd = open(k->key_file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? cert_make(k->cert_file, k->key_file) : err_origin(-errno);
	r = check_private(fd, k->key_file);
	close(fd);
	return r;
}

int keyring_open(const char *state_dir, struct keyring **ret_keyring)
{
	static const char *const files[] = {"sessions.key", "agents.key", "lists.key"};
	_cleanup_(keyring_freep) struct keyring *k = calloc(1, sizeof(*k));
	char dir[PATH_MAX];
	bool is_new;
	int r;

	if (!k)
		return -ENOMEM;
	if (snprintf(dir, sizeof(dir), "%s/keys", state_dir) >= (int)sizeof(dir))
		return err_origin(-ENAMETOOLONG);
	if (mkdir(dir, 0700) && errno != EEXIST) {
		log_error("keyring", "%s: %s", dir, strerror(errno));
		return err_origin(-errno);
	}
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		r = load_signer(dir, files[i], &k->signers[i]);
		if (r)
			return err_trace(r);
	}
	r = load(dir, "psk-1.key", k->psk.b, sizeof(k->psk.b), &is_new);
	if (!r)
		r = load_tls(k, state_dir, dir);
	if (r)
		return err_trace(r);
	*ret_keyring = TAKE(k);
	return 0;
}

void keyring_free(struct keyring *k)
{
	if (k)
		key_wipe_bytes(k, sizeof(*k));
	free(k);
}

const char *keyring_kid(const struct keyring *k, enum keyring_use use)
{
	return k->signers[use].kid;
}

const uint8_t *keyring_public(const struct keyring *k, enum keyring_use use)
{
	return k->signers[use].public;
}

void keyring_sign(const struct keyring *k, enum keyring_use use, const void *p, size_t len,
		  uint8_t ret_sig[SIGN_LEN])
{
	sign_message(k->signers[use].secret, p, len, ret_sig);
}

static char *sign_claims(const struct signer *s, const char *typ, char *claims)
{
	char *token = claims ? jwt_sign(typ, s->kid, s->secret, claims) : NULL;

	free(claims);
	return token;
}

char *keyring_session_token(const struct keyring *k, const struct claims *c)
{
	return sign_claims(&k->signers[KEYRING_SESSIONS], CLAIMS_SESSION_TYP,
			   claims_session_text(c));
}

char *keyring_agent_token(const struct keyring *k, const struct claims *c)
{
	return sign_claims(&k->signers[KEYRING_AGENTS], CLAIMS_AGENT_TYP, claims_agent_text(c));
}

static int open_token(const struct signer *s, const char *typ, const char *token, int64_t now_ms,
		      struct claims *ret_claims)
{
	_cleanup_(freep) char *json = NULL;
	struct claims c;
	int r;

	if (!jwt_header_is(token, typ, s->kid))
		return ERR_TOKEN_INVALID;
	r = jwt_open(token, s->public, &json);
	if (!r)
		r = claims_parse(json, &c);
	/* Nobody is signed out because memory is short. */
	if (r)
		return r == -ENOMEM ? r : ERR_TOKEN_INVALID;
	if (c.expires_at_s <= now_ms / 1000)
		return ERR_TOKEN_INVALID;
	*ret_claims = c;
	return 0;
}

int keyring_open_session(const struct keyring *k, const char *token, int64_t now_ms,
			 struct claims *ret_claims)
{
	return open_token(&k->signers[KEYRING_SESSIONS], CLAIMS_SESSION_TYP, token, now_ms,
			  ret_claims);
}

int keyring_open_agent(const struct keyring *k, const char *token, int64_t now_ms,
		       struct claims *ret_claims)
{
	int r = open_token(&k->signers[KEYRING_AGENTS], CLAIMS_AGENT_TYP, token, now_ms,
			   ret_claims);

	return !r && strcmp(ret_claims->aud, CLAIMS_AUD_AGENT) ? ERR_TOKEN_INVALID : r;
}

bool keyring_is_agent(const struct keyring *k, const char *token)
{
	return jwt_header_is(token, CLAIMS_AGENT_TYP, k->signers[KEYRING_AGENTS].kid);
}

uint32_t keyring_psk_version(const struct keyring *k)
{
	(void)k;
	return PSK_VERSION;
}

void keyring_k_n(const struct keyring *k, const uint8_t node_id[16], uint32_t psk_version,
		 struct key *ret_k_n)
{
	key_psk_node(&k->psk, node_id, psk_version, ret_k_n);
}

const char *keyring_cert_file(const struct keyring *k)
{
	return k->cert_file;
}

const char *keyring_key_file(const struct keyring *k)
{
	return k->key_file;
}
