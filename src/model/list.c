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
#include "memory/holder.h"
#include "model/descriptor_names.h"
#include "model/links.h"
#include "model/object.h"
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

	if (r == -ENOENT && pabal__directory_is_default())
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
	info->kind = segment->kind->number;
	info->uid = segment->uid;
	info->mode = segment->mode;
	info->alive = pabal__object_living(segment, &info->participants);
	pabal__object_kind(segment)->describe(segment, info);
}

static int list_one(const struct pabal__directory *directory, const char *name, void *data)
{
	struct pabal_object_info info = { .kind = 0 };
	struct listing *listing = data;
	struct pabal__segment segment;
	int r;

	strncpy(info.name, name, sizeof info.name - 1);
	r = pabal__name_is_valid(name) ? pabal__segment_open(directory, name, pabal__object_kinds, true, &segment)
				       : pabal__fail(-EBADMSG, "'%s' in %s is not a pabal object: none can have such a name", name, directory->path);
	if (r == 0) {
		describe(&segment, &info);
		pabal__segment_close(&segment);
	} else if (r == -EINVAL) { /* no object with a segment: a process, perhaps */
		r = pabal__links_describe(directory, name, &info);
	}
	if (r == -ENOENT)
		return 0;
	info.error = r;
	if (r == 0 && !(listing->kinds & 1u << info.kind))
		return 0;
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

/* No object with a segment: the name of a process, perhaps, which is free if its holder is dead. */
static void gc_process(const struct pabal__directory *directory, const char *name, struct pabal_gc_result *result)
{
	struct pabal_object_info info;

	if (pabal__links_describe(directory, name, &info) < 0)
		return;
	result->objects++;
	result->buried += (uint64_t)pabal__holder_bury(directory, name);
}

static int gc_hidden(struct pabal_gc_result *result)
{
	struct pabal__directory directory;
	int r = pabal__directory_open(false, &directory);

	if (r < 0)
		return r == -ENOENT && pabal__directory_is_default() ? 0 : r;
	result->buried += pabal__holder_sweep(&directory);
	pabal__descriptor_sweep(&directory); /* not counted: what is left of somebody who was, or of nobody */
	pabal__directory_close(&directory);
	return 0;
}

static int gc_one(const struct pabal__directory *directory, const char *name, void *data)
{
	struct pabal_gc_result *result = data;
	struct pabal__burial burial = { 0 };
	struct pabal__segment segment;
	uint32_t id;
	void *hold;
	int r;

	if (!pabal__name_is_valid(name))
		return 0;
	r = pabal__segment_open(directory, name, pabal__object_kinds, false, &segment);
	if (r == -EINVAL)
		gc_process(directory, name, result);
	if (r < 0)
		return 0;
	result->objects++;
	pabal__bury_dead(&segment, &burial);
	result->buried += burial.buried;
	result->redelivered += burial.redelivered;
	if ((segment.shape.flags & PABAL_EPHEMERAL) && pabal__object_end_unused(&segment)) {
		result->destroyed++;
	} else if (pabal__object_kind(&segment)->reclaim && pabal__participant_join(&segment, directory, &id, &hold) == 0) {
		result->bytes += pabal__object_kind(&segment)->reclaim(&segment, id); /* giving memory back takes a participant */
		pabal__object_leave(&segment, id, hold);
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
	if (r == 0)
		r = gc_hidden(&result);
	if (r == 0 && ret_result)
		*ret_result = result;
	return r;
}
