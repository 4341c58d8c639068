/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup on its way to the operator. What is inside is put together on the
 * worker; then the call's loop seals and sends it piece by piece, as fast as
 * the other end takes it. Nothing of it touches a disk here.
 */
#ifndef QM_BACKUP_H
#define QM_BACKUP_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "server/cp/cp.h"

int backup_create(struct call *call, const Pb__CreateBackupRequest *in);

#endif
