/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/licensing.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/wallmark.h"
#include "server/store/licence_row.h"

struct licensing {
	struct cp *cp;
	struct wallmark clock;
	/* Held over a whole installation: one at a time. */
	pthread_mutex_t installing;
	/* Of what follows. */
	pthread_mutex_t lock;
	struct vendorkeys keys;
	struct licensing_look now;
	bool doubted;   /* what is installed may be another: the next second looks */
	bool unsettled; /* the store did not take all rows: the next second tries again */
	/* The file as it was read last; only while installing is held. */
	struct stat seen;
	bool read_once;
	int64_t retry_ms; /* 0: not before the file changes */
};

/* --- what is in force --- */

static void get(struct licensing *l, struct licensing_look *ret, struct vendorkeys *ret_keys)
{
	pthread_mutex_lock(&l->lock);
	*ret = l->now;
	if (ret_keys)
		*ret_keys = l->keys;
	pthread_mutex_unlock(&l->lock);
	ret->now_ms = wallmark_now_ms(&l->clock);
}

void licensing_get(struct licensing *l, struct licensing_look *ret)
{
	get(l, ret, NULL);
	ret->state = ret->has ? licence_state(&ret->licence, ret->now_ms) : PLANS_LICENCE_NONE;
}

void licensing_apply(const struct licensing_look *look, const struct plan_caps *caps,
		     bool keep_trial, struct tenant_row *tenant)
{
	if (keep_trial && look->has)
		tenant->licence_serial = look->licence.serial;
	licence_apply(look->has ? &look->licence : NULL, caps, look->now_ms, tenant);
}

/* --- settling: the rows of the tenants --- */

struct settling {
	const struct licensing_look *look;
	const struct plan_caps *caps;
	int64_t now_ms;
	struct uuid after;
	struct tenant_row tenant;
	bool found;
};

static void apply(const struct settling *s, struct tenant_row *tenant)
{
	licensing_apply(s->look, s->caps, false, tenant);
}

static bool is_settled(const struct settling *s, const struct tenant_row *is)
{
	struct tenant_row should = *is;

	apply(s, &should);
	return is->plan == should.plan && is->cap == should.cap &&
	       is->plan_source == should.plan_source && is->trial_plan == should.trial_plan &&
	       !strcmp(is->features, should.features) &&
	       is->licence_serial == should.licence_serial &&
	       is->licence_state == should.licence_state &&
	       is->licensed_plan == should.licensed_plan &&
	       is->licence_expires_ms == should.licence_expires_ms &&
	       is->licence_grace_ms == should.licence_grace_ms;
}

static int keep(void *arg, const struct tenant_row *row)
{
	struct settling *s = arg;

	s->tenant = *row;
	s->found = true;
	return 0;
}

static int next_tenant(struct txn *txn, void *ctx)
{
	struct settling *s = ctx;

	s->found = false;
	return tenant_row_list(txn, &s->after, 1, keep, s);
}

static int settle_one(struct txn *txn, void *ctx)
{
	const struct settling *s = ctx;
	struct audit_row audit = {.tenant = s->tenant.id, .time_ms = s->now_ms};
	struct tenant_row tenant;
	struct change change;
	int r;

	r = tenant_row_get(txn, &s->tenant.id, &tenant);
	if (r || is_settled(s, &tenant))
		return r;
	r = change_begin(txn, &tenant.id, s->now_ms, &change);
	if (r)
		return err_trace(r);
	apply(s, &change.tenant);
	change.tenant.record_generation = change.tenant.generation;
	r = change_end(txn, &change);
	if (r)
		return err_trace(r);
	strcpy(audit.actor, "control panel");
	strcpy(audit.action, "licence.apply");
	audit_object(&audit, &tenant.id, plans_name(change.tenant.plan));
	return audit_end(txn, &audit, 0);
}

static int settle_all(struct licensing *l)
{
	struct cp *cp = l->cp;
	struct licensing_look look;
	struct settling s = {.look = &look, .caps = &cp->conf.caps, .now_ms = clock_wall_ms()};
	int r;

	get(l, &look, NULL);
	for (;;) {
		r = store_read(cp->store, next_tenant, &s);
		if (r || !s.found)
			return err_trace(r);
		s.after = s.tenant.id;
		if (is_settled(&s, &s.tenant))
			continue;
		r = store_write(cp->store, settle_one, NULL, &s);
		if (r)
			return err_trace(r);
	}
}

int licensing_settle(struct licensing *l)
{
	bool was;
	int r;

	r = settle_all(l);
	pthread_mutex_lock(&l->lock);
	was = l->unsettled;
	l->unsettled = r != 0;
	pthread_mutex_unlock(&l->lock);
	if (r && !was)
		log_error("licence", "plans could not be brought up to date; tried again");
	return r;
}

/* --- judging and installing --- */

struct installation {
	const struct licence *licence;
	bool tenant_found;
	struct licence_row row;
};

static int look_for_tenants(struct txn *txn, void *ctx)
{
	struct installation *i = ctx;
	struct tenant_row row;
	int r = ERR_NOT_FOUND;

	i->tenant_found = !i->licence->n_tenants;
	for (size_t n = 0; !i->tenant_found && n < i->licence->n_tenants; n++) {
		r = tenant_row_get(txn, &i->licence->tenants[n], &row);
		if (r && r != ERR_NOT_FOUND)
			return r;
		i->tenant_found = !r;
	}
	return 0;
}

static int judge(struct licensing *l, const char *text, struct licence *ret, bool *ret_in_force,
		 struct licence_fault *ret_fault)
{
	struct installation i = {.licence = ret};
	struct licensing_look look;
	struct vendorkeys keys;
	int r;

	get(l, &look, &keys);
	r = licence_read(text, &keys, ret, ret_fault);
	if (!r)
		r = licence_check(ret, &look.panel, look.now_ms, ret_fault);
	if (!r)
		r = store_read(l->cp->store, look_for_tenants, &i);
	if (r)
		return r;
	if (!i.tenant_found)
		return licence_fail(ret_fault, "wrong-tenant",
				    "The licence names %zu tenants, and none of them is here.",
				    ret->n_tenants);
	*ret_in_force = look.has && !memcmp(look.licence.hash, ret->hash, sizeof(ret->hash));
	if (look.has && !*ret_in_force && ret->serial <= look.licence.serial)
		return licence_fail(ret_fault, "older-serial",
				    "The licence has serial %llu; %llu is in force already.",
				    (unsigned long long)ret->serial,
				    (unsigned long long)look.licence.serial);
	return 0;
}

static int put(struct txn *txn, void *ctx)
{
	struct installation *i = ctx;

	return licence_row_put(txn, &i->row);
}

static void set_problem(struct licensing *l, const char *words)
{
	bool changed;

	pthread_mutex_lock(&l->lock);
	changed = strcmp(l->now.file_problem, words) != 0;
	snprintf(l->now.file_problem, sizeof(l->now.file_problem), "%s", words);
	pthread_mutex_unlock(&l->lock);
	if (changed && *words)
		log_warn("licence", "%s", words);
}

/*
 * With installing held. What came from the file and is in force ends the file's
 * problem in the same change: nobody sees the one without the other.
 */
static int install(struct licensing *l, const char *text, bool from_file,
		   struct licence_fault *ret_fault)
{
	struct installation i = {.row.installed_ms = clock_wall_ms()};
	struct licence licence;
	bool in_force;
	int r;

	r = judge(l, text, &licence, &in_force, ret_fault);
	if (!r && in_force && from_file)
		set_problem(l, "");
	if (r || in_force)
		return r;
	i.row.serial = licence.serial;
	snprintf(i.row.text, sizeof(i.row.text), "%s", text);
	r = store_write(l->cp->store, put, NULL, &i);
	if (r)
		return err_trace(r);
	pthread_mutex_lock(&l->lock);
	l->now.has = true;
	l->now.licence = licence;
	l->now.installed_ms = i.row.installed_ms;
	l->now.state = licence_state(&licence, wallmark_now_ms(&l->clock));
	if (from_file)
		*l->now.file_problem = '\0';
	pthread_mutex_unlock(&l->lock);
	log_info("licence", "serial %llu for %s is in force: %s plan",
		 (unsigned long long)licence.serial, licence.licensee, plans_name(licence.plan));
	return licensing_settle(l);
}

int licensing_install(struct licensing *l, const char *text, struct licence_fault *ret_fault)
{
	int r;

	pthread_mutex_lock(&l->installing);
	r = install(l, text, false, ret_fault);
	pthread_mutex_unlock(&l->installing);
	return r;
}

int licensing_verify(struct licensing *l, const char *text, struct licence *ret_licence,
		     bool *ret_in_force, struct licence_fault *ret_fault)
{
	return judge(l, text, ret_licence, ret_in_force, ret_fault);
}

/* --- the file --- */

static int read_text(const char *path, char ret[LICENCE_MAX_LEN + 2])
{
	_cleanup_(close_fdp) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, LICENCE_MAX_LEN + 1);

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return 0;
}

static void read_file(struct licensing *l)
{
	const char *path = l->cp->conf.licence_file;
	struct licence_fault fault = {.word = ""};
	char text[LICENCE_MAX_LEN + 2], words[700];
	int r;

	l->retry_ms = 0;
	r = read_text(path, text);
	if (!r)
		r = install(l, text, true, &fault);
	if (!r)
		return;
	if (r < 0)
		snprintf(words, sizeof(words), "%.300s: %s", path, strerror(-r));
	else
		snprintf(words, sizeof(words), "%.300s: %s", path,
			 *fault.words ? fault.words : err_reason((enum err)r));
	set_problem(l, words);
	/* Time cures the one, a store that takes writes again the other. */
	if (!*fault.word || !strcmp(fault.word, "not-yet-valid"))
		l->retry_ms = clock_wall_ms() + 1000;
}

static bool has_changed(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
	       a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static void look_at_file(struct licensing *l, bool force)
{
	struct stat st = {.st_ino = 0};

	if (!*l->cp->conf.licence_file)
		return;
	/* A file that is not there has no number: coming and going are changes too. */
	if (stat(l->cp->conf.licence_file, &st))
		st = (struct stat){.st_ino = 0};
	if (!force && l->read_once && !has_changed(&st, &l->seen) &&
	    (!l->retry_ms || clock_wall_ms() < l->retry_ms))
		return;
	l->seen = st;
	l->read_once = true;
	read_file(l);
}

/* --- start, time, SIGHUP --- */

static int get_row(struct txn *txn, void *ctx)
{
	return licence_row_get(txn, ctx);
}

/* What is installed, by the keys of now. A licence that they do not know is not in force. */
static int load(struct licensing *l)
{
	struct licence_fault fault = {.word = ""};
	struct licence licence = {.serial = 0};
	struct licence_row row;
	int r;

	r = store_read(l->cp->store, get_row, &row);
	if (r)
		return err_trace(r);
	r = *row.text ? licence_read(row.text, &l->keys, &licence, &fault) : ERR_NOT_FOUND;
	if (r < 0)
		return err_trace(r);
	if (*row.text && r)
		log_error("licence", "the installed licence is not in force: %s", fault.words);
	pthread_mutex_lock(&l->lock);
	l->now.panel = row.panel;
	l->now.installed_ms = row.installed_ms;
	l->now.has = !r;
	l->now.licence = licence;
	l->now.state = r ? PLANS_LICENCE_NONE : licence_state(&licence, wallmark_now_ms(&l->clock));
	pthread_mutex_unlock(&l->lock);
	return 0;
}

void licensing_doubt(struct licensing *l)
{
	pthread_mutex_lock(&l->lock);
	l->doubted = true;
	pthread_mutex_unlock(&l->lock);
}

/* With installing held. */
static void resolve_doubt(struct licensing *l)
{
	bool doubted;

	pthread_mutex_lock(&l->lock);
	doubted = l->doubted;
	l->doubted = false;
	pthread_mutex_unlock(&l->lock);
	if (!doubted)
		return;
	if (load(l))
		licensing_doubt(l);
	else
		licensing_settle(l);
}

void licensing_tick(struct licensing *l)
{
	enum plans_licence state = PLANS_LICENCE_NONE;
	bool changed, unsettled;

	pthread_mutex_lock(&l->installing);
	wallmark_tick(&l->clock);
	resolve_doubt(l);
	look_at_file(l, false);
	pthread_mutex_lock(&l->lock);
	if (l->now.has)
		state = licence_state(&l->now.licence, wallmark_now_ms(&l->clock));
	changed = state != l->now.state;
	l->now.state = state;
	unsettled = l->unsettled;
	pthread_mutex_unlock(&l->lock);
	if (changed)
		log_warn("licence", "the licence %s",
			 state == PLANS_LICENCE_GRACE   ? "has expired: its grace runs"
			 : state == PLANS_LICENCE_VALID ? "is in force"
							: "and its grace are over");
	if (changed || unsettled)
		licensing_settle(l);
	pthread_mutex_unlock(&l->installing);
}

void licensing_reload(struct licensing *l)
{
	struct vendorkeys keys;

	pthread_mutex_lock(&l->installing);
	if (!vendorkeys_load(l->cp->conf.licence_vendor_key_file, &keys)) {
		pthread_mutex_lock(&l->lock);
		l->keys = keys;
		pthread_mutex_unlock(&l->lock);
		if (load(l))
			log_error("licence", "what is installed could not be read");
	}
	look_at_file(l, true);
	licensing_settle(l);
	pthread_mutex_unlock(&l->installing);
}

void licensing_free(struct licensing *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->installing);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

int licensing_new(struct cp *cp, struct licensing **ret_licensing)
{
	struct licensing *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->cp = cp;
	pthread_mutex_init(&l->installing, NULL);
	pthread_mutex_init(&l->lock, NULL);
	r = vendorkeys_load(cp->conf.licence_vendor_key_file, &l->keys);
	if (!r)
		r = wallmark_init(&l->clock, cp->store);
	if (!r)
		r = load(l);
	if (!r) {
		look_at_file(l, true);
		r = licensing_settle(l);
	}
	if (r) {
		licensing_free(l);
		return err_trace(r);
	}
	*ret_licensing = l;
	return 0;
}
