/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A phone: signs in at a real node, adds itself, reads its config, meets each
 * refusal a phone meets, and goes. Every message lies in static memory; the
 * program is linked so that a call of the heap from any object of ours or from
 * nanopb ends it (phone_heap.c).
 *
 *   phone TARGET AUTHORITY USER PASSWORD [CONFIG-FILE]
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gen/nano/qmn_calls.h"
#include "tests/mobile/phone_wire.h"

static uint8_t request[QMN_CREATE_DEVICE_REQUEST_MAX + QMN_CHANGE_PASSWORD_REQUEST_MAX];
static uint8_t answer[QMN_CREATE_DEVICE_ANSWER_MAX];
static struct qmn_status status;
static struct qmn_reader reader;
static char token[1025];
static int passed, failed;

static bool check(bool good, const char *what)
{
	if (good)
		passed++;
	else
		failed++;
	if (!good)
		printf("FAIL %s: %u %s %s\n", what, status.code, status.reason, status.message);
	return good;
}

/* The answer's frame, or false: status tells. */
static bool call(const char *path, size_t len, const uint8_t **ret_p, size_t *ret_len)
{
	struct phone_call c = {.path = path, .body = request, .body_len = len, .reader = &reader};
	bool fine;

	c.token = token[0] ? token : NULL;
	qmn_reader_init(&reader, answer, sizeof(answer));
	fine = phone_wire_run(&c, &status);
	qmn_wipe(request, sizeof(request));
	if (!fine)
		snprintf(status.message, sizeof(status.message), "connection lost");
	return fine && status.code == 0 && qmn_reader_next(&reader, ret_p, ret_len) == 1;
}

static bool login(const char *user, const char *password)
{
	static qmn_LoginRequest in;
	static qmn_LoginResponse out;
	const uint8_t *p;
	size_t len;
	bool fine;

	snprintf(in.user, sizeof(in.user), "%s", user);
	snprintf(in.password, sizeof(in.password), "%s", password);
	if (!qmn_login_encode(&in, request, sizeof(request), &len))
		return false;
	fine = call(QMN_LOGIN_PATH, len, &p, &len) && qmn_login_decode(p, len, &out);
	if (fine)
		snprintf(token, sizeof(token), "%s", out.token);
	qmn_wipe(&in, sizeof(in));
	qmn_wipe(&out, sizeof(out));
	return fine;
}

static bool health(void)
{
	static qmn_HealthCheckRequest in;
	static qmn_HealthCheckResponse out;
	const uint8_t *p;
	size_t len;

	return qmn_health_check_encode(&in, request, sizeof(request), &len) &&
	       call(QMN_HEALTH_CHECK_PATH, len, &p, &len) &&
	       qmn_health_check_decode(p, len, &out) &&
	       out.status == qmn_HealthCheckResponse_ServingStatus_SERVING;
}

static bool get_state(qmn_State *ret_state)
{
	static qmn_GetStateRequest in;
	static qmn_GetStateResponse out;
	const uint8_t *p;
	size_t len;

	if (!qmn_get_state_encode(&in, request, sizeof(request), &len) ||
	    !call(QMN_GET_STATE_PATH, len, &p, &len) || !qmn_get_state_decode(p, len, &out))
		return false;
	*ret_state = out.state;
	return out.has_state;
}

static bool create(const char *label, qmn_CreateDeviceResponse *ret_out)
{
	static qmn_CreateDeviceRequest in;
	const uint8_t *p;
	size_t len;

	memset(&in, 0, sizeof(in));
	snprintf(in.label, sizeof(in.label), "%s", label);
	in.type = qmn_DeviceType_DEVICE_TYPE_ANDROID;
	return qmn_create_device_encode(&in, request, sizeof(request), &len) &&
	       call(QMN_CREATE_DEVICE_PATH, len, &p, &len) &&
	       qmn_create_device_decode(p, len, ret_out);
}

/* How many of the caller's devices have this id. */
static int listed(const char *id)
{
	static qmn_ListDevicesRequest in;
	static qmn_ListDevicesResponse out;
	const uint8_t *p;
	size_t len;
	int found = 0;

	in.page_size = 32;
	if (!qmn_list_devices_encode(&in, request, sizeof(request), &len) ||
	    !call(QMN_LIST_DEVICES_PATH, len, &p, &len) || !qmn_list_devices_decode(p, len, &out))
		return -1;
	for (pb_size_t i = 0; i < out.devices_count; i++)
		found += !strcmp(out.devices[i].id, id);
	return found;
}

static bool remove_device(const char *id)
{
	static qmn_DeleteDeviceRequest in;
	static qmn_DeleteDeviceResponse out;
	const uint8_t *p;
	size_t len;

	snprintf(in.id, sizeof(in.id), "%s", id);
	return qmn_delete_device_encode(&in, request, sizeof(request), &len) &&
	       call(QMN_DELETE_DEVICE_PATH, len, &p, &len) &&
	       qmn_delete_device_decode(p, len, &out);
}

static bool has_mesh_feature(void)
{
	static qmn_GetOrbitFeaturesRequest in;
	static qmn_GetOrbitFeaturesResponse out;
	const uint8_t *p;
	size_t len;

	if (!qmn_get_orbit_features_encode(&in, request, sizeof(request), &len) ||
	    !call(QMN_GET_ORBIT_FEATURES_PATH, len, &p, &len) ||
	    !qmn_get_orbit_features_decode(p, len, &out))
		return false;
	for (pb_size_t i = 0; i < out.features_count; i++)
		if (!strcmp(out.features[i].key, "mesh_vpn"))
			return out.features[i].value.enabled;
	return false;
}

static bool first_event(void *arg, const uint8_t *p, size_t len)
{
	static qmn_WatchStateResponse out;
	bool *seen = arg;

	*seen = qmn_watch_state_decode(p, len, &out) && out.has_state;
	return false;
}

/* One message comes at once; then the phone has seen enough. */
static bool watch(void)
{
	static qmn_WatchStateRequest in;
	struct phone_call c = {.path = QMN_WATCH_STATE_PATH, .token = token, .body = request};
	bool seen = false;

	c.reader = &reader;
	c.frame = first_event;
	c.arg = &seen;
	qmn_reader_init(&reader, answer, sizeof(answer));
	return qmn_watch_state_encode(&in, request, sizeof(request), &c.body_len) &&
	       phone_wire_run(&c, &status) && seen;
}

static bool logout(void)
{
	static qmn_LogoutRequest in;
	static qmn_LogoutResponse out;
	const uint8_t *p;
	size_t len;

	return qmn_logout_encode(&in, request, sizeof(request), &len) &&
	       call(QMN_LOGOUT_PATH, len, &p, &len) && qmn_logout_decode(p, len, &out);
}

static bool refused(unsigned code, const char *reason)
{
	return status.code == code && !strcmp(status.reason, reason);
}

static void save_config(const char *file, const char *config)
{
	FILE *f = file ? fopen(file, "w") : NULL;

	if (f) {
		fputs(config, f);
		fclose(f);
	}
}

static void use_devices(const char *config_file)
{
	static qmn_CreateDeviceResponse made, again;
	char label[64];

	snprintf(label, sizeof(label), "Phone %d", (int)getpid());
	if (!check(create(label, &made), "create"))
		return;
	check(strstr(made.config, "[Interface]") && strstr(made.config, "PrivateKey"), "config");
	check(made.has_device && !strcmp(made.device.label, label), "device in the answer");
	check(made.device.type == qmn_DeviceType_DEVICE_TYPE_ANDROID, "type");
	save_config(config_file, made.config);
	check(listed(made.device.id) == 1, "listed once");
	check(!create(label, &again) && refused(6, "LABEL_TAKEN"), "same label refused");
	check(!create("\xf0\x9f\x93\xb1", &again) && refused(3, "LABEL_INVALID"),
	      "label without a letter refused");
	check(config_file || remove_device(made.device.id), "delete");
	check(config_file || listed(made.device.id) == 0, "listed no more");
	check(config_file || (!remove_device(made.device.id) && refused(5, "NOT_FOUND")),
	      "deleted is not there");
	qmn_wipe(&made, sizeof(made));
}

/* The node hears of it from the Control Panel, a moment after the answer. */
static bool session_ends(void)
{
	static qmn_State state;

	for (int i = 0; i < 500; i++) {
		if (!get_state(&state))
			return true;
		usleep(20000);
	}
	return false;
}

int main(int argc, char **argv)
{
	static qmn_State state;

	if (argc < 5) {
		fprintf(stderr, "usage: phone TARGET AUTHORITY USER PASSWORD [CONFIG-FILE]\n");
		return 2;
	}
	if (!phone_wire_open(argv[1], argv[2])) {
		perror(argv[1]);
		return 2;
	}
	check(health(), "health");
	/* Who may open the node's own socket is its operator already. */
	if (strncmp(argv[1], "unix:", 5) != 0)
		check(!get_state(&state) && refused(16, "TOKEN_MISSING"), "state needs a session");
	else
		check(get_state(&state), "state for the operator");
	check(!login(argv[3], "not the password") && refused(16, "LOGIN_FAILED"),
	      "wrong password refused");
	if (check(login(argv[3], argv[4]), "login")) {
		check(get_state(&state), "state");
		check(has_mesh_feature(), "feature mesh_vpn");
		use_devices(argc > 5 ? argv[5] : NULL);
		check(watch(), "watch");
		check(logout(), "logout");
		check(session_ends() && refused(16, "TOKEN_INVALID"), "session has ended");
	}
	phone_wire_close();
	printf("passed %d failed %d skipped 0\n", passed, failed);
	return failed ? 1 : 0;
}
