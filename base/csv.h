/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as rows of CSV (RFC 4180) that no spreadsheet takes for formulas. Pure. */
#ifndef QM_CSV_H
#define QM_CSV_H

#include <protobuf-c/protobuf-c.h>

#include "base/cleanup.h"
#include "base/text.h"

/* The names of the fields, in the order of csv_row. */
void csv_head(const ProtobufCMessageDescriptor *desc, struct text *out);
/* One line. 0, or as json_encode_field. */
int csv_row(const ProtobufCMessage *row, struct text *out) _must_check_;

#endif
