/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/headsign.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "server/cp/fields.h"
#include "server/cp/keyring.h"
#include "server/cp/tenants.h"
#include "server/store/audit_row.h"
#include "server/store/head_row.h"
#include "server/store/licence_row.h"

enum { DAY_MS = 86400000, RETRY_MS = 60000, BATCH = 64, PAGE = 500 };
#define FILE_MAX ((size_t)256 << 20)

struct headsign {
	struct cp *cp;
	/* Of the ticker's thread. */
	int64_t stored_day, written_day; /* days since 1970 that are done */
	uint64_t next_try_ms;
	atomic_bool late;
};

struct headsign *headsign_new(struct cp *cp)
{
	struct headsign *h = calloc(1, sizeof(*h));

	if (h)
		*h = (struct headsign){.cp = cp, .stored_day = -1, .written_day = -1};
	return h;
}

void headsign_free(struct headsign *h)
{
	free(h);
}

bool headsign_is_late(struct headsign *h)
{
	return atomic_load(&h->late);
}

static void sign(struct cp *cp, struct audithead *head)
{
	uint8_t message[AUDITHEAD_MESSAGE_LEN];

	audithead_message(head, message);
	keyring_sign(cp->keyring, KEYRING_AUDIT, message, sizeof(message), head->signature,
		     head->kid);
}

/* Who this Control Panel is. */
static int panel_of(struct txn *txn, struct uuid *ret_panel)
{
	struct licence_row row;
	int r = licence_row_get(txn, &row);

	if (!r)
		*ret_panel = row.panel;
	return r;
}

/* --- into the store --- */

struct batch {
	struct cp *cp;
	int64_t now_ms;
	struct uuid panel;
	struct audithead heads[BATCH];
	size_t n;
};

static int collect(void *arg, const struct audithead *head)
{
	struct batch *b = arg;

	b->heads[b->n++] = *head;
	return 0;
}

/* One signature is 50 us: a batch holds up the writer for a few milliseconds. */
static int store_batch(struct txn *txn, void *ctx)
{
	int64_t from = 0;
	struct batch *b = ctx;
	int r;

	b->n = 0;
	from = b->now_ms - b->now_ms % DAY_MS;
	r = panel_of(txn, &b->panel);
	if (!r)
		r = head_row_due(txn, from, from + DAY_MS, BATCH, collect, b);
	for (size_t i = 0; !r && i < b->n; i++) {
		b->heads[i].panel = b->panel;
		b->heads[i].time_ms = b->now_ms;
		sign(b->cp, &b->heads[i]);
		r = head_row_put(txn, &b->heads[i]);
	}
	return r;
}

static int store_all(struct cp *cp, int64_t now_ms)
{
	struct batch *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->cp = cp;
	b->now_ms = now_ms;
	do {
		r = store_write(cp->store, store_batch, NULL, b);
	} while (!r && b->n == BATCH);
	free(b);
	return r;
}

/* --- into a file --- */

struct lines {
	struct uuid panel, after;
	size_t n;
	struct text text;
};

static int add_line(void *arg, const struct audithead *stored)
{
	struct audithead head = *stored;
	struct audithead_telling telling;
	struct lines *l = arg;
	int r;

	head.panel = l->panel;
	audithead_tell(&head, &telling);
	r = json_encode(&telling.pb.base, JSON_REST, &l->text);
	text_adds(&l->text, "\n");
	l->after = head.tenant;
	l->n++;
	return r ? r : l->text.failed ? -EFBIG : 0;
}

static int read_lines(struct txn *txn, void *ctx)
{
	struct lines *l = ctx;
	int r;

	l->after = (struct uuid){{0}};
	text_done(&l->text);
	l->text = TEXT_INIT(FILE_MAX);
	r = panel_of(txn, &l->panel);
	do {
		l->n = 0;
		if (!r)
			r = head_row_newest(txn, &l->after, PAGE, add_line, l);
	} while (!r && l->n == PAGE);
	return r;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		p += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

/* There whole or not at all: who ships it away never takes half of it. */
static int put_file(const char *dir, const char *name, const struct text *text)
{
	_cleanup_(close_fdp) int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	char aside[NAME_MAX];
	int r;

	if (at < 0)
		return -errno;
	snprintf(aside, sizeof(aside), ".%s.new", name);
	unlinkat(at, aside, 0);
	fd = openat(at, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = text->len ? write_all(fd, text->s, text->len) : 0;
	/* Whatever the umask is: who ships it is somebody else. */
	if (!r && (fchmod(fd, 0644) || fsync(fd) || renameat(at, aside, at, name) || fsync(at)))
		r = -errno;
	if (r)
		unlinkat(at, aside, 0);
	return r;
}

static int write_file(struct cp *cp, int64_t day)
{
	const char *dir = cp->conf.audit_heads_dir;
	struct lines l = {.text = TEXT_INIT(FILE_MAX)};
	char date[25], name[64];
	int r;

	r = store_read(cp->store, read_lines, &l);
	snprintf(name, sizeof(name), "audit-heads-%.10s.jsonl", clock_rfc3339(day * DAY_MS, date));
	if (!r && mkdir(dir, 0755) && errno != EEXIST)
		r = -errno;
	if (!r)
		r = put_file(dir, name, &l.text);
	text_done(&l.text);
	if (r)
		log_error("audit", "%s/%s: %s; tried again", dir, name,
			  r < 0 ? strerror(-r) : err_reason((enum err)r));
	return r;
}

void headsign_tick(struct headsign *h)
{
	bool wants_file = *h->cp->conf.audit_heads_dir != '\0';
	int64_t now = clock_wall_ms(), day = now / DAY_MS;
	int r = 0;

	if (h->stored_day == day && (h->written_day == day || !wants_file))
		return;
	if (atomic_load(&h->late) && clock_boot_ms() < h->next_try_ms)
		return;
	if (h->stored_day != day) {
		r = store_all(h->cp, now);
		if (r)
			log_error("audit", "the heads of this day are not signed; tried again");
		else
			h->stored_day = day;
	}
	if (!r && wants_file) {
		r = write_file(h->cp, day);
		if (!r)
			h->written_day = day;
	}
	atomic_store(&h->late, r != 0);
	h->next_try_ms = clock_boot_ms() + RETRY_MS;
}

/* --- for who asks --- */

struct asking {
	struct call *call;
	const char *tenant;
	struct uuid after;
	struct uuid panel;
	Pb__SignAuditHeadsResponse *out;
};

static int add_head(void *arg, const struct audithead *present)
{
	struct asking *a = arg;
	struct audithead *head = call_alloc(a->call, sizeof(*head));
	struct audithead_telling *telling = call_alloc(a->call, sizeof(*telling));

	if (!head || !telling)
		return -ENOMEM;
	*head = *present;
	head->panel = a->panel;
	head->time_ms = clock_wall_ms();
	sign(a->call->owner, head);
	audithead_tell(head, telling);
	a->out->heads[a->out->n_heads++] = &telling->pb;
	a->after = head->tenant;
	return 0;
}

static int read_heads(struct txn *txn, void *ctx)
{
	struct asking *a = ctx;
	struct tenant_row tenant;
	struct audithead head;
	int r;

	a->out->n_heads = 0;
	r = panel_of(txn, &a->panel);
	if (r || !*a->tenant)
		return r ? r : head_row_present(txn, &a->after, PAGE, add_head, a);
	r = tenants_find(txn, a->tenant, &tenant);
	if (r)
		return r;
	head = (struct audithead){.tenant = tenant.id};
	r = audit_row_head(txn, &tenant.id, &head.seq, head.hash);
	return r ? r : add_head(a, &head);
}

static int add_key(struct call *call, const struct keyring_info *info,
		   Pb__SignAuditHeadsResponse *out)
{
	Pb__AuditKey *key = FIELDS_NEW(call, Pb__AuditKey, pb__audit_key__init);

	if (!key)
		return -ENOMEM;
	key->kid = arena_strdup(&call->arena, info->kid);
	key->public_key.data = arena_memdup(&call->arena, info->public, SIGN_PUBLIC_LEN);
	key->public_key.len = SIGN_PUBLIC_LEN;
	if (!key->kid || !key->public_key.data)
		return -ENOMEM;
	out->keys[out->n_keys++] = key;
	return 0;
}

/* The one that signs first, then those before it that were not ended before their time. */
static int add_keys(struct call *call, Pb__SignAuditHeadsResponse *out)
{
	enum { KEYS_MAX = 64 };
	struct cp *cp = call->owner;
	struct keyring_info *infos = NULL;
	size_t n = 0;
	int r;

	out->keys = call_alloc(call, KEYS_MAX * sizeof(*out->keys));
	if (!out->keys)
		return -ENOMEM;
	r = keyring_list(cp->keyring, &infos, &n);
	for (int signs = 1; !r && signs >= 0; signs--) {
		for (size_t i = n; !r && i-- > 0 && out->n_keys < KEYS_MAX;) {
			const struct keyring_info *info = &infos[i];

			if (info->use == KEYRING_AUDIT && !info->cut &&
			    info->state != KEYRING_NEXT &&
			    (info->state == KEYRING_ACTIVE) == (signs == 1))
				r = add_key(call, info, out);
		}
	}
	free(infos);
	return r;
}

int headsign_sign(struct call *call, const Pb__SignAuditHeadsRequest *in,
		  Pb__SignAuditHeadsResponse *out)
{
	struct asking a = {.call = call, .tenant = in->tenant, .out = out};
	struct cp *cp = call->owner;
	int r;

	r = fields_page(call, in->page_token, &a.after);
	if (r)
		return r;
	out->heads = call_alloc(call, PAGE * sizeof(*out->heads));
	if (!out->heads)
		return -ENOMEM;
	r = store_read(cp->store, read_heads, &a);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	if (!r)
		r = add_keys(call, out);
	if (r)
		return err_trace(r);
	if (out->n_heads == PAGE) {
		out->next_page_token = fields_page_token(call, &a.after);
		return out->next_page_token ? 0 : -ENOMEM;
	}
	return 0;
}
