/* SPDX-License-Identifier: Apache-2.0 */
/* A table of forms; rows are written by base/csv.c and base/json.c. */
#include "gateway/export.h"

#include <errno.h>
#include <string.h>

#include "base/csv.h"
#include "base/err.h"
#include "base/json.h"
#include "base/json_field.h"
#include "gen/rpc/mesh_service.h"

/* By enum export_form. */
static const struct form {
	const char *name, *type, *disposition;
} forms[] = {
	{"json", "application/json", NULL},
	{"ndjson", "application/x-ndjson", NULL},
	{"csv", "text/csv", NULL},
	/* The type and the ending that phones and desktops open as a CA to trust. */
	{"pem", "application/x-x509-ca-cert", "attachment; filename=\"quazzar-mesh.crt\""},
};

static bool is_offered(const struct method *method, enum export_form form)
{
	switch (form) {
	case EXPORT_NDJSON:
	case EXPORT_CSV:
		return method == &mesh_service_methods[METHOD_MESH_LIST_AUDIT];
	case EXPORT_PEM:
		return method == &mesh_service_methods[METHOD_MESH_GET_MESH_CA];
	default:
		return export_forms(method) != NULL;
	}
}

const char *export_forms(const struct method *method)
{
	if (method == &mesh_service_methods[METHOD_MESH_LIST_AUDIT])
		return "json, ndjson or csv";
	if (method == &mesh_service_methods[METHOD_MESH_GET_MESH_CA])
		return "json or pem";
	return NULL;
}

static bool find_form(const char *name, size_t len, enum export_form *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (len != strlen(forms[i].name) || memcmp(name, forms[i].name, len) != 0)
			continue;
		*ret = (enum export_form)i;
		return true;
	}
	return false;
}

bool export_form_of(const struct method *method, const char *query, enum export_form *ret)
{
	const size_t name_len = sizeof(EXPORT_PARAM) - 1;

	*ret = EXPORT_JSON;
	for (; query && *query; query += strspn(query, "&")) {
		size_t len = strcspn(query, "&");
		enum export_form form;

		if (len > name_len && query[name_len] == '=' &&
		    memcmp(query, EXPORT_PARAM, name_len) == 0) {
			if (!find_form(query + name_len + 1, len - name_len - 1, &form) ||
			    !is_offered(method, form))
				return false;
			*ret = form;
			return true;
		}
		query += len;
	}
	return true;
}

const char *export_type(enum export_form form)
{
	return forms[form].type;
}

const char *export_disposition(enum export_form form)
{
	return forms[form].disposition;
}

static int add_rows(const ProtobufCMessage *msg, const char *field, enum export_form form,
		    struct text *out)
{
	const ProtobufCFieldDescriptor *f = json_field_find(msg->descriptor, field);
	ProtobufCMessage *const *rows;
	int r = 0;

	if (!f || f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE)
		return err_origin(-EBADMSG);
	rows = *(ProtobufCMessage *const **)json_field_at(msg, f);
	if (form == EXPORT_CSV)
		csv_head(f->descriptor, out);
	for (size_t i = 0; !r && i < *json_field_count(msg, f); i++) {
		if (form == EXPORT_CSV) {
			r = csv_row(rows[i], out);
		} else {
			r = json_encode(rows[i], JSON_REST, out);
			text_adds(out, "\n");
		}
	}
	return r;
}

/* "pem", all of them in one text. */
static int add_pem(const ProtobufCMessage *msg, struct text *out)
{
	const ProtobufCFieldDescriptor *f = json_field_find(msg->descriptor, "pem");

	if (!f || f->type != PROTOBUF_C_TYPE_STRING || f->label == PROTOBUF_C_LABEL_REPEATED)
		return err_origin(-EBADMSG);
	text_adds(out, *(const char *const *)json_field_at(msg, f));
	return 0;
}

int export_body(const ProtobufCMessage *msg, const char *field, enum export_form form,
		struct text *out)
{
	return form == EXPORT_PEM ? add_pem(msg, out) : add_rows(msg, field, form, out);
}
