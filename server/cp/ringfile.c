/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/ringfile.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/text.h"
#include "server/cp/secretfile.h"
#include "server/rpc/cert.h"

#define HEADLINE "qmesh-ring/1\n"
enum { RING_MAX_LEN = 512 * 1024, PEM_MAX_LEN = 16384, KEEP_RETIRED = 8 };
/* How long a token of ours can be good, where nobody says it. */
#define ADOPTED_MS (24 * 3600 * 1000ll)

void ringfile_done(struct ring *ring)
{
	if (ring->rows)
		key_wipe_bytes(ring->rows, ring->n * sizeof(*ring->rows));
	free(ring->rows);
	*ring = (struct ring){0};
}

static int room(const struct ring *from, size_t more, struct ring *ret)
{
	if (from->n + more > RINGFILE_MAX_ROWS)
		return err_origin(-EMFILE);
	ret->rows = calloc(from->n + more + 1, sizeof(*ret->rows));
	if (!ret->rows)
		return -ENOMEM;
	if (from->n)
		memcpy(ret->rows, from->rows, from->n * sizeof(*ret->rows));
	ret->n = from->n;
	return 0;
}

/* Of those retired in an orderly way only the last few are of use to anybody. */
static bool is_stale(const struct ring *ring, size_t at)
{
	const struct keyring_info *i = &ring->rows[at].info;
	size_t newer = 0;

	for (size_t j = 0; j < ring->n; j++) {
		const struct keyring_info *o = &ring->rows[j].info;

		newer += o->use == i->use && o->state == KEYRING_RETIRED && o->version > i->version;
	}
	return i->use != KEYRING_AUDIT && i->state == KEYRING_RETIRED && newer >= KEEP_RETIRED;
}

int ringfile_copy(const struct ring *from, struct ring *ret)
{
	struct ring to = {0};
	size_t kept = 0;
	int r = room(from, 1, &to);

	if (r)
		return r;
	for (size_t i = 0; i < from->n; i++) {
		if (!is_stale(from, i))
			to.rows[kept++] = from->rows[i];
	}
	key_wipe_bytes(to.rows + kept, (to.n - kept) * sizeof(*to.rows));
	to.n = kept;
	*ret = to;
	return 0;
}

struct ring_row *ringfile_active(const struct ring *ring, enum keyring_use use)
{
	for (size_t i = 0; i < ring->n; i++) {
		if (ring->rows[i].info.use == use && ring->rows[i].info.state == KEYRING_ACTIVE)
			return &ring->rows[i];
	}
	return NULL;
}

static struct ring_row *find(const struct ring *ring, enum keyring_use use, uint32_t version)
{
	for (size_t i = 0; i < ring->n; i++) {
		if (ring->rows[i].info.use == use && ring->rows[i].info.version == version)
			return &ring->rows[i];
	}
	return NULL;
}

/* Is a private half of it kept? */
static bool has_secret(const struct keyring_info *i)
{
	return i->state == KEYRING_NEXT || i->state == KEYRING_ACTIVE ||
	       (i->use == KEYRING_PSK && i->state == KEYRING_RETIRING);
}

/* --- one key's file --- */

/* The first key of a purpose has no number, but for psk: so it always was. */
int ringfile_path(const char *state_dir, enum keyring_use use, uint32_t version, char *ret)
{
	const char *name = keyring_use_name(use);
	char number[16] = "";
	int len;

	if (version > 1 || use == KEYRING_PSK)
		snprintf(number, sizeof(number), "-%u", version);
	len = snprintf(ret, PATH_MAX, "%s/keys/%s%s.key", state_dir, name, number);
	return len < PATH_MAX ? 0 : err_origin(-ENAMETOOLONG);
}

static void name_kid(struct keyring_info *i)
{
	uint8_t hash[HASH_LEN];

	if (i->use == KEYRING_TLS) {
		text_hex(i->public, KEYRING_KID_LEN / 2, i->kid);
		return;
	}
	hash_bytes(NULL, 0, i->public, sizeof(i->public), hash);
	text_hex(hash, KEYRING_KID_LEN / 2, i->kid);
}

/* A certificate of ours that is gone is the listener's fault to tell, not ours. */
static int read_tls(const char *state_dir, struct ring_row *row, const char *path)
{
	char cert[PATH_MAX];
	int r;

	r = secretfile_check(path);
	if (r)
		return r;
	if (row->info.version > 1)
		snprintf(cert, sizeof(cert), "%s", path);
	else if (snprintf(cert, sizeof(cert), "%s/ca.pem", state_dir) >= (int)sizeof(cert))
		return err_origin(-ENAMETOOLONG);
	if (!access(cert, R_OK) && !cert_pin(cert, row->info.public))
		name_kid(&row->info);
	return 0;
}

/* 0, -ENOENT, or what is wrong with the file. */
static int read_key(const char *state_dir, struct ring_row *row)
{
	struct keyring_info *i = &row->info;
	uint8_t kept[SIGN_PUBLIC_LEN];
	char path[PATH_MAX];
	int r;

	r = ringfile_path(state_dir, i->use, i->version, path);
	if (r)
		return r;
	if (i->use == KEYRING_TLS)
		return read_tls(state_dir, row, path);
	if (i->use == KEYRING_PSK)
		return secretfile_read(path, row->secret.psk.b, KEY_LEN);
	r = secretfile_read(path, row->secret.sign, SIGN_SECRET_LEN);
	if (r)
		return r;
	memcpy(kept, i->public, sizeof(kept));
	/* The second half of an Ed25519 secret is its public key. */
	memcpy(i->public, row->secret.sign + SIGN_SECRET_LEN - SIGN_PUBLIC_LEN, SIGN_PUBLIC_LEN);
	if (*i->kid && memcmp(kept, i->public, sizeof(kept)))
		log_warn("keyring", "%s: is another key than before", path);
	name_kid(i);
	return 0;
}

/* The certificate behind its key in one file, so that one step puts both in place. */
static int join_tls(const char *cert, const char *key, const char *path)
{
	char *pem = calloc(2, PEM_MAX_LEN);
	size_t key_len = 0, len;
	int r;

	if (!pem)
		return -ENOMEM;
	r = secretfile_load(key, pem, PEM_MAX_LEN, &key_len);
	if (!r)
		r = secretfile_load_public(cert, pem + key_len, PEM_MAX_LEN, &len);
	if (!r)
		r = secretfile_write(path, pem, key_len + len);
	key_wipe_bytes(pem, 2 * (size_t)PEM_MAX_LEN);
	free(pem);
	return r;
}

static int make_tls(const char *state_dir, uint32_t version, const char *path)
{
	char cert[PATH_MAX], key[PATH_MAX];
	int r;

	if (snprintf(cert, sizeof(cert), "%s/ca.pem%s", state_dir, version > 1 ? ".next" : "") >=
		    (int)sizeof(cert) ||
	    snprintf(key, sizeof(key), "%s.pem", path) >= (int)sizeof(key))
		return err_origin(-ENAMETOOLONG);
	r = cert_make(cert, key);
	if (r)
		return err_trace(r);
	if (version == 1)
		return rename(key, path) ? err_origin(-errno) : 0;
	r = join_tls(cert, key, path);
	unlink(key);
	unlink(cert);
	return err_trace(r);
}

static int make_key(const char *state_dir, struct ring_row *row)
{
	struct keyring_info *i = &row->info;
	char path[PATH_MAX];
	int r;

	r = ringfile_path(state_dir, i->use, i->version, path);
	if (r)
		return r;
	if (i->use == KEYRING_TLS) {
		r = make_tls(state_dir, i->version, path);
	} else if (i->use == KEYRING_PSK) {
		sign_random(row->secret.psk.b, KEY_LEN);
		r = secretfile_write(path, row->secret.psk.b, KEY_LEN);
	} else {
		sign_make(i->public, row->secret.sign);
		r = secretfile_write(path, row->secret.sign, SIGN_SECRET_LEN);
	}
	return r ? err_trace(r) : read_key(state_dir, row);
}

int ringfile_make(const char *state_dir, struct ring *ring, enum keyring_use use, int64_t now_ms)
{
	struct ring_row *row = &ring->rows[ring->n];
	uint32_t version = 0;
	int r;

	for (size_t i = 0; i < ring->n; i++) {
		if (ring->rows[i].info.use == use && ring->rows[i].info.version > version)
			version = ring->rows[i].info.version;
	}
	row->info = (struct keyring_info){.use = use, .version = version + 1, .made_ms = now_ms};
	r = make_key(state_dir, row);
	if (r) {
		key_wipe_bytes(row, sizeof(*row));
		return err_trace(r);
	}
	KILL_POINT("ring.key_written");
	ring->n++;
	return 0;
}

void ringfile_retire(struct ring_row *row, int64_t now_ms, bool cut)
{
	row->info.state = KEYRING_RETIRED;
	row->info.retired_ms = now_ms;
	row->info.cut = cut;
	key_wipe_bytes(&row->secret, sizeof(row->secret));
}

/* --- the file that names them --- */

static void write_time(struct text *t, const char *word, int64_t ms)
{
	if (ms)
		text_addf(t, " %s=%lld", word, (long long)ms);
}

static void write_row(struct text *t, const struct keyring_info *i)
{
	char public[TEXT_HEX_LEN(SIGN_PUBLIC_LEN) + 1];

	text_addf(t, "%s %u %s", keyring_use_name(i->use), i->version,
		  keyring_state_name(i->state));
	if (*i->kid) {
		text_hex(i->public, sizeof(i->public), public);
		text_addf(t, " kid=%s public=%s", i->kid, public);
	}
	write_time(t, "made", i->made_ms);
	write_time(t, "active", i->active_ms);
	write_time(t, "until", i->until_ms);
	write_time(t, "retired", i->retired_ms);
	text_adds(t, i->cut ? " cut" : "");
	text_adds(t, i->unsaid ? " unsaid\n" : "\n");
}

/* The certificate of the listener is a file of its own too, for clients that trust by it. */
static int show_cert(const char *state_dir, const struct ring *ring)
{
	const struct ring_row *tls = ringfile_active(ring, KEYRING_TLS);
	char path[PATH_MAX], cert[PATH_MAX], pem[PEM_MAX_LEN], *begin;
	uint8_t pin[32];
	size_t len;
	int r;

	if (!tls || tls->info.version == 1)
		return 0;
	if (snprintf(cert, sizeof(cert), "%s/ca.pem", state_dir) >= (int)sizeof(cert))
		return err_origin(-ENAMETOOLONG);
	if (!access(cert, R_OK) && !cert_pin(cert, pin) &&
	    !memcmp(pin, tls->info.public, sizeof(pin)))
		return 0;
	r = ringfile_path(state_dir, KEYRING_TLS, tls->info.version, path);
	if (!r)
		r = secretfile_load(path, pem, sizeof(pem), &len);
	if (r)
		return err_trace(r);
	begin = strstr(pem, "-----BEGIN CERTIFICATE-----");
	r = begin ? secretfile_write_public(cert, begin, strlen(begin)) : err_origin(-EBADMSG);
	key_wipe_bytes(pem, sizeof(pem));
	return r;
}

int ringfile_save(const char *state_dir, const struct ring *ring)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(RING_MAX_LEN);
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/keys/ring", state_dir) >= (int)sizeof(path))
		return err_origin(-ENAMETOOLONG);
	text_adds(&t, HEADLINE);
	for (size_t i = 0; i < ring->n; i++)
		write_row(&t, &ring->rows[i].info);
	if (t.failed)
		return -ENOMEM;
	r = secretfile_write(path, t.s, t.len);
	if (r)
		return err_trace(r);
	KILL_POINT("ring.named");
	for (size_t i = 0; i < ring->n; i++) {
		const struct keyring_info *k = &ring->rows[i].info;

		if (!has_secret(k) && !ringfile_path(state_dir, k->use, k->version, path) &&
		    unlink(path) && errno != ENOENT)
			log_warn("keyring", "%s: %s", path, strerror(errno));
	}
	/* It holds from now on: what cannot be shown is mended by the next start. */
	if (show_cert(state_dir, ring))
		log_error("keyring", "ca.pem is not the certificate of the listener");
	return 0;
}

static int parse_word(char *word, struct keyring_info *i)
{
	static const char *const names[] = {"made", "active", "until", "retired"};
	int64_t *const times[] = {&i->made_ms, &i->active_ms, &i->until_ms, &i->retired_ms};
	char *value = strchr(word, '=');
	uint64_t ms;

	if (!value) {
		i->cut = i->cut || !strcmp(word, "cut");
		i->unsaid = i->unsaid || !strcmp(word, "unsaid");
		return 0;
	}
	*value++ = '\0';
	if (!strcmp(word, "kid")) {
		if (strlen(value) != KEYRING_KID_LEN)
			return -EBADMSG;
		memcpy(i->kid, value, KEYRING_KID_ROOM);
	} else if (!strcmp(word, "public")) {
		return text_unhex(value, i->public, sizeof(i->public)) ? -EBADMSG : 0;
	}
	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		if (strcmp(word, names[n]))
			continue;
		if (text_parse_u64(value, INT64_MAX, &ms))
			return -EBADMSG;
		*times[n] = (int64_t)ms;
	}
	return 0;
}

static int parse_row(char *line, struct keyring_info *ret)
{
	char *rest = NULL, *use = strtok_r(line, " ", &rest), *version = strtok_r(NULL, " ", &rest);
	char *state = strtok_r(NULL, " ", &rest), *word;
	struct keyring_info i = {0};
	uint64_t n;
	int r = 0;

	if (!state || keyring_use_parse(use, &i.use) || text_parse_u64(version, UINT32_MAX, &n) ||
	    !n)
		return -EBADMSG;
	i.version = (uint32_t)n;
	while (i.state <= KEYRING_RETIRED && strcmp(state, keyring_state_name(i.state)))
		i.state++;
	if (i.state > KEYRING_RETIRED)
		return -EBADMSG;
	while (!r && (word = strtok_r(NULL, " ", &rest)))
		r = parse_word(word, &i);
	if (!r)
		*ret = i;
	return r;
}

static int parse(char *text, struct ring *ring)
{
	char *rest = NULL, *line;
	int r;

	if (strncmp(text, HEADLINE, strlen(HEADLINE)))
		return -EBADMSG;
	for (line = strtok_r(text + strlen(HEADLINE), "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct ring_row row = {0};

		r = ring->n < RINGFILE_MAX_ROWS ? parse_row(line, &row.info) : -EBADMSG;
		if (r || find(ring, row.info.use, row.info.version))
			return -EBADMSG;
		ring->rows[ring->n++] = row;
	}
	return 0;
}

/* -ENOENT: there is none. */
static int read_ring(const char *state_dir, struct ring *ring)
{
	_cleanup_(freep) char *text = calloc(1, RING_MAX_LEN);
	char path[PATH_MAX];
	size_t len;
	int r;

	if (!text)
		return -ENOMEM;
	if (snprintf(path, sizeof(path), "%s/keys/ring", state_dir) >= (int)sizeof(path))
		return err_origin(-ENAMETOOLONG);
	r = secretfile_load(path, text, RING_MAX_LEN, &len);
	if (!r && parse(text, ring)) {
		log_error("keyring", "%s: not a ring of this program's", path);
		return err_origin(-EBADMSG);
	}
	return r;
}

/* --- the whole --- */

/* "lists-3.key": lists, 3; "lists.key": lists, 1. */
static bool parse_name(const char *name, enum keyring_use *ret_use, uint32_t *ret_version)
{
	size_t len = strlen(name), word_len = strcspn(name, "-.");
	char word[32], number[16] = "1";
	uint64_t version;

	if (word_len >= sizeof(word) || len < 5 || strcmp(name + len - 4, ".key"))
		return false;
	memcpy(word, name, word_len);
	word[word_len] = '\0';
	if (name[word_len] == '-') {
		size_t n = len - 4 - word_len - 1;

		if (!n || n >= sizeof(number))
			return false;
		memcpy(number, name + word_len + 1, n);
		number[n] = '\0';
	}
	if (keyring_use_parse(word, ret_use) || text_parse_u64(number, UINT32_MAX, &version) ||
	    !version)
		return false;
	*ret_version = (uint32_t)version;
	return true;
}

/* Files that no row names: all of them where there is no ring, of psk in any case. */
static int adopt(const char *state_dir, bool all, struct ring *ring)
{
	char path[PATH_MAX], usual[PATH_MAX];
	struct dirent *e;
	DIR *dir;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/keys", state_dir) >= (int)sizeof(path))
		return err_origin(-ENAMETOOLONG);
	dir = opendir(path);
	if (!dir)
		return err_origin(-errno);
	while (!r && (e = readdir(dir))) {
		struct ring_row row = {.info.state = KEYRING_RETIRING, .adopted = true};

		if (!parse_name(e->d_name, &row.info.use, &row.info.version) ||
		    (!all && row.info.use != KEYRING_PSK) ||
		    find(ring, row.info.use, row.info.version) || ring->n >= RINGFILE_MAX_ROWS)
			continue;
		/* "lists-1.key" is nobody's. */
		r = ringfile_path(state_dir, row.info.use, row.info.version, usual);
		if (!r && !strcmp(strrchr(usual, '/') + 1, e->d_name))
			ring->rows[ring->n++] = row;
	}
	closedir(dir);
	return r;
}

/* A file that no row named says by itself when it was made. */
static int read_adopted(const char *state_dir, int64_t now_ms, struct ring_row *row)
{
	char path[PATH_MAX];
	struct stat st;
	int r;

	r = read_key(state_dir, row);
	if (r)
		return r;
	row->info.made_ms = now_ms;
	if (!ringfile_path(state_dir, row->info.use, row->info.version, path) && !stat(path, &st))
		row->info.made_ms = (int64_t)st.st_mtim.tv_sec * 1000;
	/* Whatever it signed is over by then. */
	row->info.until_ms = row->info.use == KEYRING_PSK ? now_ms : now_ms + ADOPTED_MS;
	return 0;
}

/* What a row says is there, and what is there. */
static int read_row(const char *state_dir, int64_t now_ms, struct ring_row *row)
{
	struct keyring_info *i = &row->info;
	int r;

	if (row->adopted)
		return read_adopted(state_dir, now_ms, row);
	if (i->use == KEYRING_PSK && i->state == KEYRING_RETIRED && i->cut) {
		r = read_key(state_dir, row);
		if (!r)
			log_warn("keyring", "psk %u is back", i->version);
		if (!r)
			i->state = KEYRING_RETIRING;
		return r == -ENOENT ? 0 : r;
	}
	if (!has_secret(i))
		return 0;
	r = read_key(state_dir, row);
	if (r != -ENOENT)
		return r;
	log_warn("keyring", "%s %u: its file is gone, and so it has ended",
		 keyring_use_name(i->use), i->version);
	row->lost = i->state == KEYRING_ACTIVE && i->use != KEYRING_PSK;
	ringfile_retire(row, now_ms, true);
	return 0;
}

/*
 * Who takes the key away that signs, or a backup that leaves out those of sessions,
 * means that all is over which was signed so far.
 */
static void end_with_active(struct ring *ring, int64_t now_ms, enum keyring_use use)
{
	bool lost = false;

	for (size_t i = 0; i < ring->n; i++)
		lost = lost || (ring->rows[i].info.use == use && ring->rows[i].lost);
	for (size_t i = 0; lost && i < ring->n; i++) {
		if (ring->rows[i].info.use == use && ring->rows[i].info.state == KEYRING_RETIRING)
			ringfile_retire(&ring->rows[i], now_ms, true);
	}
}

/* One of each purpose signs: the newest of those taken up, or a new one. */
static int complete(const char *state_dir, int64_t now_ms, enum keyring_use use, struct ring *ring)
{
	struct ring_row *newest = NULL;
	int r;

	if (ringfile_active(ring, use))
		return 0;
	for (size_t i = 0; i < ring->n; i++) {
		if (ring->rows[i].info.use == use && ring->rows[i].adopted &&
		    (!newest || newest->info.version < ring->rows[i].info.version))
			newest = &ring->rows[i];
	}
	if (!newest) {
		r = ringfile_make(state_dir, ring, use, now_ms);
		if (r)
			return err_trace(r);
		newest = &ring->rows[ring->n - 1];
	}
	newest->info.state = KEYRING_ACTIVE;
	newest->info.active_ms = newest->info.made_ms;
	newest->info.until_ms = 0;
	return 0;
}

static int load(const char *state_dir, int64_t now_ms, struct ring *ring)
{
	bool is_new;
	int r;

	r = read_ring(state_dir, ring);
	is_new = r == -ENOENT;
	if (!r || is_new)
		r = adopt(state_dir, is_new, ring);
	for (size_t i = 0; !r && i < ring->n; i++)
		r = read_row(state_dir, now_ms, &ring->rows[i]);
	for (int use = 0; !r && use < KEYRING_N_USES; use++)
		end_with_active(ring, now_ms, (enum keyring_use)use);
	for (int use = 0; !r && use < KEYRING_N_USES; use++)
		r = complete(state_dir, now_ms, (enum keyring_use)use, ring);
	if (r)
		return err_trace(r);
	return ringfile_save(state_dir, ring);
}

int ringfile_load(const char *state_dir, int64_t now_ms, struct ring *ret)
{
	struct ring ring = {
		.rows = calloc(RINGFILE_MAX_ROWS + KEYRING_N_USES + 1, sizeof(*ring.rows))};
	int r = ring.rows ? load(state_dir, now_ms, &ring) : -ENOMEM;

	if (!r)
		r = ringfile_copy(&ring, ret);
	ringfile_done(&ring);
	return r;
}
