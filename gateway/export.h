/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists in forms for other programs: one JSON object a line, or CSV that no
 * spreadsheet takes for formulas. Only the audit is offered so. Pure.
 */
#ifndef QM_EXPORT_H
#define QM_EXPORT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/method.h"
#include "base/text.h"

#define EXPORT_PARAM "format"

enum export_form { EXPORT_JSON, EXPORT_NDJSON, EXPORT_CSV };

/* May this method be asked for ?format=? */
bool export_allowed(const struct method *method);
/* Reads format= of a query; JSON without one. False: a form there is none of. */
bool export_form_of(const char *query, enum export_form *ret);
/* The content-type. */
const char *export_type(enum export_form form);
/* The rows of the repeated message field. 0, -EBADMSG, as json_encode. */
int export_rows(const ProtobufCMessage *msg, const char *field, enum export_form form,
		struct text *out) _must_check_;

#endif
