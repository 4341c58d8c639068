/* SPDX-License-Identifier: Apache-2.0 */
/* REST routes of every service. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_ROUTES_H
#define QM_GEN_ROUTES_H

#include "base/method.h"

/* Most literal first: the first that matches verb and path is the one. */
extern const struct route routes[];
extern const size_t n_routes;

#endif
