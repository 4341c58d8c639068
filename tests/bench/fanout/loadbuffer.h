/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow, and give their memory back when all are gone. Out of memory ends the program. */
#ifndef QM_LOADBUFFER_H
#define QM_LOADBUFFER_H

#include <stddef.h>
#include <stdint.h>

struct loadbuffer {
	uint8_t *p;
	size_t len, cap;
};

/* Where so many more may be written; len is the caller's to add. */
uint8_t *loadbuffer_room(struct loadbuffer *b, size_t len);
void loadbuffer_add(struct loadbuffer *b, const void *p, size_t len);
/* The first so many are done with. */
void loadbuffer_drop(struct loadbuffer *b, size_t len);
void loadbuffer_clear(struct loadbuffer *b);

#endif
