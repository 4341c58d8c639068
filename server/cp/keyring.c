/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two locks: "writing" holds whoever changes the files, "lock" whoever looks at
 * the rows or puts others in their place. So nobody who checks a token waits for
 * a disk.
 */
#include "server/cp/keyring.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/cp/opened.h"
#include "server/cp/ringfile.h"

struct keyring {
	char *state_dir;
	pthread_mutex_t writing, lock;
	struct ring ring;
	struct opened *opened;
};

#define CA_CONTEXT "mesh-ca/1"

static const char *const uses[] = {"sessions", "agents", "lists", "audit", "psk", "tls", "ca"};
static const char *const states[] = {"next", "active", "retiring", "retired"};

const char *keyring_use_name(enum keyring_use use)
{
	return uses[use];
}

const char *keyring_state_name(enum keyring_state state)
{
	return states[state];
}

int keyring_use_parse(const char *name, enum keyring_use *ret_use)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
		if (strcmp(name, uses[i]))
			continue;
		*ret_use = (enum keyring_use)i;
		return 0;
	}
	return -EINVAL;
}

static void unlock(pthread_mutex_t **lock)
{
	pthread_mutex_unlock(*lock);
}

#define LOCKED(mutex)                                                                              \
	_cleanup_(unlock) pthread_mutex_t *locked_ = (mutex);                                      \
	pthread_mutex_lock(locked_)

int keyring_open(const char *state_dir, struct keyring **ret_keyring)
{
	_cleanup_(keyring_freep) struct keyring *k = calloc(1, sizeof(*k));
	char dir[PATH_MAX];
	int r;

	if (!k)
		return -ENOMEM;
	pthread_mutex_init(&k->writing, NULL);
	pthread_mutex_init(&k->lock, NULL);
	k->state_dir = strdup(state_dir);
	k->opened = opened_new();
	if (!k->state_dir || !k->opened)
		return -ENOMEM;
	if (snprintf(dir, sizeof(dir), "%s/keys", state_dir) >= (int)sizeof(dir))
		return err_origin(-ENAMETOOLONG);
	if (mkdir(dir, 0700) && errno != EEXIST) {
		log_error("keyring", "%s: %s", dir, strerror(errno));
		return err_origin(-errno);
	}
	r = ringfile_load(state_dir, clock_wall_ms(), &k->ring);
	if (r)
		return err_trace(r);
	*ret_keyring = TAKE(k);
	return 0;
}

void keyring_free(struct keyring *k)
{
	if (!k)
		return;
	ringfile_done(&k->ring);
	opened_free(k->opened);
	pthread_mutex_destroy(&k->writing);
	pthread_mutex_destroy(&k->lock);
	free(k->state_dir);
	free(k);
}

/* --- looking --- */

static int compare(const void *a, const void *b)
{
	const struct keyring_info *x = a, *y = b;

	return x->use != y->use ? (int)x->use - (int)y->use
				: (x->version > y->version) - (x->version < y->version);
}

int keyring_list(struct keyring *k, struct keyring_info **ret_infos, size_t *ret_n)
{
	struct keyring_info *infos;
	LOCKED(&k->lock);

	infos = calloc(k->ring.n + 1, sizeof(*infos));
	if (!infos)
		return -ENOMEM;
	for (size_t i = 0; i < k->ring.n; i++)
		infos[i] = k->ring.rows[i].info;
	/* Not the rows themselves: sorting would leave copies of what is secret. */
	qsort(infos, k->ring.n, sizeof(*infos), compare);
	*ret_infos = infos;
	*ret_n = k->ring.n;
	return 0;
}

void keyring_active(struct keyring *k, enum keyring_use use, struct keyring_info *ret_info)
{
	LOCKED(&k->lock);

	*ret_info = ringfile_active(&k->ring, use)->info;
}

int keyring_find(struct keyring *k, enum keyring_use use, const char *kid,
		 struct keyring_info *ret_info)
{
	LOCKED(&k->lock);

	for (size_t i = 0; i < k->ring.n; i++) {
		const struct keyring_info *info = &k->ring.rows[i].info;

		if (info->use != use || !*info->kid || strcmp(info->kid, kid))
			continue;
		*ret_info = *info;
		return 0;
	}
	return ERR_NOT_FOUND;
}

void keyring_sign(struct keyring *k, enum keyring_use use, const void *p, size_t len,
		  uint8_t ret_sig[SIGN_LEN], char ret_kid[KEYRING_KID_ROOM])
{
	const struct ring_row *row;
	LOCKED(&k->lock);

	row = ringfile_active(&k->ring, use);
	sign_message(row->secret.sign, p, len, ret_sig);
	memcpy(ret_kid, row->info.kid, KEYRING_KID_ROOM);
}

/* --- tokens --- */

static char *sign_claims(struct keyring *k, enum keyring_use use, const char *typ, char *claims)
{
	const struct ring_row *row;
	char *token = NULL;

	if (claims) {
		LOCKED(&k->lock);

		row = ringfile_active(&k->ring, use);
		token = jwt_sign(typ, row->info.kid, row->secret.sign, claims);
	}
	free(claims);
	return token;
}

char *keyring_session_token(struct keyring *k, const struct claims *c)
{
	return sign_claims(k, KEYRING_SESSIONS, CLAIMS_SESSION_TYP, claims_session_text(c));
}

char *keyring_agent_token(struct keyring *k, const struct claims *c)
{
	return sign_claims(k, KEYRING_AGENTS, CLAIMS_AGENT_TYP, claims_agent_text(c));
}

/* What it signed is good, whether or not the retiring one has been retired in time. */
static bool is_trusted(const struct keyring_info *i, int64_t now_ms)
{
	return i->state == KEYRING_ACTIVE || (i->state == KEYRING_RETIRING && now_ms < i->until_ms);
}

static int open_signed(const char *token, const uint8_t public[SIGN_PUBLIC_LEN],
		       struct claims *ret_claims)
{
	_cleanup_(freep) char *json = NULL;
	int r = jwt_open(token, public, &json);

	return r ? r : claims_parse(json, ret_claims);
}

static int open_token(struct keyring *k, enum keyring_use use, const char *typ, const char *token,
		      int64_t now_ms, struct claims *ret_claims)
{
	bool is_agent = use == KEYRING_AGENTS;
	char kid[JWT_KID_ROOM];
	struct keyring_info key;
	uint8_t mark[HASH_LEN];
	struct claims c;
	int r = 0;

	if (jwt_kid(token, typ, kid) || keyring_find(k, use, kid, &key) ||
	    !is_trusted(&key, now_ms))
		return ERR_TOKEN_INVALID;
	if (!is_agent || !opened_find(k->opened, token, key.public, mark, &c)) {
		r = open_signed(token, key.public, &c);
		if (!r && is_agent)
			opened_keep(k->opened, mark, &c);
	}
	/* Nobody is signed out because memory is short. */
	if (r)
		return r == -ENOMEM ? r : ERR_TOKEN_INVALID;
	if (c.expires_at_s <= now_ms / 1000)
		return ERR_TOKEN_INVALID;
	*ret_claims = c;
	return 0;
}

int keyring_open_session(struct keyring *k, const char *token, int64_t now_ms,
			 struct claims *ret_claims)
{
	return open_token(k, KEYRING_SESSIONS, CLAIMS_SESSION_TYP, token, now_ms, ret_claims);
}

int keyring_open_agent(struct keyring *k, const char *token, int64_t now_ms,
		       struct claims *ret_claims)
{
	int r = open_token(k, KEYRING_AGENTS, CLAIMS_AGENT_TYP, token, now_ms, ret_claims);

	return !r && strcmp(ret_claims->aud, CLAIMS_AUD_AGENT) ? ERR_TOKEN_INVALID : r;
}

bool keyring_is_agent(const char *token)
{
	char kid[JWT_KID_ROOM];

	return !jwt_kid(token, CLAIMS_AGENT_TYP, kid);
}

/* --- preshared keys --- */

static struct ring_row *psk_row(struct keyring *k, uint32_t version)
{
	for (size_t i = 0; i < k->ring.n; i++) {
		struct ring_row *row = &k->ring.rows[i];

		if (row->info.use == KEYRING_PSK && row->info.version == version)
			return row;
	}
	return NULL;
}

uint32_t keyring_psk_hold(struct keyring *k)
{
	struct ring_row *row;
	LOCKED(&k->lock);

	row = ringfile_active(&k->ring, KEYRING_PSK);
	row->holds++;
	return row->info.version;
}

void keyring_psk_release(struct keyring *k, uint32_t version)
{
	struct ring_row *row;
	LOCKED(&k->lock);

	row = psk_row(k, version);
	if (row && row->holds)
		row->holds--;
}

int keyring_k_n(struct keyring *k, const uint8_t node_id[16], uint32_t psk_version,
		struct key *ret_k_n)
{
	const struct ring_row *row;
	LOCKED(&k->lock);

	row = psk_row(k, psk_version);
	if (!row || row->info.state == KEYRING_RETIRED)
		return ERR_NOT_FOUND;
	key_psk_node(&row->secret.psk, node_id, psk_version, ret_k_n);
	return 0;
}

/* --- CAs of tenants --- */

int keyring_ca_secret(struct keyring *k, const char *kid, const uint8_t tenant_id[16],
		      uint8_t ret_secret[KEYRING_CA_LEN])
{
	LOCKED(&k->lock);

	for (size_t i = 0; i < k->ring.n; i++) {
		const struct ring_row *row = &k->ring.rows[i];

		if (row->info.use != KEYRING_CA || strcmp(row->info.kid, kid) ||
		    row->info.state > KEYRING_ACTIVE)
			continue;
		for (uint8_t half = 0; half < KEYRING_CA_LEN / HASH_LEN; half++) {
			const struct hash_part parts[] = {
				{CA_CONTEXT, strlen(CA_CONTEXT)}, {tenant_id, 16}, {&half, 1}};

			/* The first half of an Ed25519 secret is its seed. */
			hash_parts(row->secret.sign, SIGN_SECRET_LEN - SIGN_PUBLIC_LEN, parts,
				   ARRAY_LEN(parts), ret_secret + half * HASH_LEN);
		}
		return 0;
	}
	return ERR_NOT_FOUND;
}

/* --- changing --- */

/* "next" on the disk, then in the place of what was; it is gone afterwards. */
static int put(struct keyring *k, struct ring *next)
{
	struct ring before;
	int r = ringfile_save(k->state_dir, next);

	if (r)
		return err_trace(r);
	pthread_mutex_lock(&k->lock);
	before = k->ring;
	/* Calls took and gave back their holds meanwhile. */
	for (size_t i = 0; i < next->n; i++) {
		const struct ring_row *row = next->rows[i].info.use == KEYRING_PSK
						     ? psk_row(k, next->rows[i].info.version)
						     : NULL;

		next->rows[i].holds = row ? row->holds : 0;
	}
	k->ring = *next;
	*next = (struct ring){0};
	pthread_mutex_unlock(&k->lock);
	ringfile_done(&before);
	return 0;
}

static struct ring_row *next_of(const struct ring *ring, enum keyring_use use)
{
	for (size_t i = 0; i < ring->n; i++) {
		if (ring->rows[i].info.use == use && ring->rows[i].info.state == KEYRING_NEXT)
			return &ring->rows[i];
	}
	return NULL;
}

static size_t count_live(const struct ring *ring, enum keyring_use use)
{
	size_t n = 0;

	for (size_t i = 0; i < ring->n; i++)
		n += ring->rows[i].info.use == use && ring->rows[i].info.state != KEYRING_RETIRED;
	return n;
}

/* Rows change under both locks only, so "writing" alone is enough to read them. */
int keyring_prepare(struct keyring *k, enum keyring_use use, int64_t now_ms, bool cut)
{
	_cleanup_(ringfile_done) struct ring ring = {0};
	size_t most = use == KEYRING_PSK ? KEYRING_MAX_LIVE_PSK : KEYRING_MAX_LIVE;
	LOCKED(&k->writing);
	int r;

	if (next_of(&k->ring, use))
		return 0;
	if (count_live(&k->ring, use) >= most + cut)
		return -EMFILE;
	r = ringfile_copy(&k->ring, &ring);
	if (!r)
		r = ringfile_make(k->state_dir, &ring, use, now_ms);
	return r ? err_trace(r) : put(k, &ring);
}

static void step_down(struct ring_row *row, int64_t now_ms, int64_t until_ms, bool cut)
{
	if (row->info.state == KEYRING_NEXT || row->info.state == KEYRING_RETIRED)
		return;
	if (cut || (row->info.state == KEYRING_ACTIVE && until_ms <= now_ms &&
		    row->info.use != KEYRING_PSK)) {
		ringfile_retire(row, now_ms, cut);
	} else if (row->info.state == KEYRING_ACTIVE) {
		row->info.state = KEYRING_RETIRING;
		row->info.until_ms = until_ms;
		/* It checks what it signed, and signs no more. */
		if (row->info.use != KEYRING_PSK)
			key_wipe_bytes(&row->secret, sizeof(row->secret));
	}
}

int keyring_switch(struct keyring *k, enum keyring_use use, int64_t now_ms, int64_t until_ms,
		   bool cut)
{
	_cleanup_(ringfile_done) struct ring ring = {0};
	struct ring_row *next;
	LOCKED(&k->writing);
	int r;

	r = ringfile_copy(&k->ring, &ring);
	if (r)
		return err_trace(r);
	next = next_of(&ring, use);
	if (!next)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < ring.n; i++) {
		if (ring.rows[i].info.use == use)
			step_down(&ring.rows[i], now_ms, until_ms, cut);
	}
	next->info.state = KEYRING_ACTIVE;
	next->info.active_ms = now_ms;
	next->info.unsaid = true;
	return put(k, &ring);
}

int keyring_said(struct keyring *k, enum keyring_use use)
{
	_cleanup_(ringfile_done) struct ring ring = {0};
	LOCKED(&k->writing);
	int r;

	r = ringfile_copy(&k->ring, &ring);
	if (r)
		return err_trace(r);
	ringfile_active(&ring, use)->info.unsaid = false;
	return put(k, &ring);
}

/* 1: its time is over; 0: not yet. */
static int is_due(struct keyring *k, const struct keyring_info *i, int64_t now_ms,
		  keyring_named_fn named, void *arg)
{
	bool is_named = false;
	unsigned holds;
	int r;

	if (i->state != KEYRING_RETIRING || now_ms < i->until_ms)
		return 0;
	if (i->use != KEYRING_PSK)
		return 1;
	/* Nobody takes a hold of one that is not active: whoever had one has written by now. */
	pthread_mutex_lock(&k->lock);
	holds = psk_row(k, i->version)->holds;
	pthread_mutex_unlock(&k->lock);
	if (holds)
		return 0;
	r = named(arg, i->version, &is_named);
	return r ? err_trace(r) : !is_named;
}

int keyring_retire_due(struct keyring *k, int64_t now_ms, keyring_named_fn named, void *arg,
		       struct keyring_info *ret_retired)
{
	_cleanup_(ringfile_done) struct ring ring = {0};
	struct keyring_info retired;
	LOCKED(&k->writing);
	size_t at;
	int r = 0;

	for (at = 0; !r && at < k->ring.n; at++)
		r = is_due(k, &k->ring.rows[at].info, now_ms, named, arg);
	if (r <= 0)
		return r ? r : ERR_NOT_FOUND;
	/* Rows of a copy may have moved up. */
	retired = k->ring.rows[at - 1].info;
	r = ringfile_copy(&k->ring, &ring);
	if (r)
		return err_trace(r);
	for (size_t i = 0; i < ring.n; i++) {
		if (ring.rows[i].info.use != retired.use ||
		    ring.rows[i].info.version != retired.version)
			continue;
		ringfile_retire(&ring.rows[i], now_ms, false);
		retired = ring.rows[i].info;
	}
	r = put(k, &ring);
	if (!r)
		*ret_retired = retired;
	return r;
}

void keyring_freeze(struct keyring *k)
{
	pthread_mutex_lock(&k->writing);
}

void keyring_thaw(struct keyring *k)
{
	pthread_mutex_unlock(&k->writing);
}

/* --- the listener's --- */

void keyring_key_file(struct keyring *k, char *ret)
{
	struct keyring_info tls;

	keyring_active(k, KEYRING_TLS, &tls);
	if (ringfile_path(k->state_dir, KEYRING_TLS, tls.version, ret))
		*ret = '\0';
}

void keyring_cert_file(struct keyring *k, char *ret)
{
	struct keyring_info tls;

	keyring_active(k, KEYRING_TLS, &tls);
	if (tls.version > 1)
		keyring_key_file(k, ret);
	else if (snprintf(ret, PATH_MAX, "%s/ca.pem", k->state_dir) >= PATH_MAX)
		*ret = '\0';
}
