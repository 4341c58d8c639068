/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells are the JSON form of a value without its quotes, written anew for CSV:
 * always quoted, with an apostrophe before what a spreadsheet would run.
 */
#include "base/csv.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/json_field.h"

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

int csv_row(const ProtobufCMessage *row, struct text *out)
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

void csv_head(const ProtobufCMessageDescriptor *desc, struct text *out)
{
	for (unsigned i = 0; i < desc->n_fields; i++)
		text_addf(out, "%s\"%s\"", i ? "," : "", desc->fields[i].name);
	text_adds(out, "\r\n");
}
