/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers in forms for other programs: the audit as one JSON object a line, or as CSV that
 * no spreadsheet takes for formulas; the CA as the file that systems install. Pure.
 */
#ifndef QM_EXPORT_H
#define QM_EXPORT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/method.h"
#include "base/text.h"

#define EXPORT_PARAM "format"

enum export_form { EXPORT_JSON, EXPORT_NDJSON, EXPORT_CSV, EXPORT_PEM };

/* The forms that a method may be asked for by ?format=, in words; NULL: there is only JSON. */
const char *export_forms(const struct method *method);
/* Reads format= of a query; JSON without one. False: a form that the method does not have. */
bool export_form_of(const struct method *method, const char *query, enum export_form *ret);
/* The content-type. */
const char *export_type(enum export_form form);
/* The content-disposition; NULL: none. */
const char *export_disposition(enum export_form form);
/*
 * The answer in a form that is not JSON: the rows of its repeated message field, or of PEM its
 * text. 0, -EBADMSG, as json_encode.
 */
int export_body(const ProtobufCMessage *msg, const char *field, enum export_form form,
		struct text *out) _must_check_;

#endif
