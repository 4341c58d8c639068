/* SPDX-License-Identifier: Apache-2.0 */
/* The licence in force, as its file's text, and this Control Panel's id: one row. */
#ifndef QM_LICENCE_ROW_H
#define QM_LICENCE_ROW_H

#include "server/store/store.h"

#define LICENCE_ROW_TEXT_MAX 8192

struct licence_row {
	struct uuid panel;                   /* made with the store, for ever */
	char text[LICENCE_ROW_TEXT_MAX + 1]; /* "": none */
	uint64_t serial;
	int64_t installed_ms;
	int64_t latest_ms; /* a time that was here already */
};

int licence_row_get(struct txn *txn, struct licence_row *ret) _must_check_;
/* Text, serial and installed_ms. */
int licence_row_put(struct txn *txn, const struct licence_row *row) _must_check_;
int licence_row_keep_time(struct txn *txn, int64_t latest_ms) _must_check_;

#endif
