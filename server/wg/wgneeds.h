/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an interface needs of its host, looked at before and after it failed:
 * each finding is one line for the log, with what helps.
 */
#ifndef QM_WGNEEDS_H
#define QM_WGNEEDS_H

#include <stdint.h>

#include "server/wg/wg.h"

/* Is the UDP port to be had? -EADDRINUSE: another program has it. What cannot be tried is fine. */
int wgneeds_port(uint16_t port) _must_check_;
/* The name is taken by what this back end does not serve: says by what. */
void wgneeds_say_taken(const struct wg_options *o, const char *backend);
/* wireguard-go could not be started, or ended at once: error is negative. */
void wgneeds_say_userspace(const struct wg_options *o, int error);

#endif
