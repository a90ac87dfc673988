/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.h - all that can be told about one object: what ls and show print.
 */
#ifndef PABAL_TOOLS_OBJECT_H
#define PABAL_TOOLS_OBJECT_H

#include <pabal/pabal.h>

struct json_object;

struct object {
	struct pabal_object_info info;
	struct pabal_mailbox_stats stats; /* a buffer: the same in its words */
	struct pabal_buffer_stats buffer; /* a buffer alone */
	struct pabal_region_stats region;
	struct pabal_lock_info *locks; /* of a region, those that are held or left */
	uint32_t lock_count;
	uint32_t lock_room;
	struct pabal_participant_info *participants;
	uint32_t participant_count;
	uint32_t participant_room;
	struct pabal_link_info *links; /* of a process */
	uint32_t link_count;
	uint32_t link_room;
	int error; /* 0, or why info is all there is */
};

/** object_read() - fill in what @info alone does not tell. Return: 0 or @object->error. @object must be freed either way. */
int object_read(struct object *object, const struct pabal_object_info *info);

/** object_free() - free what object_read() allocated. */
void object_free(struct object *object);

/** object_kind(), object_role() - the words for a kind, and for what a participant has done so far, or holds. */
const char *object_kind(uint32_t kind);
const char *object_role(const struct object *object, const struct pabal_participant_info *participant);

/** object_find_kind() - enum pabal_kind of the named object; 0 if there is none, or it cannot be looked into. */
uint32_t object_find_kind(const char *name);

/** object_form() - of a buffer: many, spsc or latest. */
const char *object_form(const struct object *object);

/** object_json() - the object with the keys that the interface promises. @error: the sentence about object->error; NULL: the meaning of the code. */
struct json_object *object_json(const struct object *object, const char *error);

#endif
