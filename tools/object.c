/* SPDX-License-Identifier: Apache-2.0 */
/*
 * object.c - all that can be told about one object.
 *
 * pabal_list() tells a little of each; this adds the statistics, the participants and the links. We look first at the participants and open the
 * object after that, so that we do not list ourselves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "json.h"
#include "object.h"

const char *object_kind(uint32_t kind)
{
	switch (kind) {
	case PABAL_KIND_REGION:
		return "region";
	case PABAL_KIND_BUFFER:
		return "buffer";
	case PABAL_KIND_MAILBOX:
		return "mailbox";
	case PABAL_KIND_PROCESS:
		return "process";
	default:
		return "unknown";
	}
}

struct kind_search {
	const char *name;
	uint32_t kind;
};

static int match_kind(const struct pabal_object_info *info, void *data)
{
	struct kind_search *search = data;

	if (strcmp(info->name, search->name) != 0)
		return 0;
	search->kind = info->kind;
	return 1;
}

uint32_t object_find_kind(const char *name)
{
	struct kind_search search = { .name = name };

	pabal_list(NULL, match_kind, &search);
	return search.kind;
}

const char *object_role(const struct object *object, const struct pabal_participant_info *participant)
{
	if (object->info.kind == PABAL_KIND_PROCESS)
		return "holder";
	for (uint32_t i = 0; i < object->lock_count; i++)
		if (object->locks[i].id == participant->id)
			return "holder";
	if (participant->sent > 0)
		return participant->received > 0 ? "both" : "sender";
	return participant->received > 0 ? "receiver" : "idle";
}

static int add_participant(const struct pabal_participant_info *info, void *data)
{
	struct object *object = data;
	struct pabal_participant_info *participants = grow(object->participants, object->participant_count, &object->participant_room, sizeof(*info));

	if (!participants)
		return -ENOMEM;
	object->participants = participants;
	object->participants[object->participant_count++] = *info;
	return 0;
}

static int add_link(const struct pabal_link_info *info, void *data)
{
	struct object *object = data;
	struct pabal_link_info *links = grow(object->links, object->link_count, &object->link_room, sizeof(*info));

	if (!links)
		return -ENOMEM;
	object->links = links;
	object->links[object->link_count++] = *info;
	return 0;
}

static int read_process(struct object *object)
{
	int r = pabal_participants(object->info.name, add_participant, object);

	if (r >= 0)
		r = pabal_links(object->info.name, add_link, object);
	return r < 0 ? r : 0;
}

static int add_lock(const struct pabal_lock_info *info, void *data)
{
	struct object *object = data;
	struct pabal_lock_info *locks = grow(object->locks, object->lock_count, &object->lock_room, sizeof(*info));

	if (!locks)
		return -ENOMEM;
	object->locks = locks;
	object->locks[object->lock_count++] = *info;
	return 0;
}

static int read_region(struct object *object)
{
	static const struct pabal_region_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_READ_ONLY };
	pabal_region *region;
	int r;

	r = pabal_participants(object->info.name, add_participant, object);
	if (r >= 0)
		r = pabal_region_locks(object->info.name, add_lock, object);
	if (r < 0)
		return r;
	r = pabal_region_open(object->info.name, &opts, &region);
	if (r < 0)
		return r;
	object->region.struct_size = sizeof(object->region);
	r = pabal_region_stat(region, &object->region);
	pabal_region_close(region);
	object->stats.memory = object->region.memory; /* what all kinds have */
	object->stats.late_wakes = object->region.late_wakes;
	return r;
}

static int read_mailbox(struct object *object)
{
	static const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_READ_ONLY };
	pabal_mailbox *mailbox;
	int r;

	r = pabal_participants(object->info.name, add_participant, object);
	if (r < 0)
		return r;
	r = pabal_mailbox_open(object->info.name, &opts, &mailbox);
	if (r < 0)
		return r;
	object->stats.struct_size = sizeof(object->stats);
	r = pabal_mailbox_stat(mailbox, &object->stats);
	pabal_mailbox_close(mailbox);
	return r;
}

/* What a buffer tells, under the names that it has for a mailbox. */
static int read_buffer(struct object *object)
{
	static const struct pabal_buffer_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_READ_ONLY };
	struct pabal_buffer_stats *stats = &object->buffer;
	pabal_buffer *buffer;
	int r;

	r = pabal_participants(object->info.name, add_participant, object);
	if (r < 0)
		return r;
	r = pabal_buffer_open(object->info.name, &opts, &buffer);
	if (r < 0)
		return r;
	stats->struct_size = sizeof(*stats);
	r = pabal_buffer_stat(buffer, stats);
	pabal_buffer_close(buffer);
	object->stats = (struct pabal_mailbox_stats){ .struct_size = sizeof(object->stats),
						      .depth = stats->depth,
						      .capacity = stats->capacity,
						      .sent = stats->put,
						      .received = stats->got,
						      .redelivered = stats->redelivered,
						      .dropped = stats->dropped,
						      .late_wakes = stats->late_wakes,
						      .memory = stats->memory,
						      .memory_max = stats->memory_max,
						      .participants = stats->participants,
						      .leases = stats->leases };
	return r;
}

int object_read(struct object *object, const struct pabal_object_info *info)
{
	*object = (struct object){ .info = *info, .error = info->error };
	if (object->error == 0 && info->kind == PABAL_KIND_MAILBOX)
		object->error = read_mailbox(object);
	else if (object->error == 0 && info->kind == PABAL_KIND_BUFFER)
		object->error = read_buffer(object);
	if (object->error == 0 && info->kind == PABAL_KIND_PROCESS)
		object->error = read_process(object);
	if (object->error == 0 && info->kind == PABAL_KIND_REGION)
		object->error = read_region(object);
	return object->error;
}

void object_free(struct object *object)
{
	free(object->locks);
	object->locks = NULL;
	free(object->participants);
	free(object->links);
	object->participants = NULL;
	object->links = NULL;
}

const char *object_form(const struct object *object)
{
	return object->buffer.flags & PABAL_BUFFER_SPSC ? "spsc" : object->buffer.flags & PABAL_BUFFER_LATEST ? "latest" : "many";
}

static struct json_object *participants_json(const struct object *object)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < object->participant_count; i++) {
		const struct pabal_participant_info *participant = &object->participants[i];
		struct json_object *one = json_object_new_object();

		json_object_object_add(one, "pid", json_object_new_int64(participant->claimed_pid));
		json_object_object_add(one, "alive", json_object_new_boolean(participant->alive != 0));
		json_add_text(one, "role", object_role(object, participant));
		json_add_count(one, "uid", participant->claimed_uid);
		json_add_count(one, "sent", participant->sent);
		json_add_count(one, "received", participant->received);
		json_add_count(one, "late_wakes", participant->late_wakes);
		json_object_array_add(list, one);
	}
	return list;
}

static struct json_object *links_json(const struct object *object)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < object->link_count; i++) {
		struct json_object *one = json_object_new_object();

		json_add_text(one, "peer", object->links[i].peer);
		json_object_object_add(one, "pid", json_object_new_int64(object->links[i].claimed_pid));
		json_add_count(one, "uid", object->links[i].claimed_uid);
		json_object_array_add(list, one);
	}
	return list;
}

static struct json_object *locks_json(const struct object *object)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < object->lock_count; i++) {
		const struct pabal_lock_info *lock = &object->locks[i];
		struct json_object *one = json_object_new_object();

		json_add_count(one, "index", lock->index);
		json_object_object_add(one, "pid", json_object_new_int64(lock->claimed_pid));
		json_object_object_add(one, "held", json_object_new_boolean(lock->id != 0));
		json_object_object_add(one, "alive", json_object_new_boolean(lock->alive != 0));
		json_object_object_add(one, "inherited", json_object_new_boolean(lock->inherited != 0));
		json_object_array_add(list, one);
	}
	return list;
}

static void add_region_json(struct json_object *json, const struct object *object)
{
	json_add_count(json, "size", object->info.memory_max);
	json_add_count(json, "locks", object->region.locks);
	json_add_count(json, "events", object->region.events);
	json_add_count(json, "inherited", object->region.inherited);
	json_object_object_add(json, "locks_held", locks_json(object));
}

struct json_object *object_json(const struct object *object, const char *error)
{
	struct json_object *json = json_object_new_object();
	const struct pabal_mailbox_stats *stats = &object->stats;

	json_add_text(json, "name", object->info.name);
	json_add_text(json, "kind", object_kind(object->info.kind));
	if (object->error < 0)
		json_add_text(json, "error", error ? error : pabal_strerror(object->error));
	if (object->buffer.item_size) {
		json_add_count(json, "item_size", object->buffer.item_size);
		json_add_text(json, "form", object_form(object));
	}
	json_add_count(json, "depth", object->error ? object->info.depth : stats->depth);
	json_add_count(json, "capacity", object->info.capacity);
	json_add_count(json, "sent", stats->sent);
	json_add_count(json, "received", stats->received);
	json_add_count(json, "redelivered", stats->redelivered);
	json_add_count(json, "dropped", stats->dropped);
	json_add_count(json, "expired", stats->expired);
	json_add_count(json, "dead_letters", stats->dead_letters);
	json_add_count(json, "late_wakes", stats->late_wakes);
	json_add_count(json, "leases", stats->leases);
	json_add_count(json, "memory", object->error ? object->info.memory : stats->memory);
	json_add_count(json, "memory_max", object->info.memory_max);
	json_add_count(json, "uid", object->info.uid);
	json_add_count(json, "mode", object->info.mode);
	if (object->info.kind == PABAL_KIND_REGION)
		add_region_json(json, object);
	json_object_object_add(json, "participants", participants_json(object));
	if (object->info.kind == PABAL_KIND_PROCESS)
		json_object_object_add(json, "links", links_json(object));
	return json;
}
