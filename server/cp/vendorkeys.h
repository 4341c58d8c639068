/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys whose licences are taken: those compiled in (packaging/vendor-keys)
 * and those of a file of the operator's. One a line, "<base64 of 32 bytes> <name>";
 * "#" begins a comment.
 */
#ifndef QM_VENDORKEYS_H
#define QM_VENDORKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/sign.h"

#define VENDORKEYS_MAX 16
#define VENDORKEYS_ID_LEN 16 /* hex digits: the first 8 bytes of BLAKE2b-256 of the key */
#define VENDORKEYS_NAME_MAX 64

struct vendorkey {
	uint8_t public_key[SIGN_PUBLIC_LEN];
	char id[VENDORKEYS_ID_LEN + 1];
	char name[VENDORKEYS_NAME_MAX + 1];
	bool own; /* of the operator's file */
};

struct vendorkeys {
	struct vendorkey keys[VENDORKEYS_MAX];
	size_t n;
};

/* Adds the keys of a list; -EINVAL with a line in the log that names where. */
int vendorkeys_parse(const char *list, const char *where, bool own, struct vendorkeys *keys)
	_must_check_;
/*
 * What is compiled in, and path unless "". A file that others than root and this
 * user may write is refused: -EPERM with a line in the log.
 */
int vendorkeys_load(const char *path, struct vendorkeys *ret_keys) _must_check_;

#endif
