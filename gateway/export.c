/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells are the JSON form of a value without its quotes, written anew for CSV:
 * always quoted, with an apostrophe before what a spreadsheet would run.
 */
#include "gateway/export.h"

#include <errno.h>
#include <string.h>

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

/* What a spreadsheet takes for the start of a formula; some take the wide signs for it too. */
static bool is_formula(const char *s)
{
	static const char *const wide[] = {"\uff1d", "\uff0b", "\uff0d", "\uff20"};

	for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
		if (!strncmp(s, wide[i], strlen(wide[i])))
			return true;
	}
	return *s && strchr("=+-@\t\r\n", *s);
}

static void add_cell(struct text *out, const char *s)
{
	text_adds(out, is_formula(s) ? "\"'" : "\"");
	for (; *s; s++) {
		if (*s == '"')
			text_add(out, "\"\"", 2);
		else
			text_add(out, s, 1);
	}
	text_add(out, "\"", 1);
}

/* Strings as they are; everything else as JSON writes it. */
static int add_field(const ProtobufCMessage *row, const ProtobufCFieldDescriptor *f,
		     struct text *out)
{
	_cleanup_(text_done) struct text cell = TEXT_INIT(65536);
	int r;

	if (f->type == PROTOBUF_C_TYPE_STRING && f->label != PROTOBUF_C_LABEL_REPEATED &&
	    !json_field_is_oneof(f)) {
		add_cell(out, *(const char *const *)json_field_at(row, f));
		return 0;
	}
	if (f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED &&
	    !*(void *const *)json_field_at(row, f)) {
		add_cell(out, "");
		return 0;
	}
	r = json_encode_field(row, f->name, JSON_REST, &cell);
	if (r < 0 || cell.failed)
		return err_trace(r < 0 ? r : -ENOMEM);
	if (cell.len >= 2 && cell.s[0] == '"') {
		cell.s[cell.len - 1] = '\0';
		add_cell(out, cell.s + 1);
	} else {
		add_cell(out, cell.s);
	}
	return 0;
}

static int add_csv_row(const ProtobufCMessage *row, struct text *out)
{
	for (unsigned i = 0; i < row->descriptor->n_fields; i++) {
		int r;

		if (i)
			text_add(out, ",", 1);
		r = add_field(row, &row->descriptor->fields[i], out);
		if (r < 0)
			return err_trace(r);
	}
	text_adds(out, "\r\n");
	return 0;
}

static void add_csv_head(const ProtobufCMessageDescriptor *desc, struct text *out)
{
	for (unsigned i = 0; i < desc->n_fields; i++)
		text_addf(out, "%s\"%s\"", i ? "," : "", desc->fields[i].name);
	text_adds(out, "\r\n");
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
		add_csv_head(f->descriptor, out);
	for (size_t i = 0; !r && i < *json_field_count(msg, f); i++) {
		if (form == EXPORT_CSV) {
			r = add_csv_row(rows[i], out);
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
