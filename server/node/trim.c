/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading libraries and the first handshake touch megabytes of code that an
 * idle node never runs again. Code pages are clean copies of files: dropping
 * them costs a soft fault each, should they be needed after all.
 */
#include "server/node/trim.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/log.h"

void trim_startup(void)
{
	_cleanup_(fclosep) FILE *maps = fopen("/proc/self/maps", "re");
	char line[4352], mode[5];
	unsigned long from, to;

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3)
			continue;
		/* Never written, so what is dropped is what the file has. */
		if (strcmp(mode, "r-xp") == 0 && strchr(line, '/') &&
		    madvise((void *)from, to - from, MADV_DONTNEED))
			log_debug("node", "code pages stay: %m");
	}
	malloc_trim(0);
}
