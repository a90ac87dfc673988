/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/mailbox.c - the life of a mailbox and of its handles: create, open, interrupt, close, destroy.
 *
 * Killed while creating: the file has no name until it is whole, and is gone with us. While opening: the slot is free, or used and unlocked, to be buried.
 * While closing: the same; what close gives back one by one, an undertaker gives back as well. While destroying: marked but still named, and the next
 * destroy ends it, or unlinked, which is all there is to do.
 */
#include "model/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/options.h"
#include "model/bury.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/file.h"
#include "platform/membarrier.h"
#include "platform/watch.h"

enum {
	OPEN_FLAGS =
		PABAL_READ_ONLY | PABAL_WAIT_EXISTS | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART | PABAL_DEAD_LETTERS,
	CREATE_FLAGS = PABAL_EXIST_OK | PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK | PABAL_SINGLE_THREAD | PABAL_RESTART | PABAL_EPHEMERAL |
		       PABAL_MAILBOX_RENDEZVOUS | PABAL_MAILBOX_DROP_ON_DEATH | PABAL_TIMESTAMPS,
	SHAPE_FLAGS = PABAL_MAILBOX_DROP_ON_DEATH | PABAL_TIMESTAMPS | PABAL_EPHEMERAL,
	DEFAULT_CAPACITY = 1024,
	DEFAULT_MEMORY = 16 << 20,
	DEFAULT_MODE = 0600,
	LOOK_NS = 10000000, /* calls that do not wait look for the dead this often at most: the first wait slice */
	PATIENCE = 4,       /* yields of a call that does not wait while somebody is in the middle of a take */
};

static int refuse_unsupported(const struct pabal_mailbox_opts *opts)
{
	const char *what = NULL;

	if (opts->priorities > 1)
		what = "priorities";
	else if (opts->on_full != PABAL_FULL_BLOCK)
		what = "on_full other than PABAL_FULL_BLOCK";
	else if (opts->delivery_limit)
		what = "delivery_limit";
	else if (opts->dead_letters_max)
		what = "dead_letters_max";
	else if (opts->ttl_ns)
		what = "ttl_ns";
	else if (opts->flags & PABAL_MAILBOX_RENDEZVOUS)
		what = "PABAL_MAILBOX_RENDEZVOUS";
	else if (opts->flags & PABAL_DEAD_LETTERS)
		what = "PABAL_DEAD_LETTERS";
	return what ? pabal__fail(-ENOTSUP, "this version of pabal does not have %s yet: leave the option out", what) : 0;
}

static int check_flags(const struct pabal_mailbox_opts *opts, uint32_t known, const char *call)
{
	uint32_t unknown = opts->flags & ~known;

	if (unknown)
		return pabal__fail(-EINVAL, "flag 0x%x makes no sense for %s: leave it out", unknown & -unknown, call);
	if ((opts->flags & PABAL_WAIT_SPIN) && (opts->flags & PABAL_WAIT_BLOCK))
		return pabal__fail(-EINVAL, "PABAL_WAIT_SPIN and PABAL_WAIT_BLOCK exclude each other: choose one, or neither for adaptive waiting");
	return 0;
}

static int read_create_opts(const struct pabal_mailbox_opts *given, struct pabal_mailbox_opts *ret_opts, struct pabal__shape *ret_shape)
{
	struct pabal_mailbox_opts opts = { 0 };
	int r = pabal__options_copy(given, &opts, sizeof opts);

	if (r == 0)
		r = check_flags(&opts, CREATE_FLAGS, "pabal_mailbox_create()");
	if (r == 0 && opts.on_full > PABAL_FULL_DROP_OLDEST)
		r = pabal__fail(-EINVAL, "on_full is %u: it is one of PABAL_FULL_BLOCK, _FAIL, _DROP_OLDEST", opts.on_full);
	if (r == 0 && (opts.mode & ~0777u))
		r = pabal__fail(-EINVAL, "mode is 0%o: only permission bits, up to 0777", opts.mode);
	if (r == 0 && opts.capacity > PABAL__CAPACITY_MAX)
		r = pabal__fail(-EINVAL, "capacity is %u: it can be 1 to %d messages", opts.capacity, PABAL__CAPACITY_MAX);
	if (r == 0 && opts.memory_max > PABAL__MEMORY_MAX)
		r = pabal__fail(-EINVAL, "memory_max is %llu: it can be up to 2^40 bytes", (unsigned long long)opts.memory_max);
	if (r == 0 && opts.ttl_ns < 0)
		r = pabal__fail(-EINVAL, "ttl_ns is negative");
	if (r == 0)
		r = refuse_unsupported(&opts);
	if (r < 0)
		return r;
	ret_shape->flags = opts.flags & SHAPE_FLAGS;
	ret_shape->capacity = opts.capacity ? opts.capacity : DEFAULT_CAPACITY;
	ret_shape->memory_max = opts.memory_max ? opts.memory_max : DEFAULT_MEMORY;
	*ret_opts = opts;
	return 0;
}

static void init_side(pabal_mailbox *mailbox, struct pabal__side *side, const struct pabal__wait_calls *calls, pabal__bell_word *bell)
{
	struct pabal__header *header = mailbox->segment.header;

	pthread_mutex_init(&side->lock, NULL);
	side->waiter.calls = calls;
	side->waiter.bell = bell;
	side->waiter.memory_bell = &header->memory_bell;
	side->waiter.late_wakes = &mailbox->self->late_wakes;
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
		r = read_create_opts(given, &opts, &shape);
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
		r = pabal__options_copy(given, &opts, sizeof opts);
	if (r == 0)
		r = check_flags(&opts, OPEN_FLAGS, "pabal_mailbox_open()");
	if (r == 0 && (opts.flags & PABAL_DEAD_LETTERS))
		r = refuse_unsupported(&(struct pabal_mailbox_opts){ .flags = PABAL_DEAD_LETTERS });
	if (r == 0 && opts.wait_ns < PABAL_FOREVER)
		r = pabal__fail(-EINVAL, "wait_ns is %lld: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds", (long long)opts.wait_ns);
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

int pabal__mailbox_refuse(const pabal_mailbox *mailbox, bool write)
{
	if (!mailbox || mailbox->magic != PABAL__HANDLE_MAGIC)
		return pabal__fail_with(-EINVAL, "this is no open mailbox handle");
	if (mailbox->generation != pabal__fork_generation())
		return pabal__fail_with(-ESTALE,
					"this handle was opened before a fork and belongs to the parent: open the mailbox again in the child");
	if (write && (mailbox->flags & PABAL_READ_ONLY))
		return pabal__fail_with(-EPERM, "this handle is read-only: open the mailbox without PABAL_READ_ONLY");
	return pabal__fail_with(-EINVAL, "the time-out is negative: PABAL_NOWAIT, PABAL_FOREVER or nanoseconds");
}

int pabal__mailbox_say(int error)
{
	switch (error) {
	case -EAGAIN:
		return pabal__fail_with(error, "not now: the mailbox is full, or empty; give a time-out to wait");
	case -ETIMEDOUT:
		return pabal__fail_with(error, "the time was up before the mailbox had room, or a message");
	case -EINTR:
		return pabal__fail_with(error, "a signal handler ran while the call waited: call again, or open with PABAL_RESTART");
	case -ECANCELED:
		return pabal__fail_with(error, "the wait was interrupted with pabal_mailbox_interrupt()");
	case -ESHUTDOWN:
		return pabal__fail_with(error, "the mailbox was destroyed: close the handle");
	case -EBADMSG:
		return pabal__fail_with(
			error, "the content of the mailbox is corrupt: somebody who may write it damaged it; run pabal fsck, then destroy it");
	default:
		return error;
	}
}

uint64_t pabal__mailbox_reclaim(struct pabal__segment *segment, uint32_t me)
{
	uint64_t bytes = pabal__pool_reclaim(segment, me);

	if (bytes)
		pabal__bell_ring_all(&segment->header->memory_bell);
	return bytes;
}

bool pabal__mailbox_idle(void *argument)
{
	pabal_mailbox *mailbox = ((struct pabal__call *)argument)->mailbox;
	struct pabal__burial burial = { 0 };

	pabal__bury_dead(&mailbox->segment, &burial);
	pabal__mailbox_reclaim(&mailbox->segment, mailbox->id);
	return burial.buried > 0;
}

void pabal__mailbox_busy(void *argument)
{
	struct pabal__call *call = argument;
	pabal_mailbox *mailbox = call->mailbox;
	struct pabal__burial burial = { 0 };
	uint32_t taker = pabal__ring_taker(&mailbox->ring, call->busy_position);

	if (!taker || taker > pabal__participants_high(&mailbox->segment) || pabal__participant_lives(&mailbox->segment, taker) != 0)
		return;
	pabal__ring_repair(&mailbox->ring, call->busy_position, taker); /* its undertaker may be slow; the slot is all we need */
	pabal__bury(&mailbox->segment, taker, &burial);
}

/* A call that does not wait: give one in the middle of a take a moment, and now and then look for the dead. */
static int try_again(struct pabal__call *call, const struct pabal__wait_calls *calls, int reason)
{
	pabal_mailbox *mailbox = call->mailbox;
	int64_t now;

	for (int i = 0; i < PATIENCE && reason == PABAL__WAIT_BUSY; i++) {
		calls->busy(call);
		pabal__cpu_yield();
		reason = calls->attempt(call);
	}
	if (reason <= 0)
		return reason;
	now = pabal__clock_coarse();
	if (now - atomic_load_explicit(&mailbox->looked, memory_order_relaxed) >= LOOK_NS) { /* alone: how often, nothing more */
		atomic_store_explicit(&mailbox->looked, now, memory_order_relaxed);
		if (calls->idle(call))
			reason = calls->attempt(call);
	}
	return reason > 0 ? -EAGAIN : reason;
}

int pabal__mailbox_wait(struct pabal__call *call, struct pabal__side *side, int reason, int64_t timeout_ns)
{
	int r;

	if (timeout_ns == PABAL_NOWAIT)
		r = try_again(call, side->waiter.calls, reason);
	else
		r = pabal__wait(&side->waiter, call, reason, timeout_ns);
	return r < 0 ? pabal__mailbox_say(r) : 0;
}

void pabal__mailbox_notify(const struct pabal__segment *segment)
{
	struct pabal__header *header = segment->header;

	/* seq_cst: what happened is visible before the number changes, and the number before the bells are looked at */
	atomic_fetch_add_explicit(&header->notice, 1, memory_order_seq_cst);
	pabal__bell_ring_out(&header->items_bell);
	pabal__bell_ring_out(&header->room_bell);
	pabal__bell_ring_out(&header->memory_bell);
}

int pabal_mailbox_interrupt(pabal_mailbox *mailbox)
{
	/* For signal handlers: atomics and one system call, no lock, and no sentence, which is not safe there. */
	if (!mailbox || mailbox->magic != PABAL__HANDLE_MAGIC)
		return -EINVAL;
	if (mailbox->generation != pabal__fork_generation())
		return -ESTALE;
	if (mailbox->flags & PABAL_READ_ONLY)
		return -EPERM;
	/* release: pairs with the acquire of the waits; counted before they are woken */
	atomic_fetch_add_explicit(&mailbox->interrupts, 1, memory_order_release);
	pabal__bell_ring_out(&mailbox->segment.header->items_bell);
	pabal__bell_ring_out(&mailbox->segment.header->room_bell);
	pabal__bell_ring_out(&mailbox->segment.header->memory_bell);
	return 0;
}

void pabal__mailbox_end(const struct pabal__directory *directory, const struct pabal__segment *segment)
{
	struct stat st;

	atomic_store_explicit(&segment->header->shutdown, 1, memory_order_release); /* pairs with the acquire of those who look after a notice */
	if (fstatat(directory->fd, segment->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == segment->ino && st.st_dev == segment->dev)
		unlinkat(directory->fd, segment->name, 0);
	pabal__mailbox_notify(segment);
}

/* Was this the last handle? Then an ephemeral mailbox goes with it. */
static void end_if_last(struct pabal__segment *segment)
{
	uint32_t high = pabal__participants_high(segment);
	struct pabal__directory directory = { .fd = -1 };

	for (uint32_t id = 1; id <= high; id++)
		if (pabal__participant_used(
			    atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_acquire)) && /* pairs with claim() */
		    pabal__participant_lives(segment, id) != 0)
			return;
	if (pabal__directory_open(false, &directory) < 0)
		return;
	pabal__mailbox_end(&directory, segment);
	pabal__directory_close(&directory);
}

static void give_all_back(pabal_mailbox *mailbox)
{
	struct pabal__segment *segment = &mailbox->segment;
	struct pabal__burial burial = { 0 };
	/* relaxed: no other thread uses the handle any more */
	uint32_t borrowed = atomic_load_explicit(&mailbox->borrowed, memory_order_relaxed);

	if (borrowed && pabal__bury_blocks(segment, mailbox->id, false, &burial) < 0) {
		pabal__file_let_go(mailbox->hold); /* no memory: look dead instead, and be buried by somebody who has some */
		return;
	}
	pabal__pool_leave(&mailbox->pool);
	atomic_fetch_add_explicit(&segment->header->redelivered, burial.redelivered, memory_order_relaxed); /* statistics */
	if (borrowed) /* there may be messages again, and memory */
		pabal__mailbox_notify(segment);
	pabal__mailbox_reclaim(segment, mailbox->id);
	atomic_fetch_add_explicit(&segment->header->late_wakes, atomic_load_explicit(&mailbox->self->late_wakes, memory_order_relaxed),
				  memory_order_relaxed);
	pabal__participant_leave(segment, mailbox->id, mailbox->hold);
	if (segment->shape.flags & PABAL_EPHEMERAL)
		end_if_last(segment);
}

pabal_mailbox *pabal_mailbox_close(pabal_mailbox *mailbox)
{
	if (!mailbox || mailbox->magic != PABAL__HANDLE_MAGIC)
		return NULL;
	/* A fork child gives back nothing of its parent's. Its copy of the descriptor and of the mapping go all the same. */
	if (!(mailbox->flags & PABAL_READ_ONLY) && mailbox->generation == pabal__fork_generation())
		give_all_back(mailbox);
	mailbox->magic = 0;
	pthread_mutex_destroy(&mailbox->sending.lock);
	pthread_mutex_destroy(&mailbox->receiving.lock);
	pabal__segment_close(&mailbox->segment);
	free(mailbox);
	return NULL;
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

int pabal_mailbox_destroy(const char *name)
{
	struct pabal__directory directory = { .fd = -1 };
	struct pabal__segment segment = { .fd = -1 };
	int r = pabal__name_check(name);

	if (r == 0)
		r = pabal__directory_open(false, &directory);
	if (r == -ENOENT)
		return pabal__fail(r, "no mailbox named '%s': there is no directory of objects yet", name);
	if (r < 0)
		return r;
	r = pabal__segment_open(&directory, name, PABAL_KIND_MAILBOX, false, &segment);
	if (r == 0) {
		pabal__mailbox_end(&directory, &segment);
		pabal__segment_close(&segment);
	} else if ((r == -EBADMSG || r == -EPROTO) && remove_unreadable(&directory, name) == 0) {
		r = 0;
	}
	pabal__directory_close(&directory);
	return r;
}
