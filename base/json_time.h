/* SPDX-License-Identifier: Apache-2.0 */
/* The text forms of google.protobuf.Timestamp (RFC 3339) and Duration ("1.5s"). Pure. */
#ifndef QM_JSON_TIME_H
#define QM_JSON_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_TIME_MAX 96

/* "2026-11-22T10:00:00.5+01:00"; years 1 to 9999. */
bool json_time_parse(const char *s, size_t len, int64_t *ret_seconds, int32_t *ret_nanos);
/* In UTC with 0, 3, 6 or 9 digits; false when it is out of range. */
bool json_time_text(int64_t seconds, int32_t nanos, char ret[JSON_TIME_MAX]);
bool json_time_parse_duration(const char *s, size_t len, int64_t *ret_seconds, int32_t *ret_nanos);
bool json_time_duration_text(int64_t seconds, int32_t nanos, char ret[JSON_TIME_MAX]);

#endif
