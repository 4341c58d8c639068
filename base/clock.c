/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both clocks behind one switch. The fake values are atomics: a test sets them
 * while the threads under test read them.
 */
#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define BOOT_ID_LEN 36

static atomic_int faked;
static _Atomic uint64_t fake_boot_ms;
static _Atomic int64_t fake_wall_ms;
static char fake_boot_id[BOOT_ID_LEN + 1];

static pthread_once_t boot_id_once = PTHREAD_ONCE_INIT;
static char boot_id[BOOT_ID_LEN + 1];

uint64_t clock_boot_ms(void)
{
	struct timespec ts = {0};

	if (atomic_load_explicit(&faked, memory_order_acquire))
		return atomic_load(&fake_boot_ms);
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int64_t clock_wall_ms(void)
{
	struct timespec ts = {0};

	if (atomic_load_explicit(&faked, memory_order_acquire))
		return atomic_load(&fake_wall_ms);
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void read_boot_id(void)
{
	_cleanup_(close_fdp) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, boot_id, BOOT_ID_LEN) != BOOT_ID_LEN)
		boot_id[0] = '\0';
}

const char *clock_boot_id(void)
{
	if (atomic_load_explicit(&faked, memory_order_acquire))
		return fake_boot_id;
	pthread_once(&boot_id_once, read_boot_id);
	return boot_id;
}

const char *clock_rfc3339(int64_t wall_ms, char *ret)
{
	int64_t ms = wall_ms % 1000;
	time_t s = (time_t)(wall_ms / 1000);
	char date[32];
	struct tm tm;

	if (ms < 0) {
		ms += 1000;
		s--;
	}
	/* RFC 3339 knows the years 0000 to 9999 only; what lies outside is pinned to the ends. */
	if (s > 253402300799) {
		s = 253402300799;
		ms = 999;
	} else if (s < -62167219200) {
		s = -62167219200;
		ms = 0;
	}
	gmtime_r(&s, &tm);
	snprintf(date, sizeof(date), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100, (unsigned)ms % 1000);
	memcpy(ret, date, 25);
	return ret;
}

void clock_fake(int on, uint64_t boot_ms, int64_t wall_ms, const char *id)
{
	if (on) {
		atomic_store(&fake_boot_ms, boot_ms);
		atomic_store(&fake_wall_ms, wall_ms);
		snprintf(fake_boot_id, sizeof(fake_boot_id), "%s", id ? id : "");
	}
	atomic_store_explicit(&faked, on, memory_order_release);
}
