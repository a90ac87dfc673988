/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/close.c - interrupt, close and destroy: the ends of a wait, of a handle, of a mailbox.
 *
 * Killed while closing: what close gives back one by one, an undertaker gives back as well. While destroying: marked but still named, and the next destroy
 * ends it, or unlinked, which is all there is to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "model/bury.h"
#include "model/mailbox.h"
#include "platform/cpu.h"
#include "platform/file.h"

#define END_BYTE (UINT64_C(1) << 42) /* of the file, far past its end: who holds it removes the name */

enum {
	END_TRIES = 1000, /* a hostile holder keeps us for a second at most */
	END_NAP_NS = 1000000,
};

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

/*
 * Remove the name, if it is still this mailbox's. Two who destroy at once could each look, and the slower one then remove the name of a new mailbox; so looking and
 * removing is done by who holds a lock on the old one's file. If the holder dies the kernel takes the lock back.
 */
static void remove_name(const struct pabal__directory *directory, struct pabal__segment *segment)
{
	int fd = pabal__segment_fd(segment);
	struct stat st;

	for (int i = 0; i < END_TRIES && fd >= 0 && pabal__file_lock(fd, END_BYTE) == -EAGAIN; i++)
		pabal__cpu_nap(END_NAP_NS);
	if (fstatat(directory->fd, segment->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == segment->ino && st.st_dev == segment->dev)
		unlinkat(directory->fd, segment->name, 0);
}

void pabal__mailbox_end(const struct pabal__directory *directory, struct pabal__segment *segment)
{
	atomic_store_explicit(&segment->header->shutdown, 1, memory_order_release); /* pairs with the acquire of those who look after a notice */
	remove_name(directory, segment);
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
	pabal__bell_ring_all(&segment->header->memory_bell); /* homes that float are memory for others */
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
