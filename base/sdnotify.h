/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the service manager where a daemon stands: the datagram of sd_notify(3)
 * to the socket that NOTIFY_SOCKET names. Without that variable, and when
 * nobody reads, nothing happens.
 */
#ifndef QM_SDNOTIFY_H
#define QM_SDNOTIFY_H

#include <stdbool.h>

/*
 * "READY=1", "STOPPING=1", "STATUS=joining"; several on lines of their own.
 * True: sent. Does not block.
 */
bool sdnotify_tell(const char *state);

#endif
