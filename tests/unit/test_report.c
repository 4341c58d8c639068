/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: statuses of more devices than a report may name go with the next ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/node/replica.h"
#include "server/node/report.h"

static const struct uuid self = {{1}}, tenant = {{2}};

static void add_device(struct replica *r, size_t n)
{
	struct member m = {.kind = MEMBER_DEVICE, .label = "d", .slug = "d", .ip4 = (uint32_t)n};
	uint8_t *bytes;
	size_t len;

	m.id.b[0] = 9;
	m.id.b[14] = (uint8_t)(n >> 8);
	m.id.b[15] = (uint8_t)n;
	m.device.home = self;
	m.device.active = (struct member_key){.key_version = 1, .psk_version = 1};
	m.device.active.public_key.b[0] = 1;
	assert_int_equal(member_encode(&m, &bytes, &len), 0);
	assert_int_equal(members_put(r->list, bytes, len), 0);
	free(bytes);
	pill_put(&r->pills, &m.id)->handshake_ms = 1;
}

static size_t statuses(struct replica *r, bool all, bool *ret_more)
{
	Pb__ReportRequest *report;
	uint8_t *bytes;
	size_t len, n;

	assert_int_equal(report_make(r, false, all, &bytes, &len, ret_more), 0);
	report = pb__report_request__unpack(NULL, len, bytes);
	assert_non_null(report);
	n = report->n_statuses;
	pb__report_request__free_unpacked(report, NULL);
	free(bytes);
	return n;
}

static void test_more(void **state)
{
	struct replica r;
	bool more;

	(void)state;
	assert_int_equal(replica_init(&r, &self, &tenant), 0);
	for (size_t i = 0; i < REPORT_MAX_STATUSES + 5; i++)
		add_device(&r, i + 1);
	/* Nothing is new since the last report, but this one goes to another stream. */
	assert_int_equal(statuses(&r, false, &more), 0);
	assert_int_equal(statuses(&r, true, &more), REPORT_MAX_STATUSES);
	assert_true(more);
	assert_int_equal(statuses(&r, false, &more), 5);
	assert_false(more);
	assert_int_equal(statuses(&r, false, &more), 0);
	replica_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
