/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/list.h - going through all objects of the directory: what listing, housekeeping and pabal_waits() share.
 */
#ifndef PABAL_SRC_MODEL_LIST_H
#define PABAL_SRC_MODEL_LIST_H

#include "memory/name.h"

typedef int pabal__each_name(const struct pabal__directory *directory, const char *name, void *data);

/* Call @each for each name, in order, until it returns something else than 0; that is returned. The default directory is empty if it is missing; another one is -ENOENT. */
int pabal__list_walk(pabal__each_name *each, void *data);

#endif
