/* SPDX-License-Identifier: Apache-2.0 */
/* The identity file: "name value" lines, keys in base64, mode 0600. */
#include "server/node/identity.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "server/node/statefile.h"

#define FILE_NAME "identity"
#define FILE_MAX 4096

void identity_wipe(struct identity *id)
{
	key_wipe_bytes(id, sizeof(*id));
}

static void add_base64(struct text *t, const char *name, const void *p, size_t len)
{
	char value[TEXT_BASE64_LEN(SIGN_SECRET_LEN) + 1];

	text_base64(p, len, value);
	text_addf(t, "%s %s\n", name, value);
	key_wipe_bytes(value, sizeof(value));
}

static void add_id(struct text *t, const char *name, const struct uuid *id)
{
	char value[UUID_TEXT_LEN + 1];

	text_addf(t, "%s %s\n", name, uuid_text(id, value));
}

int identity_save(const char *state_dir, const struct identity *id)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(FILE_MAX);

	add_base64(&t, "wg_private_key", id->wg_private.b, KEY_LEN);
	add_base64(&t, "identity_secret", id->sign_secret, SIGN_SECRET_LEN);
	add_base64(&t, "identity_public", id->sign_public, SIGN_PUBLIC_LEN);
	if (!uuid_is_nil(&id->node_id)) {
		add_id(&t, "node_id", &id->node_id);
		add_id(&t, "tenant_id", &id->tenant_id);
	}
	if (id->has_pin)
		add_base64(&t, "cp_pin", id->cp_pin, sizeof(id->cp_pin));
	if (t.failed)
		return err_origin(-ENOMEM);
	return statefile_write(state_dir, FILE_NAME, t.s, t.len);
}

static int read_bytes(const char *value, void *ret, size_t len)
{
	size_t got = 0;

	if (text_unbase64(value, strlen(value), ret, len, &got) || got != len)
		return -EBADMSG;
	return 0;
}

static int read_line(struct identity *id, const char *name, const char *value)
{
	if (strcmp(name, "wg_private_key") == 0)
		return read_bytes(value, id->wg_private.b, KEY_LEN);
	if (strcmp(name, "identity_secret") == 0)
		return read_bytes(value, id->sign_secret, SIGN_SECRET_LEN);
	if (strcmp(name, "identity_public") == 0)
		return read_bytes(value, id->sign_public, SIGN_PUBLIC_LEN);
	if (strcmp(name, "node_id") == 0)
		return uuid_parse(value, &id->node_id) ? -EBADMSG : 0;
	if (strcmp(name, "tenant_id") == 0)
		return uuid_parse(value, &id->tenant_id) ? -EBADMSG : 0;
	if (strcmp(name, "cp_pin") == 0) {
		id->has_pin = true;
		return read_bytes(value, id->cp_pin, sizeof(id->cp_pin));
	}
	return 0;
}

static int parse(char *s, struct identity *id)
{
	char *save = NULL;
	int r = 0;

	for (char *line = strtok_r(s, "\n", &save); line && !r;
	     line = strtok_r(NULL, "\n", &save)) {
		char *blank = strchr(line, ' ');

		if (!blank)
			return -EBADMSG;
		*blank = '\0';
		r = read_line(id, line, blank + 1);
	}
	if (!r && key_is_zero(&id->wg_private))
		r = -EBADMSG;
	return r;
}

int identity_load(const char *state_dir, struct identity *ret)
{
	struct identity id = {0};
	uint8_t *bytes;
	size_t len;
	int r;

	r = statefile_read(state_dir, FILE_NAME, FILE_MAX, &bytes, &len);
	if (r == -ENOENT) {
		key_make(&id.wg_private, &id.wg_public);
		sign_make(id.sign_public, id.sign_secret);
		r = identity_save(state_dir, &id);
	} else if (!r) {
		r = parse((char *)bytes, &id);
		key_wipe_bytes(bytes, len);
		free(bytes);
		if (!r)
			key_public(&id.wg_private, &id.wg_public);
	}
	if (!r)
		*ret = id;
	identity_wipe(&id);
	return r ? err_origin(r) : 0;
}
