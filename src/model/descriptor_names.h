/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_names.h - the names that the sockets of descriptors have in the directory, and the end of those that nobody holds any more.
 */
#ifndef PABAL_SRC_MODEL_DESCRIPTOR_NAMES_H
#define PABAL_SRC_MODEL_DESCRIPTOR_NAMES_H

#include "memory/participant.h"

enum { PABAL__DESCRIPTOR_NAME_SIZE = 80 };

/* The socket of participant @id for PABAL_READABLE, or PABAL_WRITABLE. */
void pabal__descriptor_name(const struct pabal__segment *segment, uint32_t id, uint32_t event, char ret_name[PABAL__DESCRIPTOR_NAME_SIZE]);

/* The participant @id is dead: its sockets lose their names. */
void pabal__descriptor_bury(struct pabal__segment *segment, uint32_t id);

/* All sockets of ours that nobody holds any more lose their names, whatever became of their object. */
void pabal__descriptor_sweep(const struct pabal__directory *directory);

#endif
