/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rpc/calist.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"
#include "server/rpc/cert.h"

static int fill_one(struct arena *arena, const char *pem, const struct cert_info *info,
		    Pb__CaCertificate *out)
{
	Google__Protobuf__Timestamp *until = arena_new(arena, Google__Protobuf__Timestamp);
	char fingerprint[TEXT_HEX_LEN(32) + 1];

	pb__ca_certificate__init(out);
	text_hex(info->fingerprint, sizeof(info->fingerprint), fingerprint);
	out->pem = arena_printf(arena, "%.*s", (int)info->pem_len, pem);
	out->fingerprint = arena_strdup(arena, fingerprint);
	out->subject = arena_strdup(arena, info->subject);
	if (!until || !out->pem || !out->fingerprint || !out->subject)
		return -ENOMEM;
	google__protobuf__timestamp__init(until);
	until->seconds = info->until_s;
	out->expires_at = until;
	return 0;
}

int calist_fill(struct arena *arena, const char *pem, Pb__GetMeshCaResponse *out)
{
	Pb__CaCertificate *items = arena_alloc(arena, CALIST_MAX * sizeof(*items));
	struct cert_info info;
	int r = 0;

	out->pem = arena_strdup(arena, pem);
	out->certificates = arena_alloc(arena, CALIST_MAX * sizeof(Pb__CaCertificate *));
	if (!items || !out->pem || !out->certificates)
		return err_origin(-ENOMEM);
	while (!r && *pem && out->n_certificates < CALIST_MAX) {
		r = cert_read(pem, &info);
		if (r)
			break;
		r = fill_one(arena, pem, &info, &items[out->n_certificates]);
		out->certificates[out->n_certificates] = &items[out->n_certificates];
		out->n_certificates++;
		pem += info.pem_len;
	}
	return r ? err_trace(r) : 0;
}
