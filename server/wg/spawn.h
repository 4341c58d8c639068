/* SPDX-License-Identifier: Apache-2.0 */
/* Other programs: run one to its end, or start one that outlives us. */
#ifndef QM_SPAWN_H
#define QM_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/text.h"

/*
 * Runs argv (found in PATH) with input on stdin; what it prints goes to out
 * (both streams; may be NULL). Its exit status, or -ENOENT, -ENOMEM, -ETIMEDOUT.
 */
int spawn_run(char *const argv[], const char *input, struct text *out) _must_check_;
/* Starts argv in a session of its own, output appended to log_file. */
int spawn_daemon(char *const argv[], const char *log_file, pid_t *ret_pid) _must_check_;
/* Start time of a process (clock ticks since boot), to tell it from a later one with its pid;
 * 0: there is no such process. */
unsigned long long spawn_start_time(pid_t pid);

#endif
