/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_life.h - one descriptor, of whatever object: making it, with its name in the directory, emptying it, and its end.
 *
 * Whom it serves is said by who has it: a side of a mailbox or buffer (descriptor.c), or a region (region_wait.c).
 */
#ifndef PABAL_SRC_MODEL_DESCRIPTOR_LIFE_H
#define PABAL_SRC_MODEL_DESCRIPTOR_LIFE_H

#include "model/descriptor_fds.h"
#include "model/descriptor_names.h"

struct pabal__descriptor {
	struct pabal__descriptor_fds fds;
	uint32_t event;
	char name[PABAL__DESCRIPTOR_NAME_SIZE];
};

#define PABAL__DESCRIPTOR_SLICE_NS INT64_C(250000000) /* no watch: as wait.c's longest slice */

/* The whole of it, or nothing. @id: participant, whose process we are; it has the bit @event from then on. */
int pabal__descriptor_make(struct pabal__segment *segment, uint32_t id, uint32_t event, struct pabal__descriptor **ret_descriptor);

/* The end of it; NULL is none. @name_too: a fork child leaves the name to its parent. */
void pabal__descriptor_unmake(struct pabal__segment *segment, uint32_t id, struct pabal__descriptor *descriptor, bool name_too);

/* Empty it, for one who has nothing to tell by it, and see to what it told of. false: it is lost, and was not touched. */
bool pabal__descriptor_empty(struct pabal__segment *segment, struct pabal__descriptor *descriptor);

/* The sentence for what went wrong with it. Returns @error. */
int pabal__descriptor_say(int error, const struct pabal__segment *segment);

#endif
