/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/region.c - the life of a region's handle: create, open, close, destroy, and where its memory lies.
 *
 * Killed while creating, opening or destroying: see object.c and object_end.c. While closing: what close gives back one by one, an undertaker gives back as well.
 */
#include "model/region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "model/region_wait.h"
#include "platform/huge.h"

enum {
	OPEN_FLAGS = PABAL_READ_ONLY | PABAL_WAIT_EXISTS | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART,
	CREATE_FLAGS = PABAL_EXIST_OK | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART | PABAL_EPHEMERAL |
		       PABAL_REGION_ON_DEMAND | PABAL_REGION_HUGE_PAGES,
	SHAPE_FLAGS = PABAL_EPHEMERAL | PABAL_REGION_ON_DEMAND | PABAL_REGION_HUGE_PAGES,
};

int pabal__region_refuse(const pabal_region *region, bool write)
{
	if (!region || region->magic != PABAL__REGION_MAGIC)
		return pabal__fail_with(-EINVAL, "this is no open region handle");
	if (region->generation != pabal__fork_generation())
		return pabal__fail_with(-ESTALE,
					"this handle was opened before a fork and belongs to the parent: open the region again in the child");
	if (write && (region->flags & PABAL_READ_ONLY))
		return pabal__fail_with(-EPERM, "this handle is read-only: open the region without PABAL_READ_ONLY");
	return pabal__fail_with(-EINVAL, "the time-out is negative: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds");
}

int pabal__region_no_index(const pabal_region *region, uint32_t index)
{
	return pabal__fail(-EINVAL, "'%s' has no number %u there: it was created with %u locks and %u events, counted from 0", region->segment.name,
			   index, region->lock_count, region->event_count);
}

int pabal__region_say(int error)
{
	switch (error) {
	case -EAGAIN:
		return pabal__fail_with(error, "not now: the lock is held, or the event has not come; give a time-out to wait");
	case -ETIMEDOUT:
		return pabal__fail_with(error, "the time was up before the lock was free, or the event came");
	case -EINTR:
		return pabal__fail_with(error, "a signal handler ran while the call waited: call again, or open with PABAL_RESTART");
	case -ESHUTDOWN:
		return pabal__fail_with(error, "the region was destroyed: close the handle");
	case -EBADMSG:
		return pabal__fail_with(error,
					"a lock of the region is corrupt: somebody who may write it damaged it; run pabal fsck, then destroy it");
	default:
		return error;
	}
}

static int check_flags(uint32_t flags, uint32_t known, const char *call)
{
	uint32_t unknown = flags & ~known;

	if (unknown)
		return pabal__fail(-EINVAL, "flag 0x%x makes no sense for %s: leave it out", unknown & -unknown, call);
	if ((flags & PABAL_WAIT_SPIN) && (flags & PABAL_WAIT_BLOCK))
		return pabal__fail(-EINVAL, "PABAL_WAIT_SPIN and PABAL_WAIT_BLOCK exclude each other: choose one, or neither for adaptive waiting");
	return 0;
}

/* Are there huge pages where the region will lie? */
static int check_huge(const char *name)
{
	struct pabal__directory directory;
	const char *why;
	int r = pabal__directory_open(true, &directory);

	if (r < 0)
		return r;
	r = pabal__huge_supported(directory.fd, &why);
	if (r < 0)
		r = pabal__fail(r, "no huge pages for '%s' in %s: %s; or leave PABAL_REGION_HUGE_PAGES out", name, directory.path, why);
	pabal__directory_close(&directory);
	return r;
}

static int read_create_opts(const struct pabal_region_opts *given, size_t size, struct pabal__object_request *request)
{
	struct pabal_region_opts opts = { 0 };
	int r = pabal__options_copy(given, &opts, sizeof opts);

	if (r == 0)
		r = check_flags(opts.flags, CREATE_FLAGS, "pabal_region_create()");
	if (r == 0 && (size < 1 || size > PABAL__REGION_MAX))
		r = pabal__fail(-EINVAL, "the size is %zu: it can be 1 to 2^46 bytes", size);
	if (r == 0 && (opts.mode & ~0777u))
		r = pabal__fail(-EINVAL, "mode is 0%o: only permission bits, up to 0777", opts.mode);
	if (r == 0 && opts.locks > PABAL__LOCKS_MAX)
		r = pabal__fail(-EINVAL, "locks is %u: up to %d", opts.locks, PABAL__LOCKS_MAX);
	if (r == 0 && opts.events > PABAL__EVENTS_MAX)
		r = pabal__fail(-EINVAL, "events is %u: up to %d", opts.events, PABAL__EVENTS_MAX);
	if (r == 0 && (opts.flags & PABAL_REGION_HUGE_PAGES))
		r = check_huge(request->name);
	if (r < 0)
		return r;
	request->flags = opts.flags;
	request->mode = opts.mode;
	request->shape = (struct pabal__shape){
		.flags = opts.flags & SHAPE_FLAGS,
		.memory_max = size,
		.locks = opts.locks ? opts.locks : 1,
		.events = opts.events ? opts.events : 1,
	};
	return 0;
}

static int read_open_opts(const struct pabal_region_opts *given, struct pabal__object_request *request)
{
	struct pabal_region_opts opts;
	int r = pabal__options_copy(given, &opts, sizeof opts);

	if (r == 0)
		r = check_flags(opts.flags, OPEN_FLAGS, "pabal_region_open()");
	if (r == 0 && opts.wait_ns < PABAL_FOREVER)
		r = pabal__fail(-EINVAL, "wait_ns is %lld: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds", (long long)opts.wait_ns);
	if (r == 0) {
		request->flags = opts.flags;
		request->wait_ns = opts.wait_ns;
	}
	return r;
}

static void init_handle(pabal_region *region, const struct pabal__seat *seat, uint32_t flags)
{
	struct pabal__segment *segment = &region->segment;

	*segment = seat->segment;
	region->flags = flags;
	region->id = seat->id;
	region->hold = seat->hold;
	region->generation = pabal__fork_generation();
	region->self = pabal__participant_at(segment, region->id);
	/* relaxed: the slot's generation is ours to read while we have the slot */
	region->mine = pabal__lock_word(region->id, atomic_load_explicit(&region->self->word, memory_order_relaxed));
	region->locks = pabal__lock_at(segment, 0);
	region->events = pabal__event_at(segment, 0);
	region->lock_count = segment->shape.locks;
	region->locks_open = region->flags & PABAL_READ_ONLY ? 0 : region->lock_count;
	region->event_count = segment->shape.events;
	region->data = pabal__segment_at(segment, segment->region.data);
	pabal__spin_init(&region->spin);
	pabal__sleepers_init(&region->lock_sleepers, &region->self->waits_room, &region->self->waits_index, 32);
	pabal__sleepers_init(&region->event_sleepers, &region->self->waits_message, &region->self->waits_index, 0);
	pabal__region_pollers_init(region);
	if (segment->shape.flags & PABAL_REGION_HUGE_PAGES) /* where it is refused here, small pages do as well */
		pabal__huge_advise(region->data, segment->size - segment->region.data);
	region->magic = PABAL__REGION_MAGIC;
}

/* What both calls do once the options are understood. The handle's memory is there before the object is, so that nothing can fail once there is one. */
static int make_handle(const struct pabal__object_request *request, int (*get)(const struct pabal__object_request *, struct pabal__seat *),
		       pabal_region **ret_region)
{
	pabal_region *region = calloc(1, sizeof *region);
	_Atomic uint64_t *holders = calloc(PABAL__LOCKS_MAX, sizeof *holders); /* pages that are not touched cost nothing */
	struct pabal__seat seat;
	int r;

	r = region && holders ? get(request, &seat) : pabal__fail(-ENOMEM, "no memory for a handle of '%s'", request->name);
	if (r < 0) {
		free(holders);
		free(region);
		return r;
	}
	region->holders = holders;
	init_handle(region, &seat, request->flags);
	*ret_region = region;
	return 0;
}

int pabal_region_create(const char *name, size_t size, const struct pabal_region_opts *opts, pabal_region **ret_region)
{
	struct pabal__object_request request = { .kind = &pabal__region_kind, .name = name };
	int r;

	if (!ret_region)
		return pabal__fail_with(-EINVAL, "ret_region is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = read_create_opts(opts, size, &request);
	return r < 0 ? r : make_handle(&request, pabal__object_create, ret_region);
}

int pabal_region_open(const char *name, const struct pabal_region_opts *opts, pabal_region **ret_region)
{
	struct pabal__object_request request = { .kind = &pabal__region_kind, .name = name };
	int r;

	if (!ret_region)
		return pabal__fail_with(-EINVAL, "ret_region is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = read_open_opts(opts, &request);
	return r < 0 ? r : make_handle(&request, pabal__object_open, ret_region);
}

void *pabal_region_data(pabal_region *region)
{
	return region && region->magic == PABAL__REGION_MAGIC ? region->data : NULL;
}

size_t pabal_region_size(const pabal_region *region)
{
	return region && region->magic == PABAL__REGION_MAGIC ? region->segment.shape.memory_max : 0;
}

static void give_all_back(pabal_region *region)
{
	struct pabal__segment *segment = &region->segment;
	uint64_t count = pabal__lock_release_all(segment, region->id, atomic_load_explicit(&region->self->word, memory_order_relaxed)); /* ours */

	/* Statistics. */
	atomic_fetch_add_explicit(&segment->header->redelivered, count, memory_order_relaxed);
	atomic_fetch_add_explicit(&segment->header->late_wakes, atomic_load_explicit(&region->self->late_wakes, memory_order_relaxed),
				  memory_order_relaxed);
	if (count)
		pabal__region_notify(segment);
	pabal__object_leave(segment, region->id, region->hold);
}

pabal_region *pabal_region_close(pabal_region *region)
{
	if (!region || region->magic != PABAL__REGION_MAGIC)
		return NULL;
	pabal__region_pollers_deinit(region, region->generation == pabal__fork_generation());
	/* A fork child gives back nothing of its parent's. Its copy of the descriptor and of the mapping go all the same. */
	if (!(region->flags & PABAL_READ_ONLY) && region->generation == pabal__fork_generation())
		give_all_back(region);
	region->magic = 0;
	pabal__sleepers_deinit(&region->lock_sleepers);
	pabal__sleepers_deinit(&region->event_sleepers);
	pabal__segment_close(&region->segment);
	free((void *)region->holders);
	free(region);
	return NULL;
}

int pabal_region_destroy(const char *name)
{
	return pabal__object_destroy(&pabal__region_kind, name);
}
