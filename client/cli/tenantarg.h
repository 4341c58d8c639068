/* SPDX-License-Identifier: Apache-2.0 */
/* Which tenant an operator's command is about. */
#ifndef QM_TENANTARG_H
#define QM_TENANTARG_H

#include "client/cli/command.h"

#define TENANTARG_ROOM 64

/*
 * The tenant: the word before those that the command needs, or --tenant, or the
 * only one there is. An exit code after saying why.
 */
int tenantarg_choose(struct cli *cli, char ret[TENANTARG_ROOM]) _must_check_;
/* The same without a question: "" where none is named. */
void tenantarg_named(const struct cli *cli, char ret[TENANTARG_ROOM]);

#endif
