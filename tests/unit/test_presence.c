/* SPDX-License-Identifier: Apache-2.0 */
/* Who shows interest is told of each device of the tenant, however many there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gen/rpc/agent_service.h"
#include "server/cp/hub.h"
#include "server/cp/presence.h"
#include "tests/support/world.h"

enum { REPORTS = 3, OF_EACH = 4096, DEVICES = REPORTS * OF_EACH, LOOKS = 10000, LOOK_US = 5000 };

static struct world w;

/* What came on the stream; under its lock. */
static struct heard {
	unsigned n, n_twice, n_strange, n_full, n_parts_too_long, n_early_nodes;
	bool known[DEVICES];
} heard;

static void id_of(unsigned device, uint8_t ret[16])
{
	memset(ret, 7, 16);
	ret[0] = (uint8_t)(device >> 8);
	ret[1] = (uint8_t)device;
	/* As ids of devices do, they differ in the last bytes. */
	ret[14] = ret[0];
	ret[15] = ret[1];
}

static void hear(const Pb__PeerStatus *s)
{
	unsigned device = s->device_id.len == 16
				  ? (unsigned)(s->device_id.data[0] << 8 | s->device_id.data[1])
				  : DEVICES;

	heard.n_strange += device >= DEVICES || s->rx_bytes != device + 1;
	if (device >= DEVICES)
		return;
	heard.n_twice += heard.known[device];
	heard.n += !heard.known[device];
	heard.known[device] = true;
}

static void take(void *arg, const uint8_t *p, size_t len)
{
	Pb__SubscribeResponse *out = pb__subscribe_response__unpack(NULL, len, p);
	const Pb__DeviceStatusUpdate *update;

	(void)arg;
	assert_non_null(out);
	update = out->event && out->event->body_case == PB__AGENT_EVENT__BODY_DEVICE_STATUS
			 ? out->event->device_status
			 : NULL;
	for (size_t i = 0; update && i < update->n_statuses; i++)
		hear(update->statuses[i]);
	if (update) {
		heard.n_full += update->full;
		heard.n_parts_too_long += update->n_statuses > OF_EACH;
		heard.n_early_nodes += update->n_statuses && !update->full && update->convergence;
	}
	pb__subscribe_response__free_unpacked(out, NULL);
}

static void report(const struct uuid *tenant, unsigned first, unsigned strange)
{
	static Pb__PeerStatus rows[OF_EACH];
	static uint8_t ids[OF_EACH][16];
	static Pb__PeerStatus *statuses[OF_EACH];
	const struct uuid nobody = {{1}};

	for (unsigned i = 0; i < OF_EACH; i++) {
		id_of(first + i, ids[i]);
		ids[i][2] = (uint8_t)strange;
		pb__peer_status__init(&rows[i]);
		rows[i].device_id = (ProtobufCBinaryData){.data = ids[i], .len = 16};
		rows[i].rx_bytes = strange ? 0 : first + i + 1;
		statuses[i] = &rows[i];
	}
	presence_report(w.panel.cp->presence, tenant, &nobody, statuses, OF_EACH);
}

static bool all_heard(struct panel_answer *stream)
{
	bool done = false;

	for (unsigned i = 0; i < LOOKS && !done; i++) {
		pthread_mutex_lock(&stream->lock);
		done = heard.n_full;
		pthread_mutex_unlock(&stream->lock);
		if (!done)
			usleep(LOOK_US);
	}
	return done;
}

static void all_devices_are_told(void **state)
{
	static const Pb__SubscribeRequest hello = PB__SUBSCRIBE_REQUEST__INIT;
	struct panel_answer *stream = malloc(sizeof(*stream));
	const struct uuid other = {{9}};
	struct uuid node, tenant = w.node.replica.tenant_id;

	(void)state;
	assert_non_null(stream);
	assert_int_equal(uuid_parse(w.node_id, &node), 0);
	for (unsigned i = 0; i < REPORTS; i++)
		report(&tenant, i * OF_EACH, 0);
	report(&other, 0, 1);
	panel_answer_init(stream);
	stream->on_message = take;
	panel_cut(w.node.stream);
	assert_int_equal(panel_stream(&w.panel, &w.agent,
				      &agent_service_methods[METHOD_AGENT_SUBSCRIBE], &hello,
				      stream),
			 0);
	hub_interest(w.panel.cp->hub, &tenant, &node);
	assert_true(all_heard(stream));
	pthread_mutex_lock(&stream->lock);
	assert_int_equal(heard.n, DEVICES);
	assert_int_equal(heard.n_twice, 0);
	assert_int_equal(heard.n_strange, 0);
	assert_int_equal(heard.n_full, 1);
	assert_int_equal(heard.n_parts_too_long, 0);
	assert_int_equal(heard.n_early_nodes, 0);
	pthread_mutex_unlock(&stream->lock);
	panel_cut(stream);
	free(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_devices_are_told)};
	int r;

	world_init(&w);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	world_done(&w);
	return r;
}
