/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/list.c - all objects of the directory: listing them, and keeping house.
 */
#include "model/list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "model/bury.h"
#include "model/mailbox.h"
#include "platform/fork.h"

static int is_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strlen(entry->d_name) < PABAL_NAME_SIZE && (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
}

static int by_byte(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name); /* not by locale: the order is the same for everybody */
}

int pabal__list_walk(pabal__each_name *each, void *data)
{
	struct pabal__directory directory;
	struct dirent **entries;
	int count, r = pabal__directory_open(false, &directory);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	count = scandirat(directory.fd, ".", &entries, is_name, by_byte);
	if (count < 0) {
		r = pabal__fail(errno == EACCES ? -EACCES : -ENOMEM, "cannot list directory %s: %s", directory.path, strerror(errno));
		pabal__directory_close(&directory);
		return r;
	}
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = each(&directory, entries[i]->d_name, data);
		free(entries[i]);
	}
	free(entries);
	pabal__directory_close(&directory);
	return r;
}

struct listing {
	uint32_t kinds;
	int (*each)(const struct pabal_object_info *info, void *data);
	void *data;
	int count;
};

static void describe(struct pabal__segment *segment, struct pabal_object_info *info)
{
	uint32_t high = pabal__participants_high(segment);
	uint64_t sent, taken, charged;

	info->kind = PABAL_KIND_MAILBOX;
	pabal__ring_count(segment, &sent, &taken);
	info->depth = sent - taken + pabal__redeliver_count(segment);
	info->capacity = segment->layout.capacity;
	info->memory_max = segment->shape.memory_max;
	pabal__extents_sum(segment, &charged, &info->memory);
	info->uid = segment->uid;
	info->mode = segment->mode;
	for (uint32_t id = 1; id <= high; id++) {
		/* acquire: pairs with claim() */
		if (!pabal__participant_used(atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_acquire)))
			continue;
		info->participants++;
		info->alive += pabal__participant_lives(segment, id) != 0;
	}
}

static int list_one(const struct pabal__directory *directory, const char *name, void *data)
{
	struct pabal_object_info info = { .kind = 0 };
	struct listing *listing = data;
	struct pabal__segment segment;
	int r;

	strncpy(info.name, name, sizeof info.name - 1);
	r = pabal__segment_open(directory, name, PABAL_KIND_MAILBOX, true, &segment);
	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		info.error = r;
	} else {
		describe(&segment, &info);
		pabal__segment_close(&segment);
		if (!(listing->kinds & 1u << info.kind))
			return 0;
	}
	listing->count++;
	return listing->each(&info, listing->data);
}

int pabal_list(const struct pabal_list_opts *given, int (*each)(const struct pabal_object_info *info, void *data), void *data)
{
	struct pabal_list_opts opts;
	struct listing listing = { .each = each, .data = data };
	int r = pabal__options_copy(given, &opts, sizeof opts);

	if (r < 0)
		return r;
	if (!each)
		return pabal__fail_with(-EINVAL, "each is NULL: it is called for each object");
	listing.kinds = opts.kinds ? opts.kinds : ~0u;
	r = pabal__list_walk(list_one, &listing);
	return r ? r : listing.count;
}

static int gc_one(const struct pabal__directory *directory, const char *name, void *data)
{
	struct pabal_gc_result *result = data;
	struct pabal__burial burial = { 0 };
	struct pabal__segment segment;
	uint32_t living = 0, high, id;
	void *hold;

	if (pabal__segment_open(directory, name, PABAL_KIND_MAILBOX, false, &segment) < 0)
		return 0;
	result->objects++;
	pabal__bury_dead(&segment, &burial);
	result->buried += burial.buried;
	result->redelivered += burial.redelivered;
	high = pabal__participants_high(&segment);
	for (uint32_t i = 1; i <= high; i++) /* acquire: pairs with claim() */
		living += pabal__participant_used(atomic_load_explicit(&pabal__participant_at(&segment, i)->word, memory_order_acquire));
	if (living == 0 && (segment.shape.flags & PABAL_EPHEMERAL)) {
		pabal__mailbox_end(directory, &segment);
		result->destroyed++;
	} else if (pabal__participant_join(&segment, directory, &id, &hold) == 0) { /* giving memory back takes a participant */
		result->bytes += pabal__mailbox_reclaim(&segment, id);
		pabal__participant_leave(&segment, id, hold);
	}
	pabal__segment_close(&segment);
	return 0;
}

int pabal_gc(struct pabal_gc_result *ret_result)
{
	struct pabal_gc_result result = { 0 };
	int r;

	if (pabal__fork_init() < 0)
		return pabal__fail_with(-ENOMEM, "no memory to prepare this process for pabal");
	r = pabal__list_walk(gc_one, &result);
	if (r == 0 && ret_result)
		*ret_result = result;
	return r;
}
