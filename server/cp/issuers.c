/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/issuers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/key.h"
#include "base/label.h"
#include "base/log.h"
#include "quazzar/mesh/v1/issuer.pb-c.h"
#include "server/cp/jose.h"
#include "server/cp/jsonpeek.h"
#include "server/rpc/bounds.h"

enum {
	ISSUERS_MAX = 16,
	FILE_MAX = 262144,
	TOKEN_MAX = 8192,
	SIGNATURE_MAX = 1024,
	SKEW_S = 60,
	BUDGET = 1 << 20,
};

struct issuer {
	char issuer[257], audience[257], tenant[64], user_claim[65];
	enum jose_alg alg;
	struct jose_keys *keys;
	bool create;
	enum role role;
	int64_t skew_s;
};

/* One reading of the files; replaced as a whole. */
struct table {
	struct issuer rows[ISSUERS_MAX];
	size_t n;
};

struct issuers {
	char *path;
	pthread_rwlock_t lock;
	struct table *table;
};

static void table_free(struct table *t)
{
	for (size_t i = 0; t && i < t->n; i++)
		jose_keys_free(t->rows[i].keys);
	free(t);
}

CLEANUP_DEFINE(struct table, table_free);

/* --- files --- */

static int complain(const char *path, const char *words)
{
	log_error("issuers", "%s: %s", path, words);
	return -EINVAL;
}

/* On the heap, NUL added. */
static int read_file(const char *path, char **ret, size_t *ret_len)
{
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_(freep) char *text = malloc(FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	while (fd >= 0 && n > 0 && len < FILE_MAX) {
		n = read(fd, text + len, FILE_MAX - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0)
		return complain(path, strerror(errno));
	if (len == FILE_MAX)
		return complain(path, "is too long");
	text[len] = '\0';
	*ret = TAKE(text);
	*ret_len = len;
	return 0;
}

static int read_keys(struct issuer *row, const char *path)
{
	_cleanup_(freep) char *text = NULL;
	const char *why = "";
	size_t len;
	int r;

	r = read_file(path, &text, &len);
	if (!r)
		r = jose_keys_read(text, len, row->alg, &row->keys, &why);
	if (r == -EINVAL && *why)
		complain(path, why);
	return r;
}

static int take_issuer(const char *path, const Pb__Issuer *pb, struct issuer *row)
{
	if (!strcmp(pb->algorithm, "ES256"))
		row->alg = JOSE_ES256;
	else if (!strcmp(pb->algorithm, "RS256"))
		row->alg = JOSE_RS256;
	else
		return complain(path, "algorithm: must be ES256 or RS256");
	snprintf(row->issuer, sizeof(row->issuer), "%s", pb->issuer);
	snprintf(row->audience, sizeof(row->audience), "%s", pb->audience);
	snprintf(row->tenant, sizeof(row->tenant), "%s", pb->tenant);
	snprintf(row->user_claim, sizeof(row->user_claim), "%s",
		 *pb->user_claim ? pb->user_claim : "sub");
	row->create = pb->create_users;
	row->role = pb->role ? (enum role)pb->role : ROLE_MEMBER;
	row->skew_s = pb->clock_skew_s ? pb->clock_skew_s : SKEW_S;
	return read_keys(row, pb->jwks_file);
}

static int take_all(const char *path, const Pb__Issuers *pb, struct table *t)
{
	int r;

	for (size_t i = 0; i < pb->n_issuers; i++) {
		struct issuer *row = &t->rows[i];

		r = take_issuer(path, pb->issuers[i], row);
		if (r)
			return r;
		t->n++;
		/* One token must never mean two things. */
		for (size_t k = 0; k < i; k++) {
			if (!strcmp(row->issuer, t->rows[k].issuer) &&
			    !strcmp(row->audience, t->rows[k].audience))
				return complain(path, "an issuer is there twice for one audience");
		}
	}
	return 0;
}

static int read_table(const char *path, struct table **ret)
{
	_cleanup_(table_freep) struct table *t = calloc(1, sizeof(*t));
	_cleanup_(arena_done) struct arena arena;
	_cleanup_(freep) char *text = NULL;
	struct json_error error = {.path = ""};
	struct bounds_error bound;
	ProtobufCMessage *msg;
	char words[600];
	size_t len;
	int r;

	arena_init(&arena, BUDGET);
	if (!t)
		return -ENOMEM;
	r = *path ? read_file(path, &text, &len) : 0;
	if (r)
		return r;
	if (*path) {
		r = json_decode(text, len, &pb__issuers__descriptor, &arena, &msg, &error);
		if (r == ERR_FIELD_INVALID) {
			snprintf(words, sizeof(words), "%s: %s", error.path, error.rule);
			return complain(path, words);
		}
		if (!r && bounds_check(msg, &bound)) {
			snprintf(words, sizeof(words), "%s %s", bound.path, bound.rule);
			return complain(path, words);
		}
		if (!r)
			r = take_all(path, (const Pb__Issuers *)msg, t);
		if (r)
			return r;
	}
	*ret = TAKE(t);
	return 0;
}

int issuers_new(const char *path, struct issuers **ret_issuers)
{
	_cleanup_(issuers_freep) struct issuers *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	pthread_rwlock_init(&i->lock, NULL);
	i->path = strdup(path);
	if (!i->path)
		return -ENOMEM;
	r = read_table(path, &i->table);
	if (r)
		return r;
	*ret_issuers = TAKE(i);
	return 0;
}

void issuers_free(struct issuers *i)
{
	if (!i)
		return;
	table_free(i->table);
	pthread_rwlock_destroy(&i->lock);
	free(i->path);
	free(i);
}

void issuers_reload(struct issuers *i)
{
	struct table *fresh, *old;

	if (read_table(i->path, &fresh))
		return;
	pthread_rwlock_wrlock(&i->lock);
	old = i->table;
	i->table = fresh;
	pthread_rwlock_unlock(&i->lock);
	table_free(old);
}

/* --- tokens --- */

struct claims_of {
	struct arena *arena;
	/* Of the header. */
	const char *alg, *kid;
	bool has_crit;
	/* Of the claims; times -1: not there. */
	const char *iss, *name, *wanted_name, *wanted_aud;
	bool aud_fits;
	int64_t exp_s, nbf_s;
};

static int refuse(char why[ISSUERS_WHY_MAX], const char *fmt, ...) _printf_(2, 3);

static int refuse(char why[ISSUERS_WHY_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, ISSUERS_WHY_MAX, fmt, ap);
	va_end(ap);
	return ERR_LOGIN_FAILED;
}

static int take_text(const struct jsonpeek *v, const char **to)
{
	if (v->kind != JSONPEEK_STRING || strlen(v->s) != v->len)
		return -EBADMSG;
	*to = v->s;
	return 0;
}

/* Seconds since 1970; a fraction is cut off, an exponent is not understood. */
static int take_time(const struct jsonpeek *v, int64_t *to)
{
	size_t n = strspn(v->s, "0123456789");
	char digits[20];
	uint64_t number;

	if (v->kind != JSONPEEK_NUMBER || n > 12 || (n < v->len && v->s[n] != '.'))
		return -EBADMSG;
	if (n < v->len && n + 1 + strspn(v->s + n + 1, "0123456789") != v->len)
		return -EBADMSG;
	memcpy(digits, v->s, n);
	digits[n] = '\0';
	if (text_parse_u64(digits, INT64_C(253402300799), &number))
		return -EBADMSG;
	*to = (int64_t)number;
	return 0;
}

static int take_header(void *arg, const char *name, const struct jsonpeek *v)
{
	struct claims_of *c = arg;

	if (!strcmp(name, "alg"))
		return take_text(v, &c->alg);
	if (!strcmp(name, "kid"))
		return take_text(v, &c->kid);
	/* What must be understood, and we do not. */
	if (!strcmp(name, "crit") || !strcmp(name, "b64"))
		c->has_crit = true;
	return 0;
}

static int take_iss(void *arg, const char *name, const struct jsonpeek *v)
{
	struct claims_of *c = arg;

	return strcmp(name, "iss") ? 0 : take_text(v, &c->iss);
}

static int take_audience(void *arg, const char *name, const struct jsonpeek *v)
{
	struct claims_of *c = arg;
	const char *aud;

	(void)name;
	if (take_text(v, &aud))
		return -EBADMSG;
	if (!strcmp(aud, c->wanted_aud))
		c->aud_fits = true;
	return 0;
}

static int take_claim(void *arg, const char *name, const struct jsonpeek *v)
{
	struct claims_of *c = arg;

	if (!strcmp(name, c->wanted_name) && take_text(v, &c->name))
		return -EBADMSG;
	if (!strcmp(name, "aud"))
		return v->kind == JSONPEEK_ARRAY
			       ? jsonpeek_walk(c->arena, v->s, v->len, take_audience, c)
			       : take_audience(c, name, v);
	if (!strcmp(name, "exp"))
		return take_time(v, &c->exp_s);
	if (!strcmp(name, "nbf"))
		return take_time(v, &c->nbf_s);
	return 0;
}

/* The three parts of a token; one spelling of base64url only. */
struct parts {
	const char *token;
	size_t signed_len;
	char *header, *claims;
	size_t header_len, claims_len;
	unsigned char signature[SIGNATURE_MAX];
	size_t signature_len;
};

static char *decode(struct arena *arena, const char *from, size_t len, size_t *ret_len)
{
	char *to = arena_alloc(arena, len + 1);

	return to && !text_unbase64(from, len, to, len, ret_len) ? to : NULL;
}

static int split(struct arena *arena, const char *token, struct parts *p)
{
	const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;

	if (!second || strlen(token) > TOKEN_MAX || strchr(second + 1, '.') ||
	    strpbrk(token, "+/="))
		return -EBADMSG;
	p->token = token;
	p->signed_len = (size_t)(second - token);
	p->header = decode(arena, token, (size_t)(first - token), &p->header_len);
	p->claims = decode(arena, first + 1, (size_t)(second - first - 1), &p->claims_len);
	if (!p->header || !p->claims ||
	    text_unbase64(second + 1, strlen(second + 1), p->signature, sizeof(p->signature),
			  &p->signature_len))
		return -EBADMSG;
	return 0;
}

/* As accounts may have it, with their length. */
static bool is_name(const char *name)
{
	return strlen(name) <= 128 && label_is_account(name);
}

static int check_times(const struct claims_of *c, const struct issuer *row, int64_t now_s,
		       char why[ISSUERS_WHY_MAX])
{
	if (c->exp_s < 0)
		return refuse(why, "it has no exp");
	if (now_s >= c->exp_s + row->skew_s)
		return refuse(why, "it expired %lld s ago", (long long)(now_s - c->exp_s));
	if (c->nbf_s >= 0 && now_s + row->skew_s < c->nbf_s)
		return refuse(why, "it begins in %lld s", (long long)(c->nbf_s - now_s));
	return 0;
}

/* By one row, whose issuer it names. */
static int open_by(const struct issuer *row, const struct parts *p, struct claims_of *c,
		   int64_t now_s, char why[ISSUERS_WHY_MAX])
{
	const char *alg = row->alg == JOSE_ES256 ? "ES256" : "RS256";

	c->wanted_name = row->user_claim;
	c->wanted_aud = row->audience;
	c->exp_s = c->nbf_s = -1;
	c->aud_fits = false;
	c->name = NULL;
	/* The issuer's algorithm is ours to say; a token that names another is refused unread. */
	if (!c->alg || strcmp(c->alg, alg) || c->has_crit)
		return refuse(why, "its header does not say %s, or more than we know", alg);
	if (!jose_verify(row->keys, c->kid, p->token, p->signed_len, p->signature,
			 p->signature_len))
		return refuse(why, "no key of the issuer signed it");
	if (jsonpeek_walk(c->arena, p->claims, p->claims_len, take_claim, c))
		return refuse(why, "its claims are not as RFC 7519 has them");
	if (!c->aud_fits)
		return refuse(why, "it is for another audience");
	if (!c->name || !is_name(c->name))
		return refuse(why, "its claim %s is no sign-in name", row->user_claim);
	return check_times(c, row, now_s, why);
}

/* Rows of that issuer; the first that takes it. */
static int try_all(const struct table *t, const struct parts *p, struct claims_of *c, int64_t now_s,
		   struct issuers_person *ret, char why[ISSUERS_WHY_MAX])
{
	int r = refuse(why, "its issuer is not known here");

	for (size_t i = 0; r && i < t->n; i++) {
		const struct issuer *row = &t->rows[i];

		if (strcmp(row->issuer, c->iss))
			continue;
		r = open_by(row, p, c, now_s, why);
		if (r)
			continue;
		*ret = (struct issuers_person){.create = row->create, .role = row->role};
		strcpy(ret->issuer, row->issuer);
		strcpy(ret->tenant, row->tenant);
		strcpy(ret->name, c->name);
	}
	return r;
}

int issuers_open(struct issuers *i, const char *token, int64_t now_ms,
		 struct issuers_person *ret_person, char ret_why[ISSUERS_WHY_MAX])
{
	_cleanup_(arena_done) struct arena arena;
	struct claims_of c = {.arena = &arena};
	struct parts p;
	int r;

	arena_init(&arena, BUDGET);
	if (split(&arena, token, &p))
		return refuse(ret_why, "it is not three parts in base64url");
	if (jsonpeek_walk(&arena, p.header, p.header_len, take_header, &c) ||
	    jsonpeek_walk(&arena, p.claims, p.claims_len, take_iss, &c) || !c.iss)
		return refuse(ret_why, "header or claims are no JSON, or there is no iss");
	pthread_rwlock_rdlock(&i->lock);
	r = try_all(i->table, &p, &c, now_ms / 1000, ret_person, ret_why);
	pthread_rwlock_unlock(&i->lock);
	return r;
}
