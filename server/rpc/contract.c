/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk through the few dozen files for each question: nobody asks often.
 * Field numbers are descriptor.proto's.
 */
#include "server/rpc/contract.h"

#include <stdbool.h>
#include <string.h>

#include "base/wire.h"

#define NAME 1
#define PACKAGE 2
#define FIELD_EXTENDEE 2
#define FIELD_NUMBER 3
#define FILE_MESSAGES 4
#define FILE_EXTENSIONS 7
#define MESSAGE_MESSAGES 3
#define MESSAGE_EXTENSIONS 6

struct part;

/* Which fields of a declaration declare something, and what that is. */
struct kind {
	struct part {
		unsigned field;
		const struct kind *kind; /* NULL: nothing is declared inside */
	} parts[6];
	bool lends; /* what is inside is named as if it stood beside: the values of an enum */
};

static const struct kind enum_kind = {.parts = {{2, NULL}}, .lends = true};
static const struct kind service_kind = {.parts = {{2, NULL}}};
static const struct kind message_kind = {.parts = {{2, NULL},
						   {MESSAGE_MESSAGES, &message_kind},
						   {4, &enum_kind},
						   {MESSAGE_EXTENSIONS, NULL},
						   {8, NULL}}};
static const struct kind file_kind = {.parts = {{FILE_MESSAGES, &message_kind},
						{5, &enum_kind},
						{6, &service_kind},
						{FILE_EXTENSIONS, NULL}}};

/* The first field with this number. */
static bool field_of(struct wire_reader r, unsigned number, struct wire_field *ret)
{
	while (wire_next(&r, ret) > 0)
		if (ret->number == number)
			return true;
	return false;
}

static const struct part *part_of(const struct kind *kind, unsigned field)
{
	for (const struct part *p = kind->parts; p->field; p++)
		if (p->field == field)
			return p;
	return NULL;
}

/* What is left of symbol behind the name and a '.', "" when that was all, NULL when it differs. */
static const char *rest_of(const char *symbol, const struct wire_field *name)
{
	if (strncmp(symbol, (const char *)name->p, name->len) != 0)
		return NULL;
	symbol += name->len;
	if (*symbol == '\0')
		return symbol;
	return *symbol == '.' && symbol[1] ? symbol + 1 : NULL;
}

static bool declares(struct wire_reader r, const struct kind *kind, const char *symbol)
{
	struct wire_field f, name;

	while (wire_next(&r, &f) > 0) {
		const struct part *part = part_of(kind, f.number);
		const char *rest;

		if (!part || !field_of(wire_enter(&f), NAME, &name))
			continue;
		rest = rest_of(symbol, &name);
		if (rest && *rest == '\0')
			return true;
		if (!part->kind)
			continue;
		if (part->kind->lends)
			rest = symbol;
		if (rest && declares(wire_enter(&f), part->kind, rest))
			return true;
	}
	return false;
}

static struct wire_reader reader_of(const struct descriptor_file *file)
{
	return (struct wire_reader){.p = file->p, .len = file->len};
}

const struct descriptor_file *contract_file(const char *name)
{
	for (size_t i = 0; i < n_descriptor_files; i++)
		if (strcmp(descriptor_files[i].name, name) == 0)
			return &descriptor_files[i];
	return NULL;
}

const struct descriptor_file *contract_symbol(const char *full_name)
{
	const char *symbol = full_name + (*full_name == '.');

	for (size_t i = 0; i < n_descriptor_files; i++) {
		struct wire_reader r = reader_of(&descriptor_files[i]);
		struct wire_field package;
		const char *rest;

		if (!field_of(r, PACKAGE, &package))
			continue;
		rest = rest_of(symbol, &package);
		if (rest && *rest && declares(r, &file_kind, rest))
			return &descriptor_files[i];
	}
	return NULL;
}

/* --- extensions --- */

struct numbers {
	const char *type; /* without the leading '.' */
	int32_t v[CONTRACT_MAX_EXTENSIONS];
	size_t n;
};

static void note_extension(struct numbers *to, struct wire_reader r)
{
	struct wire_field extendee, number;
	size_t len = strlen(to->type);

	if (field_of(r, FIELD_EXTENDEE, &extendee) && field_of(r, FIELD_NUMBER, &number) &&
	    extendee.len == len + 1 && memcmp(extendee.p + 1, to->type, len) == 0 &&
	    to->n < CONTRACT_MAX_EXTENSIONS)
		to->v[to->n++] = (int32_t)number.n;
}

/* Of a file or, with the other two numbers, of a message. */
static void note_all(struct numbers *to, struct wire_reader r, unsigned extensions,
		     unsigned messages)
{
	struct wire_field f;

	while (wire_next(&r, &f) > 0) {
		if (f.number == extensions)
			note_extension(to, wire_enter(&f));
		else if (f.number == messages)
			note_all(to, wire_enter(&f), MESSAGE_EXTENSIONS, MESSAGE_MESSAGES);
	}
}

const struct descriptor_file *contract_extension(const char *type, unsigned number)
{
	for (size_t i = 0; i < n_descriptor_files; i++) {
		struct numbers found = {.type = type + (*type == '.')};

		note_all(&found, reader_of(&descriptor_files[i]), FILE_EXTENSIONS, FILE_MESSAGES);
		for (size_t at = 0; at < found.n; at++)
			if ((unsigned)found.v[at] == number)
				return &descriptor_files[i];
	}
	return NULL;
}

size_t contract_extensions(const char *type, int32_t ret[CONTRACT_MAX_EXTENSIONS])
{
	struct numbers found = {.type = type + (*type == '.')};

	for (size_t i = 0; i < n_descriptor_files; i++)
		note_all(&found, reader_of(&descriptor_files[i]), FILE_EXTENSIONS, FILE_MESSAGES);
	memcpy(ret, found.v, found.n * sizeof(*ret));
	return found.n;
}
