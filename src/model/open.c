/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/open.c - create and open.
 *
 * Killed while creating: the file has no name until it is whole, and is gone with us. While opening: the slot is free, or used and unlocked, to be buried.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "model/bury.h"
#include "model/mailbox.h"
#include "model/options.h"
#include "platform/clock.h"
#include "platform/file.h"
#include "platform/membarrier.h"
#include "platform/watch.h"

enum { DEFAULT_MODE = 0600 };

static void init_side(pabal_mailbox *mailbox, struct pabal__side *side, const struct pabal__wait_calls *calls, pabal__bell_word *bell)
{
	struct pabal__header *header = mailbox->segment.header;

	pthread_mutex_init(&side->lock, NULL);
	side->waiter.calls = calls;
	side->waiter.bell = bell;
	side->waiter.memory_bell = &header->memory_bell;
	side->waiter.late_wakes = &mailbox->self->late_wakes;
	side->waiter.waiting = side == &mailbox->sending ? &mailbox->self->waits_room : &mailbox->self->waits_message;
	side->waiter.interrupts = &mailbox->interrupts;
	side->waiter.acknowledged = &mailbox->acknowledged;
	side->waiter.flags = mailbox->flags;
	atomic_init(&side->waiter.spin_ns, 4000);
}

/* A handle on the segment, which becomes the handle's own. On failure the segment is closed. */
static int make_handle(struct pabal__segment *segment, const struct pabal__directory *directory, uint32_t flags, pabal_mailbox **ret_mailbox)
{
	pabal_mailbox *mailbox = aligned_alloc(_Alignof(pabal_mailbox), sizeof *mailbox);
	int r = 0;

	if (!mailbox) {
		pabal__segment_close(segment);
		return pabal__fail(-ENOMEM, "no memory for a handle of '%s'", segment->name);
	}
	memset(mailbox, 0, sizeof *mailbox);
	mailbox->segment = *segment;
	mailbox->flags = flags;
	mailbox->magic = PABAL__HANDLE_MAGIC;
	mailbox->generation = pabal__fork_generation();
	if (!(flags & PABAL_READ_ONLY))
		r = pabal__participant_join(&mailbox->segment, directory, &mailbox->id, &mailbox->hold);
	if (r < 0) {
		pabal__segment_close(&mailbox->segment);
		free(mailbox);
		return r;
	}
	mailbox->self = pabal__participant_at(&mailbox->segment, mailbox->id);
	pabal__ring_init(&mailbox->ring, &mailbox->segment, mailbox->id);
	mailbox->pool = (struct pabal__pool){ .segment = &mailbox->segment, .me = mailbox->id };
	pabal__redeliver_init(&mailbox->redeliver, &mailbox->segment, mailbox->id);
	init_side(mailbox, &mailbox->sending, &pabal__send_calls, &mailbox->segment.header->room_bell);
	init_side(mailbox, &mailbox->receiving, &pabal__receive_calls, &mailbox->segment.header->items_bell);
	mailbox->seen_notice = UINT64_MAX; /* not a number that was seen: the first call looks */
	*ret_mailbox = mailbox;
	return 0;
}

static int prepare_process(void)
{
	if (pabal__fork_init() < 0)
		return pabal__fail(-ENOMEM, "no memory to prepare this process for pabal");
	pabal__membarrier_register();
	return 0;
}

static int open_in(const struct pabal__directory *directory, const char *name, uint32_t flags, pabal_mailbox **ret_mailbox)
{
	struct pabal__segment segment = { .fd = -1 };
	struct pabal__burial burial = { 0 };
	int r = pabal__segment_open(directory, name, PABAL_KIND_MAILBOX, flags & PABAL_READ_ONLY, &segment);

	if (r < 0)
		return r;
	/* acquire: pairs with pabal__mailbox_end(). Somebody was killed while destroying it: finish that, and there is no such mailbox. */
	if (!(flags & PABAL_READ_ONLY) && atomic_load_explicit(&segment.header->shutdown, memory_order_acquire)) {
		pabal__mailbox_end(directory, &segment);
		pabal__segment_close(&segment);
		return pabal__fail(-ENOENT, "no mailbox named '%s' in %s: it was just destroyed; create it anew", name, directory->path);
	}
	if (!(flags & PABAL_READ_ONLY))
		pabal__bury_dead(&segment, &burial);
	return make_handle(&segment, directory, flags, ret_mailbox);
}

static int create_new(const struct pabal__directory *directory, const char *name, const struct pabal_mailbox_opts *opts,
		      const struct pabal__shape *shape, pabal_mailbox **ret_mailbox)
{
	struct pabal__segment segment = { .fd = -1 };
	pabal_mailbox *mailbox = NULL;
	int r;

	r = pabal__segment_make(directory, name, shape, opts->mode ? opts->mode : DEFAULT_MODE, &segment);
	if (r < 0)
		return r;
	pabal__ring_format(&segment);
	r = make_handle(&segment, directory, opts->flags, &mailbox);
	if (r < 0)
		return r;
	r = pabal__file_name(mailbox->segment.fd, directory->fd, name);
	if (r < 0) {
		mailbox->segment.shape.flags &= ~(uint32_t)PABAL_EPHEMERAL; /* the name is another's: do not remove it */
		pabal_mailbox_close(mailbox);
		if (r == -EEXIST)
			return pabal__fail(r, "'%s' exists already in %s: open it, or destroy it first", name, directory->path);
		return pabal__fail(r, "cannot give '%s' its name in %s: %s", name, directory->path, strerror(-r));
	}
	*ret_mailbox = mailbox;
	return 0;
}

static int same_shape(const struct pabal__shape *wanted, const pabal_mailbox *mailbox)
{
	const struct pabal__shape *found = &mailbox->segment.shape;

	if (found->capacity != wanted->capacity)
		return pabal__fail(-EEXIST, "'%s' exists with capacity %u, not %u: ask for that, or destroy it first", mailbox->segment.name,
				   found->capacity, wanted->capacity);
	if (found->memory_max != wanted->memory_max)
		return pabal__fail(-EEXIST, "'%s' exists with memory_max %llu, not %llu: ask for that, or destroy it first", mailbox->segment.name,
				   (unsigned long long)found->memory_max, (unsigned long long)wanted->memory_max);
	if (found->flags != wanted->flags)
		return pabal__fail(-EEXIST, "'%s' exists with flags 0x%x, not 0x%x: ask for those, or destroy it first", mailbox->segment.name,
				   found->flags, wanted->flags);
	return 0;
}

/* Open what is there, if it is of the shape that was asked for. */
static int open_same(const struct pabal__directory *directory, const char *name, const struct pabal_mailbox_opts *opts,
		     const struct pabal__shape *shape, pabal_mailbox **ret_mailbox)
{
	pabal_mailbox *mailbox;
	int r = open_in(directory, name, opts->flags, &mailbox);

	if (r < 0)
		return r;
	r = same_shape(shape, mailbox);
	if (r < 0)
		pabal_mailbox_close(mailbox);
	else
		*ret_mailbox = mailbox;
	return r;
}

/*
 * Create, or open what is there. The name may come and go meanwhile, so a few rounds. What is there is looked for first: making a new one takes memory, and
 * on a full file system an existing mailbox could not be opened.
 */
static int create_or_open(const struct pabal__directory *directory, const char *name, const struct pabal_mailbox_opts *opts,
			  const struct pabal__shape *shape, pabal_mailbox **ret_mailbox)
{
	int r = 0;

	if (!(opts->flags & PABAL_EXIST_OK))
		return create_new(directory, name, opts, shape, ret_mailbox);
	for (int round = 0; round < 100; round++) {
		r = open_same(directory, name, opts, shape, ret_mailbox);
		if (r != -ENOENT)
			break;
		r = create_new(directory, name, opts, shape, ret_mailbox);
		if (r != -EEXIST)
			break;
	}
	return r;
}

int pabal_mailbox_create(const char *name, const struct pabal_mailbox_opts *given, pabal_mailbox **ret_mailbox)
{
	struct pabal__directory directory = { .fd = -1 };
	struct pabal_mailbox_opts opts = { 0 };
	struct pabal__shape shape = { 0 };
	int r;

	if (!ret_mailbox)
		return pabal__fail_with(-EINVAL, "ret_mailbox is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = pabal__options_create(given, &opts, &shape);
	if (r == 0)
		r = prepare_process();
	if (r == 0)
		r = pabal__directory_open(true, &directory);
	if (r < 0)
		return r;
	r = create_or_open(&directory, name, &opts, &shape, ret_mailbox);
	pabal__directory_close(&directory);
	return r;
}

/* Open, and while there is no such name and time is left, wait for it. */
static int open_when_there(const struct pabal__directory *directory, const char *name, const struct pabal_mailbox_opts *opts,
			   pabal_mailbox **ret_mailbox)
{
	int64_t deadline = pabal__clock_deadline(opts->wait_ns);
	int watch, r;

	watch = pabal__watch_open(directory->path);
	if (watch < 0)
		return pabal__fail(watch, "cannot watch directory %s: %s", directory->path, strerror(-watch));
	for (;;) {
		r = open_in(directory, name, opts->flags, ret_mailbox);
		if (r != -ENOENT)
			break;
		r = pabal__watch_wait(watch, deadline);
		if (r == -EINTR && (opts->flags & PABAL_RESTART))
			continue;
		if (r < 0) {
			r = pabal__fail(r, "'%s' did not appear in %s in time", name, directory->path);
			break;
		}
	}
	close(watch);
	return r;
}

int pabal_mailbox_open(const char *name, const struct pabal_mailbox_opts *given, pabal_mailbox **ret_mailbox)
{
	struct pabal__directory directory = { .fd = -1 };
	struct pabal_mailbox_opts opts = { 0 };
	bool wait;
	int r;

	if (!ret_mailbox)
		return pabal__fail_with(-EINVAL, "ret_mailbox is NULL: it receives the handle");
	r = pabal__name_check(name);
	if (r == 0)
		r = pabal__options_open(given, &opts);
	if (r < 0)
		return r;
	wait = (opts.flags & PABAL_WAIT_EXISTS) && opts.wait_ns != PABAL_NOWAIT;
	r = prepare_process();
	if (r == 0)
		r = pabal__directory_open(wait, &directory);
	if (r == -ENOENT)
		return pabal__fail(r, "no mailbox named '%s': there is no directory of objects yet; create it first, or check PABAL_DIR", name);
	if (r < 0)
		return r;
	r = wait ? open_when_there(&directory, name, &opts, ret_mailbox) : open_in(&directory, name, opts.flags, ret_mailbox);
	pabal__directory_close(&directory);
	return r;
}
