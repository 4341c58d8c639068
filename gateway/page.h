/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page /vpn/mesh and its files, out of the binary: ETag, gzip where the
 * browser takes it, for ever in its cache when the name holds a hash, and the
 * headers that let nothing run but our own scripts. Read-only: any thread.
 */
#ifndef QM_PAGE_H
#define QM_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/rpc/exchange.h"

/* Made by the build from ui/dist. */
struct page_file {
	const char *url;
	const char *type; /* content-type */
	const char *etag; /* with its quotes */
	const uint8_t *data, *gzip;
	size_t len, gzip_len; /* gzip_len 0: not worth it */
	bool immutable;
};

extern const struct page_file page_files[];
extern const size_t page_n_files;

/* Answers when there is something at this path; else false. */
bool page_serve(struct exchange *x);

#endif
