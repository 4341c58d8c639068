/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an answer that a phone gets; the first byte picks which. What
 * is taken fits its bounds, can be written again, and reads the same then.
 */
#include <assert.h>
#include <pb_decode.h>
#include <pb_encode.h>
#include <stdint.h>
#include <string.h>

#include "gen/nano/qmn_calls.h"

#define BODY_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t frame[QMN_FRAME_LEN + BODY_MAX], first[BODY_MAX], second[BODY_MAX];

static size_t make_frame(const uint8_t *body, size_t len)
{
	frame[0] = 0;
	for (int i = 0; i < 4; i++)
		frame[1 + i] = (uint8_t)(len >> (24 - 8 * i));
	memcpy(frame + QMN_FRAME_LEN, body, len);
	return QMN_FRAME_LEN + len;
}

static size_t write_again(const pb_msgdesc_t *desc, const void *msg, uint8_t *to)
{
	pb_ostream_t out = pb_ostream_from_buffer(to, BODY_MAX);

	assert(pb_encode(&out, desc, msg));
	return out.bytes_written;
}

#define TRY(name, type)                                                                            \
	do {                                                                                       \
		static qmn_##type msg;                                                             \
		size_t n_first, n_second;                                                          \
		if (!qmn_##name##_decode(frame, make_frame(body, n), &msg))                        \
			break;                                                                     \
		n_first = write_again(&qmn_##type##_msg, &msg, first);                             \
		assert(n_first <= qmn_##type##_size);                                              \
		assert(qmn_##name##_decode(frame, make_frame(first, n_first), &msg));              \
		n_second = write_again(&qmn_##type##_msg, &msg, second);                           \
		assert(n_first == n_second && memcmp(first, second, n_first) == 0);                \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *body = data + 1;
	size_t n = len - 1;

	if (len < 1 || n > BODY_MAX)
		return 0;
	switch (data[0] % 8) {
	case 0:
		TRY(login, LoginResponse);
		break;
	case 1:
		TRY(get_state, GetStateResponse);
		break;
	case 2:
		TRY(list_devices, ListDevicesResponse);
		break;
	case 3:
		TRY(create_device, CreateDeviceResponse);
		break;
	case 4:
		TRY(get_orbit_features, GetOrbitFeaturesResponse);
		break;
	case 5:
		TRY(watch_state, WatchStateResponse);
		break;
	case 6:
		TRY(list_nodes, ListNodesResponse);
		break;
	default:
		TRY(get_device_stats, GetDeviceStatsResponse);
		break;
	}
	return 0;
}
