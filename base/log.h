/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines on stderr: "<level> <component>: text [request=.. tenant=..]".
 * The daemon sets the level once; a line never holds key material or tokens.
 */
#ifndef QM_LOG_H
#define QM_LOG_H

#include <stdint.h>

#include "base/cleanup.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* What a line is about; members may be NULL. Borrowed. */
struct log_ctx {
	const char *request;
	const char *tenant;
	const char *node;
	const char *device;
};

void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug"; -EINVAL otherwise. */
int log_level_parse(const char *s, enum log_level *ret_level);
/* Switches debug lines per component: "rpc,wg,-dns" or "all". NULL: from env QMESH_TRACE. */
void log_set_trace(const char *spec);
/* ctx may be NULL. Control characters in the text come out escaped. */
void log_line(enum log_level level, const char *component, const struct log_ctx *ctx,
	      const char *fmt, ...) _printf_(4, 5);

#define LOG_HUSH_MAX 32

/* Lines that were said, by what they are without their digits. Zeroed at first. */
struct log_hush {
	uint64_t said[LOG_HUSH_MAX];
	unsigned n, n_before; /* n_before: when it was set last */
};

/*
 * From now on lines of this thread that hush knew at this moment are dropped, others are said
 * and noted in it; lines of debugging are not asked. NULL: all are said. Borrowed.
 */
void log_hush(struct log_hush *hush);

#define log_error(comp, ...) log_line(LOG_LEVEL_ERROR, comp, NULL, __VA_ARGS__)
#define log_warn(comp, ...) log_line(LOG_LEVEL_WARN, comp, NULL, __VA_ARGS__)
#define log_info(comp, ...) log_line(LOG_LEVEL_INFO, comp, NULL, __VA_ARGS__)
#define log_debug(comp, ...) log_line(LOG_LEVEL_DEBUG, comp, NULL, __VA_ARGS__)

#endif
