/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/region_wait.h - what pabal_wait_many() asks of regions (wait_kind.c), and those of a handle's threads that are in it.
 */
#ifndef PABAL_SRC_MODEL_REGION_WAIT_H
#define PABAL_SRC_MODEL_REGION_WAIT_H

#include <pabal/region.h>

#include "model/wait_kind.h"

struct pabal__wait_kind pabal__region_wait_kind(pabal_region *region);

/* Of a handle: nobody has been in it, or nobody will be. @name_too: a fork child leaves the name to its parent. */
void pabal__region_pollers_init(pabal_region *region);
void pabal__region_pollers_deinit(pabal_region *region, bool name_too);

#endif
