/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/links.h - what an announced process tells of itself, for listing, housekeeping and pabal_waits().
 */
#ifndef PABAL_SRC_MODEL_LINKS_H
#define PABAL_SRC_MODEL_LINKS_H

#include <pabal/base.h>

#include "memory/name.h"

/* Fill in @info, if the file is that of a process. 0 or a negative error. */
int pabal__links_describe(const struct pabal__directory *directory, const char *name, struct pabal_object_info *info);

/* What the process of that name waits for, if there is one and it lives. Adds to @count; returns what @each returned. */
int pabal__links_waits(const struct pabal__directory *directory, const char *name, int (*each)(const struct pabal_wait_info *info, void *data),
		       void *data, int *count);

/* The one participant of a process: who holds the name. As pabal_participants(). */
int pabal__links_participants(const char *name, int (*each)(const struct pabal_participant_info *info, void *data), void *data);

#endif
