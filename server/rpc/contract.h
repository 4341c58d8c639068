/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the contract's own descriptors say about names: which file declares a
 * symbol or an extension. Reads gen/rpc/descriptors as bytes; pure.
 */
#ifndef QM_CONTRACT_H
#define QM_CONTRACT_H

#include "gen/rpc/descriptors.h"

#define CONTRACT_MAX_EXTENSIONS 64

/* All answer NULL when there is none. */
const struct descriptor_file *contract_file(const char *name);
/* A service, method, message, field, oneof, enum, value or extension by its full name. */
const struct descriptor_file *contract_symbol(const char *full_name);
const struct descriptor_file *contract_extension(const char *type, unsigned number);
/* The numbers of all extensions of a message, at most CONTRACT_MAX_EXTENSIONS; how many. */
size_t contract_extensions(const char *type, int32_t ret[CONTRACT_MAX_EXTENSIONS]);

#endif
