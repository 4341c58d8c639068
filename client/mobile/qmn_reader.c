/* SPDX-License-Identifier: Apache-2.0 */
#include "client/mobile/qmn_reader.h"

#include <string.h>

#include "gen/nano/qmn_calls.h"

void qmn_reader_init(struct qmn_reader *r, uint8_t *buf, size_t cap)
{
	r->buf = buf;
	r->cap = cap;
	r->len = 0;
	r->given = 0;
}

/* Moves what follows the frame that was handed over to the front. */
static void drop_given(struct qmn_reader *r)
{
	if (!r->given)
		return;
	r->len -= r->given;
	memmove(r->buf, r->buf + r->given, r->len);
	r->given = 0;
}

bool qmn_reader_push(struct qmn_reader *r, const uint8_t *p, size_t len)
{
	drop_given(r);
	if (len > r->cap - r->len)
		return false;
	if (len)
		memcpy(r->buf + r->len, p, len);
	r->len += len;
	return true;
}

int qmn_reader_next(struct qmn_reader *r, const uint8_t **ret_p, size_t *ret_len)
{
	size_t len = 0;
	int found;

	drop_given(r);
	found = qmn_frame_next(r->buf, r->len, r->cap, &len);
	if (found != 1)
		return found;
	r->given = len;
	*ret_p = r->buf;
	*ret_len = len;
	return 1;
}

bool qmn_reader_is_clean(const struct qmn_reader *r)
{
	return r->len == r->given;
}

void qmn_reader_done(struct qmn_reader *r)
{
	qmn_wipe(r->buf, r->cap);
	r->len = 0;
	r->given = 0;
}
