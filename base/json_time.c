/* SPDX-License-Identifier: Apache-2.0 */
/* Civil dates are counted here (Gregorian, no leap seconds), so that no locale or zone has a say.
 */
#include "base/json_time.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400
#define TIME_MIN_S (-62135596800LL) /* 0001-01-01T00:00:00Z */
#define TIME_MAX_S 253402300799LL   /* 9999-12-31T23:59:59Z */
#define DURATION_MAX 315576000000LL /* 10,000 years, as the message says */
#define NANO 1000000000

/* Exactly n digits. */
static bool fixed(const char **p, const char *end, int n, int *ret)
{
	int v = 0;

	if (end - *p < n)
		return false;
	for (int i = 0; i < n; i++) {
		char c = *(*p)++;

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*ret = v;
	return true;
}

static bool literal(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

/* ".123": 1 to 9 digits; nothing is 0. */
static bool fraction(const char **p, const char *end, int32_t *ret_nanos)
{
	int32_t unit = NANO;
	int n = 0;

	*ret_nanos = 0;
	if (!literal(p, end, '.'))
		return true;
	for (; *p < end && **p >= '0' && **p <= '9'; n++) {
		unit /= 10;
		*ret_nanos += unit * (*(*p)++ - '0');
	}
	return n >= 1 && n <= 9;
}

static bool is_leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int month_days(int y, int m)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return m == 2 && is_leap(y) ? 29 : days[m - 1];
}

/* Days since 1970-01-01; years are counted from March, so that leap days come last. */
static int64_t days_of(int y, int m, int d)
{
	int64_t year = m <= 2 ? y - 1 : y;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t yoe = year - era * 400;
	int64_t doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void date_of(int64_t days, int *ret_y, int *ret_m, int *ret_d)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*ret_d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*ret_m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*ret_y = (int)(yoe + era * 400 + (*ret_m <= 2));
}

/* "Z" or "+hh:mm". */
static bool zone(const char **p, const char *end, int *ret_offset_s)
{
	int sign, h, m;

	*ret_offset_s = 0;
	if (literal(p, end, 'Z'))
		return true;
	if (literal(p, end, '+'))
		sign = 1;
	else if (literal(p, end, '-'))
		sign = -1;
	else
		return false;
	if (!fixed(p, end, 2, &h) || !literal(p, end, ':') || !fixed(p, end, 2, &m) || h > 23 ||
	    m > 59)
		return false;
	*ret_offset_s = sign * (h * 3600 + m * 60);
	return true;
}

/* "2026-11-22", a day that exists. */
static bool date(const char **p, const char *end, int64_t *ret_days)
{
	int y, m, d;

	if (!fixed(p, end, 4, &y) || !literal(p, end, '-') || !fixed(p, end, 2, &m) ||
	    !literal(p, end, '-') || !fixed(p, end, 2, &d))
		return false;
	if (y < 1 || m < 1 || m > 12 || d < 1 || d > month_days(y, m))
		return false;
	*ret_days = days_of(y, m, d);
	return true;
}

/* "10:00:00", without leap seconds. */
static bool time_of_day(const char **p, const char *end, int *ret_s)
{
	int h, m, s;

	if (!fixed(p, end, 2, &h) || !literal(p, end, ':') || !fixed(p, end, 2, &m) ||
	    !literal(p, end, ':') || !fixed(p, end, 2, &s))
		return false;
	*ret_s = h * 3600 + m * 60 + s;
	return h <= 23 && m <= 59 && s <= 59;
}

bool json_time_parse(const char *s, size_t len, int64_t *ret_seconds, int32_t *ret_nanos)
{
	const char *p = s, *end = s + len;
	int second, offset_s;
	int64_t days, t;
	int32_t nanos;

	if (!date(&p, end, &days) || !literal(&p, end, 'T') || !time_of_day(&p, end, &second) ||
	    !fraction(&p, end, &nanos) || !zone(&p, end, &offset_s) || p != end)
		return false;
	t = days * DAY_S + second - offset_s;
	if (t < TIME_MIN_S || t > TIME_MAX_S)
		return false;
	*ret_seconds = t;
	*ret_nanos = nanos;
	return true;
}

/* ".123", cut to whole groups of three; nothing for 0. */
static void fraction_text(int32_t nanos, char ret[16])
{
	ret[0] = '\0';
	if (nanos == 0)
		return;
	if (nanos % 1000000 == 0)
		snprintf(ret, 16, ".%03d", nanos / 1000000);
	else if (nanos % 1000 == 0)
		snprintf(ret, 16, ".%06d", nanos / 1000);
	else
		snprintf(ret, 16, ".%09d", nanos);
}

bool json_time_text(int64_t seconds, int32_t nanos, char ret[JSON_TIME_MAX])
{
	int64_t days = seconds / DAY_S;
	int rest = (int)(seconds % DAY_S);
	char dot[16];
	int y, m, d;

	if (seconds < TIME_MIN_S || seconds > TIME_MAX_S || nanos < 0 || nanos >= NANO)
		return false;
	if (rest < 0) {
		rest += DAY_S;
		days--;
	}
	date_of(days, &y, &m, &d);
	fraction_text(nanos, dot);
	snprintf(ret, JSON_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", y, m, d, rest / 3600,
		 rest / 60 % 60, rest % 60, dot);
	return true;
}

bool json_time_parse_duration(const char *s, size_t len, int64_t *ret_seconds, int32_t *ret_nanos)
{
	const char *p = s, *end = s + len;
	bool minus = literal(&p, end, '-');
	int64_t seconds = 0;
	int32_t nanos;
	int n = 0;

	for (; p < end && *p >= '0' && *p <= '9' && n < 13; n++)
		seconds = seconds * 10 + (*p++ - '0');
	if (n == 0 || !fraction(&p, end, &nanos) || !literal(&p, end, 's') || p != end ||
	    seconds > DURATION_MAX)
		return false;
	*ret_seconds = minus ? -seconds : seconds;
	*ret_nanos = minus ? -nanos : nanos;
	return true;
}

bool json_time_duration_text(int64_t seconds, int32_t nanos, char ret[JSON_TIME_MAX])
{
	bool minus = seconds < 0 || nanos < 0;
	char dot[16];

	if (seconds < -DURATION_MAX || seconds > DURATION_MAX || nanos <= -NANO || nanos >= NANO ||
	    (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
		return false;
	fraction_text(minus ? -nanos : nanos, dot);
	snprintf(ret, JSON_TIME_MAX, "%s%lld%ss", minus ? "-" : "",
		 (long long)(minus ? -seconds : seconds), dot);
	return true;
}
