/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line prints: tables, relative times, sizes, JSON objects,
 * errors. Text from the server is made harmless for terminals first.
 */
#ifndef QM_PRINT_H
#define QM_PRINT_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "base/text.h"

#define PRINT_MAX_COLUMNS 12

struct print_table {
	size_t n_columns;
	size_t n_cells, cap;
	char **cells; /* row by row; the first row is the header */
};

/* header: words separated by '|'. */
void print_table_init(struct print_table *t, const char *header);
/* One cell, from the left; NULL and "" become "-". */
void print_cell(struct print_table *t, const char *text);
void print_cellf(struct print_table *t, const char *fmt, ...) _printf_(2, 3);
/* Aligned, two spaces between columns; frees the cells. */
void print_table_done(struct print_table *t, FILE *out);

/* Control, format and bidi characters and broken UTF-8 become "?"; ret is on the heap. */
char *print_harmless(const char *s);
/* One line made harmless; the rule for all text that came from a server. */
void print_line(FILE *out, const char *fmt, ...) _printf_(2, 3);
/* "12 s ago", "in 3 h", "now"; ret must hold 32. */
const char *print_ago(int64_t then_ms, int64_t now_ms, char *ret);
/* "1.2 MiB"; ret must hold 32. */
const char *print_bytes(uint64_t n, char *ret);
/* "DEVICE_STATUS_CONNECTED" -> "connected": without the prefix, lower case; ret must hold 64. */
const char *print_enum(const ProtobufCEnumDescriptor *desc, int value, const char *prefix,
		       char *ret);
/* The reverse; -EINVAL. */
int print_enum_parse(const ProtobufCEnumDescriptor *desc, const char *word, const char *prefix,
		     int *ret_value) _must_check_;

/* {"schema":"...", fields of msg}; a line. -errno when the message has no JSON form. */
int print_json(FILE *out, const char *schema, const ProtobufCMessage *msg) _must_check_;
/* An object of our own: the members as JSON text, "\"a\":1". */
void print_json_members(FILE *out, const char *schema, const char *members);
/* "error: ..." and "hint: ..."; with json also an object of schema qmesh.error/1 on stdout. */
void print_failure(const struct status *s, bool json);
/* A failure of our own, in the same form. */
void print_problem(const char *hint, const char *fmt, ...) _printf_(2, 3);

#endif
