/* SPDX-License-Identifier: Apache-2.0 */
/* The contract itself, for reflection. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_DESCRIPTORS_H
#define QM_GEN_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

/* A FileDescriptorSet with all options, imports before importers. */
extern const uint8_t descriptors[];
extern const size_t descriptors_len;

/* One FileDescriptorProto inside it. */
struct descriptor_file {
	const char *name;
	const uint8_t *p;
	size_t len;
};

extern const struct descriptor_file descriptor_files[];
extern const size_t n_descriptor_files;

#endif
