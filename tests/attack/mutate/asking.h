/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request before it has a wire form: verb, target, fields, body, of any
 * protocol; twisted or right. Both HTTP versions write the same ones.
 */
#ifndef QM_ASKING_H
#define QM_ASKING_H

#include "tests/attack/mutate/octets.h"
#include "tests/attack/mutate/seeds.h"

#define ASKING_MAX_FIELDS 400

enum asking_protocol {
	ASKING_GRPC,
	ASKING_WEB,
	ASKING_WEB_TEXT,
	ASKING_CONNECT,
	ASKING_CONNECT_GET,
	ASKING_CONNECT_STREAM,
	ASKING_REST,
};

struct asking_field {
	size_t name, name_len, value, value_len; /* in text */
};

struct asking {
	enum asking_protocol protocol;
	char verb[32];
	struct octets path, authority, body, text;
	struct asking_field fields[ASKING_MAX_FIELDS];
	size_t n_fields;
};

/* Fills a zeroed one. */
void asking_make(struct asking *a, struct dice *d, const struct seeds *seeds, bool twist_head,
		 bool twist_body);
void asking_field_add(struct asking *a, const char *name, const void *value, size_t len);
void asking_done(struct asking *a);

#endif
