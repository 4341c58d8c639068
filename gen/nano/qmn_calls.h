/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a phone. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_QMN_CALLS_H
#define QM_GEN_QMN_CALLS_H

/*
 * Typed calls for a phone: no heap, sockets, clock or threads. The app brings
 * HTTP/2; these turn a message into the body of the request (5 bytes of gRPC
 * frame and the message) and one frame of the answer into a message.
 *
 * encode: false when buf is too small; QMN_*_REQUEST_MAX is always enough, and
 *   QMN_*_ANSWER_MAX for what a server of this contract sends (a later one may
 *   send fields that this phone skips).
 * decode: exactly one whole frame, as qmn_frame_next cuts it out. false: not
 *   a message of this type, or more than it can hold; *ret_out is all zero.
 * Buffers and messages that held a secret are the caller's to qmn_wipe.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gen/nano/qmn.pb.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QMN_FRAME_LEN 5

/*
 * The first frame in the bytes received so far: 1 and its length with header
 * in *ret_len; 0: not whole yet; -1: no frame of ours (compressed, or larger
 * than max bytes).
 */
int qmn_frame_next(const uint8_t *p, size_t len, size_t max, size_t *ret_len);
/* Zeroes memory that held a secret; the compiler does not drop it. */
void qmn_wipe(void *p, size_t len);

#define QMN_HEALTH_CHECK_PATH "/grpc.health.v1.Health/Check"
#define QMN_HEALTH_CHECK_REQUEST_MAX (QMN_FRAME_LEN + qmn_HealthCheckRequest_size)
#define QMN_HEALTH_CHECK_ANSWER_MAX (QMN_FRAME_LEN + qmn_HealthCheckResponse_size)
bool qmn_health_check_encode(const qmn_HealthCheckRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_health_check_decode(const uint8_t *buf, size_t len,
		qmn_HealthCheckResponse *ret_out);

#define QMN_LOGIN_PATH "/quazzar.mesh.v1.AuthService/Login"
#define QMN_LOGIN_REQUEST_MAX (QMN_FRAME_LEN + qmn_LoginRequest_size)
#define QMN_LOGIN_ANSWER_MAX (QMN_FRAME_LEN + qmn_LoginResponse_size)
bool qmn_login_encode(const qmn_LoginRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_login_decode(const uint8_t *buf, size_t len,
		qmn_LoginResponse *ret_out);

#define QMN_LOGOUT_PATH "/quazzar.mesh.v1.AuthService/Logout"
#define QMN_LOGOUT_REQUEST_MAX (QMN_FRAME_LEN + qmn_LogoutRequest_size)
#define QMN_LOGOUT_ANSWER_MAX (QMN_FRAME_LEN + qmn_LogoutResponse_size)
bool qmn_logout_encode(const qmn_LogoutRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_logout_decode(const uint8_t *buf, size_t len,
		qmn_LogoutResponse *ret_out);

#define QMN_WHO_AM_I_PATH "/quazzar.mesh.v1.AuthService/WhoAmI"
#define QMN_WHO_AM_I_REQUEST_MAX (QMN_FRAME_LEN + qmn_WhoAmIRequest_size)
#define QMN_WHO_AM_I_ANSWER_MAX (QMN_FRAME_LEN + qmn_WhoAmIResponse_size)
bool qmn_who_am_i_encode(const qmn_WhoAmIRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_who_am_i_decode(const uint8_t *buf, size_t len,
		qmn_WhoAmIResponse *ret_out);

#define QMN_CHANGE_PASSWORD_PATH "/quazzar.mesh.v1.AuthService/ChangePassword"
#define QMN_CHANGE_PASSWORD_REQUEST_MAX (QMN_FRAME_LEN + qmn_ChangePasswordRequest_size)
#define QMN_CHANGE_PASSWORD_ANSWER_MAX (QMN_FRAME_LEN + qmn_ChangePasswordResponse_size)
bool qmn_change_password_encode(const qmn_ChangePasswordRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_change_password_decode(const uint8_t *buf, size_t len,
		qmn_ChangePasswordResponse *ret_out);

#define QMN_GET_STATE_PATH "/quazzar.mesh.v1.MeshService/GetState"
#define QMN_GET_STATE_REQUEST_MAX (QMN_FRAME_LEN + qmn_GetStateRequest_size)
#define QMN_GET_STATE_ANSWER_MAX (QMN_FRAME_LEN + qmn_GetStateResponse_size)
bool qmn_get_state_encode(const qmn_GetStateRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_get_state_decode(const uint8_t *buf, size_t len,
		qmn_GetStateResponse *ret_out);

#define QMN_LIST_DEVICES_PATH "/quazzar.mesh.v1.MeshService/ListDevices"
#define QMN_LIST_DEVICES_REQUEST_MAX (QMN_FRAME_LEN + qmn_ListDevicesRequest_size)
#define QMN_LIST_DEVICES_ANSWER_MAX (QMN_FRAME_LEN + qmn_ListDevicesResponse_size)
bool qmn_list_devices_encode(const qmn_ListDevicesRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_list_devices_decode(const uint8_t *buf, size_t len,
		qmn_ListDevicesResponse *ret_out);

#define QMN_GET_DEVICE_PATH "/quazzar.mesh.v1.MeshService/GetDevice"
#define QMN_GET_DEVICE_REQUEST_MAX (QMN_FRAME_LEN + qmn_GetDeviceRequest_size)
#define QMN_GET_DEVICE_ANSWER_MAX (QMN_FRAME_LEN + qmn_GetDeviceResponse_size)
bool qmn_get_device_encode(const qmn_GetDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_get_device_decode(const uint8_t *buf, size_t len,
		qmn_GetDeviceResponse *ret_out);

#define QMN_CREATE_DEVICE_PATH "/quazzar.mesh.v1.MeshService/CreateDevice"
#define QMN_CREATE_DEVICE_REQUEST_MAX (QMN_FRAME_LEN + qmn_CreateDeviceRequest_size)
#define QMN_CREATE_DEVICE_ANSWER_MAX (QMN_FRAME_LEN + qmn_CreateDeviceResponse_size + 65536 + 8)
bool qmn_create_device_encode(const qmn_CreateDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_create_device_decode(const uint8_t *buf, size_t len,
		qmn_CreateDeviceResponse *ret_out);

#define QMN_UPDATE_DEVICE_PATH "/quazzar.mesh.v1.MeshService/UpdateDevice"
#define QMN_UPDATE_DEVICE_REQUEST_MAX (QMN_FRAME_LEN + qmn_UpdateDeviceRequest_size)
#define QMN_UPDATE_DEVICE_ANSWER_MAX (QMN_FRAME_LEN + qmn_UpdateDeviceResponse_size)
bool qmn_update_device_encode(const qmn_UpdateDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_update_device_decode(const uint8_t *buf, size_t len,
		qmn_UpdateDeviceResponse *ret_out);

#define QMN_ROTATE_DEVICE_KEY_PATH "/quazzar.mesh.v1.MeshService/RotateDeviceKey"
#define QMN_ROTATE_DEVICE_KEY_REQUEST_MAX (QMN_FRAME_LEN + qmn_RotateDeviceKeyRequest_size)
#define QMN_ROTATE_DEVICE_KEY_ANSWER_MAX (QMN_FRAME_LEN + qmn_RotateDeviceKeyResponse_size + 65536 + 8)
bool qmn_rotate_device_key_encode(const qmn_RotateDeviceKeyRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_rotate_device_key_decode(const uint8_t *buf, size_t len,
		qmn_RotateDeviceKeyResponse *ret_out);

#define QMN_DELETE_DEVICE_PATH "/quazzar.mesh.v1.MeshService/DeleteDevice"
#define QMN_DELETE_DEVICE_REQUEST_MAX (QMN_FRAME_LEN + qmn_DeleteDeviceRequest_size)
#define QMN_DELETE_DEVICE_ANSWER_MAX (QMN_FRAME_LEN + qmn_DeleteDeviceResponse_size)
bool qmn_delete_device_encode(const qmn_DeleteDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_delete_device_decode(const uint8_t *buf, size_t len,
		qmn_DeleteDeviceResponse *ret_out);

#define QMN_GET_CHANGE_PATH "/quazzar.mesh.v1.MeshService/GetChange"
#define QMN_GET_CHANGE_REQUEST_MAX (QMN_FRAME_LEN + qmn_GetChangeRequest_size)
#define QMN_GET_CHANGE_ANSWER_MAX (QMN_FRAME_LEN + qmn_GetChangeResponse_size)
bool qmn_get_change_encode(const qmn_GetChangeRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_get_change_decode(const uint8_t *buf, size_t len,
		qmn_GetChangeResponse *ret_out);

#define QMN_WATCH_STATE_PATH "/quazzar.mesh.v1.MeshService/WatchState"
#define QMN_WATCH_STATE_REQUEST_MAX (QMN_FRAME_LEN + qmn_WatchStateRequest_size)
#define QMN_WATCH_STATE_ANSWER_MAX (QMN_FRAME_LEN + qmn_WatchStateResponse_size)
bool qmn_watch_state_encode(const qmn_WatchStateRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_watch_state_decode(const uint8_t *buf, size_t len,
		qmn_WatchStateResponse *ret_out);

#define QMN_GET_ORBIT_FEATURES_PATH "/quazzar.mesh.v1.MeshService/GetOrbitFeatures"
#define QMN_GET_ORBIT_FEATURES_REQUEST_MAX (QMN_FRAME_LEN + qmn_GetOrbitFeaturesRequest_size)
#define QMN_GET_ORBIT_FEATURES_ANSWER_MAX (QMN_FRAME_LEN + qmn_GetOrbitFeaturesResponse_size)
bool qmn_get_orbit_features_encode(const qmn_GetOrbitFeaturesRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_get_orbit_features_decode(const uint8_t *buf, size_t len,
		qmn_GetOrbitFeaturesResponse *ret_out);

#define QMN_LIST_NODES_PATH "/quazzar.mesh.v1.MeshService/ListNodes"
#define QMN_LIST_NODES_REQUEST_MAX (QMN_FRAME_LEN + qmn_ListNodesRequest_size)
#define QMN_LIST_NODES_ANSWER_MAX (QMN_FRAME_LEN + qmn_ListNodesResponse_size + 200 + 8 + 200 + 8)
bool qmn_list_nodes_encode(const qmn_ListNodesRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_list_nodes_decode(const uint8_t *buf, size_t len,
		qmn_ListNodesResponse *ret_out);

#define QMN_GET_DEVICE_STATS_PATH "/quazzar.mesh.v1.MeshService/GetDeviceStats"
#define QMN_GET_DEVICE_STATS_REQUEST_MAX (QMN_FRAME_LEN + qmn_GetDeviceStatsRequest_size)
#define QMN_GET_DEVICE_STATS_ANSWER_MAX (QMN_FRAME_LEN + qmn_GetDeviceStatsResponse_size)
bool qmn_get_device_stats_encode(const qmn_GetDeviceStatsRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_get_device_stats_decode(const uint8_t *buf, size_t len,
		qmn_GetDeviceStatsResponse *ret_out);

#define QMN_EXPLAIN_DEVICE_PATH "/quazzar.mesh.v1.MeshService/ExplainDevice"
#define QMN_EXPLAIN_DEVICE_REQUEST_MAX (QMN_FRAME_LEN + qmn_ExplainDeviceRequest_size)
#define QMN_EXPLAIN_DEVICE_ANSWER_MAX (QMN_FRAME_LEN + qmn_ExplainDeviceResponse_size)
bool qmn_explain_device_encode(const qmn_ExplainDeviceRequest *in, uint8_t *buf,
		size_t cap, size_t *ret_len);
bool qmn_explain_device_decode(const uint8_t *buf, size_t len,
		qmn_ExplainDeviceResponse *ret_out);

#ifdef __cplusplus
}
#endif

#endif
