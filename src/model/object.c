/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/object.c - create, open, leave and destroy, for every kind of object.
 *
 * Killed while creating: the file has no name until it is whole, and is gone with us. While opening or leaving: the slot is free, or used and unlocked, to be
 * buried. While destroying: see object_end.c.
 */
#include "model/object.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/fork.h"
#include "platform/membarrier.h"
#include "platform/watch.h"

enum { DEFAULT_MODE = 0600 };

static int prepare_process(void)
{
	if (pabal__fork_init() < 0)
		return pabal__fail(-ENOMEM, "no memory to prepare this process for pabal");
	pabal__membarrier_register();
	return 0;
}

static int no_directory(const char *word, const char *name)
{
	return pabal__fail(-ENOENT, "no %s named '%s': there is no directory of objects yet; create it first, or check PABAL_DIR", word, name);
}

uint32_t pabal__object_living(struct pabal__segment *segment, uint32_t *ret_used)
{
	uint32_t high = pabal__participants_high(segment), living = 0;

	*ret_used = 0;
	for (uint32_t id = 1; id <= high; id++) {
		/* seq_cst: after the word that says ENDING; pairs with claim() before pabal__object_admit() */
		if (!pabal__participant_used(atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_seq_cst)))
			continue;
		++*ret_used;
		living += pabal__participant_lives(segment, id) != 0;
	}
	return living;
}

void pabal__object_leave(struct pabal__segment *segment, uint32_t id, void *hold)
{
	struct pabal__burial burial = { 0 };

	/* What the dead left in the directory has nobody else to remove it, once the object has no name. */
	if (pabal__object_ended(segment))
		pabal__bury_dead(segment, &burial);
	pabal__participant_leave(segment, id, hold);
	if ((segment->shape.flags & PABAL_EPHEMERAL) && pabal__object_end_unused(segment))
		pabal__bury_dead(segment, &burial);
}

/* Take part in the object whose segment is open; closes it on failure. */
static int take_seat(const struct pabal__directory *directory, struct pabal__seat *seat)
{
	struct pabal__segment *segment = &seat->segment;
	struct pabal__burial burial = { 0 };
	int r = 0;

	if (!segment->read_only) {
		pabal__bury_dead(segment, &burial);
		r = pabal__participant_join(segment, directory, &seat->id, &seat->hold);
	}
	if (r == 0) {
		r = pabal__object_admit(segment);
		if (r < 0 && seat->id)
			pabal__object_leave(segment, seat->id, seat->hold);
	}
	if (r < 0)
		pabal__segment_close(segment);
	return r;
}

static int open_in(const struct pabal__directory *directory, const struct pabal__object_request *request, struct pabal__seat *ret_seat)
{
	const struct pabal__segment_kind *kinds[] = { &request->kind->segment, NULL };
	struct pabal__seat seat = { .segment.fd = -1 };
	int r = pabal__segment_open(directory, request->name, kinds, request->flags & PABAL_READ_ONLY, &seat.segment);

	if (r == 0)
		r = take_seat(directory, &seat);
	if (r == 0)
		*ret_seat = seat;
	return r;
}

static int create_new(const struct pabal__directory *directory, const struct pabal__object_request *request, struct pabal__seat *ret_seat)
{
	struct pabal__seat seat = { .segment.fd = -1 };
	int r = pabal__segment_make(directory, request->name, &request->kind->segment, &request->shape, request->mode ? request->mode : DEFAULT_MODE,
				    &seat.segment);

	if (r < 0)
		return r;
	if (request->kind->format)
		request->kind->format(&seat.segment);
	r = pabal__participant_join(&seat.segment, directory, &seat.id, &seat.hold);
	if (r == 0) {
		r = pabal__file_name(seat.segment.fd, directory->fd, request->name);
		if (r == 0) {
			*ret_seat = seat;
			return 0;
		}
		pabal__participant_leave(&seat.segment, seat.id, seat.hold); /* not pabal__object_leave(): the name is another's */
		if (r == -EEXIST)
			r = pabal__fail(r, "'%s' exists already in %s: open it, or destroy it first", request->name, directory->path);
		else
			r = pabal__fail(r, "cannot give '%s' its name in %s: %s", request->name, directory->path, strerror(-r));
	}
	pabal__segment_close(&seat.segment);
	return r;
}

static int differs(const char *name, const char *what, uint64_t found, uint64_t wanted)
{
	return pabal__fail(-EEXIST, "'%s' exists with %s %llu, not %llu: ask for that, or destroy it first", name, what, (unsigned long long)found,
			   (unsigned long long)wanted);
}

static int same_shape(const struct pabal__shape *wanted, const struct pabal__segment *segment)
{
	const struct pabal__shape *found = &segment->shape;

	if (found->capacity != wanted->capacity)
		return differs(segment->name, "capacity", found->capacity, wanted->capacity);
	if (found->memory_max != wanted->memory_max)
		return differs(segment->name, segment->kind->memory_word, found->memory_max, wanted->memory_max);
	if (found->item_size != wanted->item_size)
		return differs(segment->name, "item_size", found->item_size, wanted->item_size);
	if (found->on_full != wanted->on_full)
		return differs(segment->name, "on_full", found->on_full, wanted->on_full);
	if (found->locks != wanted->locks)
		return differs(segment->name, "locks", found->locks, wanted->locks);
	if (found->events != wanted->events)
		return differs(segment->name, "events", found->events, wanted->events);
	if (found->flags != wanted->flags)
		return pabal__fail(-EEXIST, "'%s' exists with flags 0x%x, not 0x%x: ask for those, or destroy it first", segment->name, found->flags,
				   wanted->flags);
	return 0;
}

/* Open what is there, if it is of the shape that was asked for. */
static int open_same(const struct pabal__directory *directory, const struct pabal__object_request *request, struct pabal__seat *ret_seat)
{
	struct pabal__seat seat = { .segment = { .fd = -1, .kind = &request->kind->segment } };
	int r = open_in(directory, request, &seat);

	if (r < 0)
		return r;
	r = same_shape(&request->shape, &seat.segment);
	if (r < 0) {
		pabal__object_leave(&seat.segment, seat.id, seat.hold);
		pabal__segment_close(&seat.segment);
	} else {
		*ret_seat = seat;
	}
	return r;
}

/*
 * Create, or open what is there. The name may come and go meanwhile, so a few rounds. What is there is looked for first: making a new one takes memory, and
 * on a full file system an existing object could not be opened.
 */
static int create_or_open(const struct pabal__directory *directory, const struct pabal__object_request *request, struct pabal__seat *ret_seat)
{
	int r = 0;

	if (!(request->flags & PABAL_EXIST_OK))
		return create_new(directory, request, ret_seat);
	for (int round = 0; round < 100; round++) {
		r = open_same(directory, request, ret_seat);
		if (r != -ENOENT)
			break;
		r = create_new(directory, request, ret_seat);
		if (r != -EEXIST)
			break;
	}
	return r;
}

int pabal__object_create(const struct pabal__object_request *request, struct pabal__seat *ret_seat)
{
	struct pabal__directory directory = { .fd = -1 };
	int r = prepare_process();

	if (r == 0)
		r = pabal__directory_open(true, &directory);
	if (r < 0)
		return r;
	r = create_or_open(&directory, request, ret_seat);
	pabal__directory_close(&directory);
	return r;
}

/*
 * Open, and while there is no such name and time is left, wait for it. What is there already is not waited for; else the close at the end may take a while (platform/watch.h). No lock is held then, and
 * there is no handle yet that could keep the descriptor.
 */
static int open_when_there(const struct pabal__directory *directory, const struct pabal__object_request *request, struct pabal__seat *ret_seat)
{
	int64_t deadline = pabal__clock_deadline(request->wait_ns);
	int r = open_in(directory, request, ret_seat), watch;

	if (r != -ENOENT)
		return r;
	watch = pabal__watch_open();
	r = watch < 0 ? watch : pabal__watch_begin(watch, directory->path);
	if (r < 0) {
		if (watch >= 0)
			close(watch);
		return pabal__fail(r, "cannot watch directory %s: %s", directory->path, strerror(-r));
	}
	for (;;) {
		r = open_in(directory, request, ret_seat);
		if (r != -ENOENT)
			break;
		r = pabal__watch_wait(watch, deadline);
		if (r == -EINTR && (request->flags & PABAL_RESTART))
			continue;
		if (r < 0) {
			r = pabal__fail(r, "'%s' did not appear in %s in time", request->name, directory->path);
			break;
		}
	}
	close(watch);
	return r;
}

int pabal__object_open(const struct pabal__object_request *request, struct pabal__seat *ret_seat)
{
	bool wait = (request->flags & PABAL_WAIT_EXISTS) && request->wait_ns != PABAL_NOWAIT;
	struct pabal__directory directory = { .fd = -1 };
	int r = prepare_process();

	if (r == 0)
		r = pabal__directory_open(wait, &directory);
	if (r == -ENOENT)
		return no_directory(request->kind->segment.word, request->name);
	if (r < 0)
		return r;
	r = wait ? open_when_there(&directory, request, ret_seat) : open_in(&directory, request, ret_seat);
	pabal__directory_close(&directory);
	return r;
}

/* A file that bears our mark but cannot be opened by this version: it can only be removed. */
static int remove_unreadable(const struct pabal__directory *directory, const char *name)
{
	int fd = openat(directory->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint64_t magic = 0;
	bool ours = fd >= 0 && pread(fd, &magic, sizeof magic, 0) == sizeof magic && magic == PABAL__MAGIC;

	if (fd >= 0)
		close(fd);
	if (!ours)
		return -EBADMSG;
	return unlinkat(directory->fd, name, 0) ? pabal__errno() : 0;
}

int pabal__object_destroy(const struct pabal__object_kind *kind, const char *name)
{
	const struct pabal__segment_kind *kinds[] = { &kind->segment, NULL };
	struct pabal__directory directory = { .fd = -1 };
	struct pabal__segment segment = { .fd = -1 };
	struct pabal__burial burial = { 0 };
	int r = pabal__name_check(name);

	if (r == 0)
		r = prepare_process(); /* the fork guard is used */
	if (r == 0)
		r = pabal__directory_open(false, &directory);
	if (r == -ENOENT)
		return no_directory(kind->segment.word, name);
	if (r < 0)
		return r;
	r = pabal__segment_open(&directory, name, kinds, false, &segment);
	if (r == 0) {
		r = pabal__object_end(&directory, &segment);
		if (r == 0) /* nobody comes to bury them any more */
			pabal__bury_dead(&segment, &burial);
		pabal__segment_close(&segment);
	} else if ((r == -EBADMSG || r == -EPROTO) && remove_unreadable(&directory, name) == 0) {
		r = 0;
	}
	pabal__directory_close(&directory);
	return r;
}

int pabal__object_look_at(const char *name, const struct pabal__segment_kind *const *kinds, struct pabal__segment *ret_segment)
{
	struct pabal__directory directory;
	int r = pabal__name_check(name);

	if (r == 0)
		r = pabal__directory_open(false, &directory);
	if (r == -ENOENT)
		return no_directory(kinds[1] ? "object" : kinds[0]->word, name);
	if (r < 0)
		return r;
	r = pabal__segment_open(&directory, name, kinds, true, ret_segment);
	pabal__directory_close(&directory);
	return r;
}
