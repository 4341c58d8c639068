/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/follower.h"

#include <string.h>
#include <unistd.h>

#include "gen/rpc/agent_service.h"

enum { LOOKS = 10000, LOOK_US = 2000 };

static void take(void *arg, const uint8_t *p, size_t len)
{
	struct follower *f = arg;
	Pb__SubscribeResponse *out = pb__subscribe_response__unpack(NULL, len, p);
	const Pb__AgentEvent *event = out ? out->event : NULL;
	int r = 0;

	if (!event) {
		f->lost = true;
	} else if (event->body_case == PB__AGENT_EVENT__BODY_PEERS_UPDATED) {
		r = replica_take_peers(&f->replica, event->peers_updated);
		f->lost = f->lost || r < 0 || r == REPLICA_GAP;
	} else if (event->body_case == PB__AGENT_EVENT__BODY_KEYS) {
		r = replica_take_keys(&f->replica, event->keys);
	} else if (event->body_case == PB__AGENT_EVENT__BODY_REVOCATIONS) {
		r = replica_take_revocations(&f->replica, event->revocations);
	} else if (event->body_case == PB__AGENT_EVENT__BODY_REFRESH) {
		f->lost = true;
	}
	f->lost = f->lost || r < 0;
	if (out)
		pb__subscribe_response__free_unpacked(out, NULL);
}

static int subscribe(struct follower *f)
{
	static const Pb__SubscribeRequest hello = PB__SUBSCRIBE_REQUEST__INIT;

	panel_cut(f->stream);
	f->lost = false;
	f->n_subscribed++;
	return panel_stream(f->panel, &f->who, &agent_service_methods[METHOD_AGENT_SUBSCRIBE],
			    &hello, f->stream);
}

int follower_init(struct follower *f, struct panel *p, const struct panel_who *who,
		  const struct uuid *node, const struct uuid *tenant)
{
	int r;

	memset(f, 0, sizeof(*f));
	f->panel = p;
	f->who = *who;
	f->stream = malloc(sizeof(*f->stream));
	if (!f->stream)
		return -ENOMEM;
	panel_answer_init(f->stream);
	f->stream->on_message = take;
	f->stream->arg = f;
	r = replica_init(&f->replica, node, tenant);
	return r ? r : subscribe(f);
}

void follower_done(struct follower *f)
{
	if (!f->stream)
		return;
	panel_cut(f->stream);
	replica_done(&f->replica);
	free(TAKE(f->stream));
}

static bool is_lost(struct follower *f)
{
	bool lost;

	pthread_mutex_lock(&f->stream->lock);
	lost = f->lost || f->stream->n_done;
	pthread_mutex_unlock(&f->stream->lock);
	return lost;
}

bool follower_settles(struct follower *f, uint64_t generation)
{
	uint64_t have;

	for (unsigned i = 0; i < LOOKS; i++) {
		pthread_rwlock_rdlock(&f->replica.lock);
		have = f->replica.head.generation;
		pthread_rwlock_unlock(&f->replica.lock);
		if (is_lost(f)) {
			if (subscribe(f))
				return false;
		} else if (have == generation) {
			return true;
		}
		usleep(LOOK_US);
	}
	return false;
}

struct digest follower_digest(struct follower *f)
{
	struct digest digest;

	pthread_rwlock_rdlock(&f->replica.lock);
	digest = *members_digest(f->replica.list);
	pthread_rwlock_unlock(&f->replica.lock);
	return digest;
}

bool follower_knows_revoked(struct follower *f, const struct uuid *session)
{
	bool known;

	pthread_rwlock_rdlock(&f->replica.lock);
	known = replica_is_revoked(&f->replica, session);
	pthread_rwlock_unlock(&f->replica.lock);
	return known;
}
