/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that only the start needed, given back to the system. */
#ifndef QM_TRIM_H
#define QM_TRIM_H

/* Any thread, at any time. */
void trim_startup(void);

#endif
