/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a phone. Made from proto/ by scripts/gen; never edited. */
#include "gen/nano/qmn_calls.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

void qmn_wipe(void *p, size_t len)
{
	volatile uint8_t *v = p;

	while (len--)
		*v++ = 0;
}

int qmn_frame_next(const uint8_t *p, size_t len, size_t max, size_t *ret_len)
{
	uint32_t body;

	if (len > 0 && p[0] != 0)
		return -1;
	if (len < QMN_FRAME_LEN)
		return 0;
	body = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	if (max < QMN_FRAME_LEN || body > max - QMN_FRAME_LEN)
		return -1;
	if (len - QMN_FRAME_LEN < body)
		return 0;
	*ret_len = QMN_FRAME_LEN + (size_t)body;
	return 1;
}

static bool encode(const pb_msgdesc_t *desc, const void *in, uint8_t *buf, size_t cap,
		   size_t *ret_len)
{
	pb_ostream_t out;
	uint32_t body;

	if (cap < QMN_FRAME_LEN)
		return false;
	out = pb_ostream_from_buffer(buf + QMN_FRAME_LEN, cap - QMN_FRAME_LEN);
	if (!pb_encode(&out, desc, in) || out.bytes_written > UINT32_MAX) {
		qmn_wipe(buf, cap);
		return false;
	}
	body = (uint32_t)out.bytes_written;
	buf[0] = 0;
	buf[1] = (uint8_t)(body >> 24);
	buf[2] = (uint8_t)(body >> 16);
	buf[3] = (uint8_t)(body >> 8);
	buf[4] = (uint8_t)body;
	*ret_len = QMN_FRAME_LEN + (size_t)body;
	return true;
}

static bool decode(const pb_msgdesc_t *desc, const uint8_t *buf, size_t len, void *ret_out,
		   size_t size)
{
	pb_istream_t in;
	size_t whole;

	memset(ret_out, 0, size);
	if (qmn_frame_next(buf, len, len, &whole) != 1 || whole != len)
		return false;
	in = pb_istream_from_buffer(buf + QMN_FRAME_LEN, len - QMN_FRAME_LEN);
	if (pb_decode(&in, desc, ret_out))
		return true;
	qmn_wipe(ret_out, size);
	return false;
}

bool qmn_health_check_encode(const qmn_HealthCheckRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_HealthCheckRequest_msg, in, buf, cap, ret_len);
}

bool qmn_health_check_decode(const uint8_t *buf, size_t len,
		qmn_HealthCheckResponse *ret_out)
{
	return decode(&qmn_HealthCheckResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_login_encode(const qmn_LoginRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_LoginRequest_msg, in, buf, cap, ret_len);
}

bool qmn_login_decode(const uint8_t *buf, size_t len,
		qmn_LoginResponse *ret_out)
{
	return decode(&qmn_LoginResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_logout_encode(const qmn_LogoutRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_LogoutRequest_msg, in, buf, cap, ret_len);
}

bool qmn_logout_decode(const uint8_t *buf, size_t len,
		qmn_LogoutResponse *ret_out)
{
	return decode(&qmn_LogoutResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_who_am_i_encode(const qmn_WhoAmIRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_WhoAmIRequest_msg, in, buf, cap, ret_len);
}

bool qmn_who_am_i_decode(const uint8_t *buf, size_t len,
		qmn_WhoAmIResponse *ret_out)
{
	return decode(&qmn_WhoAmIResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_change_password_encode(const qmn_ChangePasswordRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_ChangePasswordRequest_msg, in, buf, cap, ret_len);
}

bool qmn_change_password_decode(const uint8_t *buf, size_t len,
		qmn_ChangePasswordResponse *ret_out)
{
	return decode(&qmn_ChangePasswordResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_get_state_encode(const qmn_GetStateRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_GetStateRequest_msg, in, buf, cap, ret_len);
}

bool qmn_get_state_decode(const uint8_t *buf, size_t len,
		qmn_GetStateResponse *ret_out)
{
	return decode(&qmn_GetStateResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_list_devices_encode(const qmn_ListDevicesRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_ListDevicesRequest_msg, in, buf, cap, ret_len);
}

bool qmn_list_devices_decode(const uint8_t *buf, size_t len,
		qmn_ListDevicesResponse *ret_out)
{
	return decode(&qmn_ListDevicesResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_get_device_encode(const qmn_GetDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_GetDeviceRequest_msg, in, buf, cap, ret_len);
}

bool qmn_get_device_decode(const uint8_t *buf, size_t len,
		qmn_GetDeviceResponse *ret_out)
{
	return decode(&qmn_GetDeviceResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_create_device_encode(const qmn_CreateDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_CreateDeviceRequest_msg, in, buf, cap, ret_len);
}

bool qmn_create_device_decode(const uint8_t *buf, size_t len,
		qmn_CreateDeviceResponse *ret_out)
{
	return decode(&qmn_CreateDeviceResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_update_device_encode(const qmn_UpdateDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_UpdateDeviceRequest_msg, in, buf, cap, ret_len);
}

bool qmn_update_device_decode(const uint8_t *buf, size_t len,
		qmn_UpdateDeviceResponse *ret_out)
{
	return decode(&qmn_UpdateDeviceResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_rotate_device_key_encode(const qmn_RotateDeviceKeyRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_RotateDeviceKeyRequest_msg, in, buf, cap, ret_len);
}

bool qmn_rotate_device_key_decode(const uint8_t *buf, size_t len,
		qmn_RotateDeviceKeyResponse *ret_out)
{
	return decode(&qmn_RotateDeviceKeyResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_delete_device_encode(const qmn_DeleteDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_DeleteDeviceRequest_msg, in, buf, cap, ret_len);
}

bool qmn_delete_device_decode(const uint8_t *buf, size_t len,
		qmn_DeleteDeviceResponse *ret_out)
{
	return decode(&qmn_DeleteDeviceResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_get_change_encode(const qmn_GetChangeRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_GetChangeRequest_msg, in, buf, cap, ret_len);
}

bool qmn_get_change_decode(const uint8_t *buf, size_t len,
		qmn_GetChangeResponse *ret_out)
{
	return decode(&qmn_GetChangeResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_watch_state_encode(const qmn_WatchStateRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_WatchStateRequest_msg, in, buf, cap, ret_len);
}

bool qmn_watch_state_decode(const uint8_t *buf, size_t len,
		qmn_WatchStateResponse *ret_out)
{
	return decode(&qmn_WatchStateResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_get_orbit_features_encode(const qmn_GetOrbitFeaturesRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_GetOrbitFeaturesRequest_msg, in, buf, cap, ret_len);
}

bool qmn_get_orbit_features_decode(const uint8_t *buf, size_t len,
		qmn_GetOrbitFeaturesResponse *ret_out)
{
	return decode(&qmn_GetOrbitFeaturesResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_list_nodes_encode(const qmn_ListNodesRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_ListNodesRequest_msg, in, buf, cap, ret_len);
}

bool qmn_list_nodes_decode(const uint8_t *buf, size_t len,
		qmn_ListNodesResponse *ret_out)
{
	return decode(&qmn_ListNodesResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_get_device_stats_encode(const qmn_GetDeviceStatsRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_GetDeviceStatsRequest_msg, in, buf, cap, ret_len);
}

bool qmn_get_device_stats_decode(const uint8_t *buf, size_t len,
		qmn_GetDeviceStatsResponse *ret_out)
{
	return decode(&qmn_GetDeviceStatsResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}

bool qmn_explain_device_encode(const qmn_ExplainDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len)
{
	return encode(&qmn_ExplainDeviceRequest_msg, in, buf, cap, ret_len);
}

bool qmn_explain_device_decode(const uint8_t *buf, size_t len,
		qmn_ExplainDeviceResponse *ret_out)
{
	return decode(&qmn_ExplainDeviceResponse_msg, buf, len, ret_out, sizeof(*ret_out));
}
