/* SPDX-License-Identifier: Apache-2.0 */
/* Labels: what is accepted keeps its promises, and is accepted again unchanged. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/label.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char s[2048], numbered[SLUG_MAX + 1];
	struct label label, again;
	const char *rule = NULL;
	int r;

	if (len >= sizeof(s))
		return 0;
	if (len)
		memcpy(s, data, len);
	s[len] = '\0';
	r = label_parse(s, &label, &rule);
	if (r) {
		assert((r == ERR_LABEL_INVALID || r == ERR_LABEL_RESERVED) && rule);
		return 0;
	}
	assert(label_is_slug(label.slug));
	assert(text_utf8_ok(label.text, strlen(label.text)));
	for (const char *p = label.text; *p; p++)
		assert((unsigned char)*p >= 0x20 && *p != 0x7f);
	assert(label_parse(label.text, &again, &rule) == 0);
	assert(strcmp(again.text, label.text) == 0 && strcmp(again.slug, label.slug) == 0);
	assert(label_parse(label.slug, &again, &rule) == 0);
	assert(strcmp(again.slug, label.slug) == 0);
	label_numbered(label.slug, 4294967295u, numbered);
	assert(label_is_slug(numbered));
	return 0;
}
