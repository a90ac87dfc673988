/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/object_end.c - how an object ends: by destroy, or with the last handle of an ephemeral one.
 *
 *   ALIVE --who ends it--> ENDING --the name is removed--> ENDED
 *                             |
 *                             +--somebody lives in it, or the name may not be removed--> ALIVE
 *
 * The word changes under a lock on END_BYTE of the file alone, which the kernel takes back from the dead; but for ENDING to ENDED, which anybody may note once the
 * file has no name. ENDING is no answer: the name decides. A file without a name has ended, and nothing gives it one again; with a name it lives. So
 * whoever is killed between any two steps leaves a word that the next one reads rightly:
 *
 *   before the name is removed   ENDING, named     alive; the next to lock sets it ALIVE
 *   after that                   ENDING, no name   ended; whoever looks sets it ENDED
 *
 * An ephemeral object has two who may disagree: the last to leave and the next to open. The one who leaves stores ENDING and then looks at the participants; the one
 * who opens takes its slot and then looks at the word. So one of them sees the other: the opener waits for the verdict under the lock.
 *
 * A hostile peer may write the word: that ends the object for others, or makes them look at the file, nothing more.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "model/object.h"
#include "platform/cpu.h"
#include "platform/file.h"
#include "platform/fork.h"

#define END_BYTE (UINT64_C(1) << 42) /* of the file, far past its end */

enum {
	TRIES = 1000, /* together a second, a guess: ending takes microseconds; a stopped or hostile holder keeps us no longer */
	NAP_NS = 1000000,
};

static uint64_t state_of(const struct pabal__segment *segment)
{
	return atomic_load_explicit(&segment->header->state, memory_order_acquire); /* pairs with set_state() */
}

static void set_state(const struct pabal__segment *segment, enum pabal__state state)
{
	/* seq_cst: who ends it stores ENDING before it looks at the participants; pairs with pabal__object_admit() */
	atomic_store_explicit(&segment->header->state, state, memory_order_seq_cst);
}

/*
 * Lock END_BYTE on an open of our own, so that threads exclude each other too. No fork may copy it: the guard is held until end_unlock(), which is soon.
 */
static int end_lock(struct pabal__segment *segment, int tries, int *ret_fd)
{
	for (int i = 0; i < tries; i++) {
		int fd = pabal__segment_fd(segment), again = -1, r;

		if (i)
			pabal__cpu_nap(NAP_NS);
		if (fd < 0)
			return fd;
		pabal__fork_guard();
		r = pabal__file_reopen(fd, -1, NULL, &again);
		if (r == 0)
			r = pabal__file_lock(again, END_BYTE);
		if (r == 0) {
			*ret_fd = again;
			return 0;
		}
		if (again >= 0)
			close(again);
		pabal__fork_unguard();
		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}

static void end_unlock(int fd)
{
	close(fd);
	pabal__fork_unguard();
}

/* Does the file still have a name? Where our descriptor was closed behind our back, the name that it had is asked. */
static bool has_name(struct pabal__segment *segment)
{
	struct stat st;
	int fd = pabal__segment_fd(segment);

	return fd >= 0 && (fstat(fd, &st) != 0 || st.st_nlink > 0);
}

static bool name_is_ours(const struct pabal__directory *directory, const struct pabal__segment *segment)
{
	struct stat st;

	return fstatat(directory->fd, segment->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == segment->ino && st.st_dev == segment->dev;
}

static void note_end(const struct pabal__segment *segment)
{
	set_state(segment, PABAL__ENDED);
	pabal__object_notify(segment);
}

/* The lock is ours and the word says ENDING: whoever wrote it is dead, and the name decides. true: it lives. */
static bool revive(struct pabal__segment *segment)
{
	if (has_name(segment)) {
		set_state(segment, PABAL__ALIVE);
		return true;
	}
	note_end(segment);
	return false;
}

bool pabal__object_settle(const struct pabal__segment *shared)
{
	struct pabal__segment own = *shared; /* the descriptor may have to be found anew */
	int lock;

	if (state_of(&own) != PABAL__ENDING)
		return state_of(&own) != PABAL__ALIVE;
	if (!has_name(&own)) {
		if (!own.read_only)
			set_state(&own, PABAL__ENDED);
	} else if (!own.read_only && end_lock(&own, 1, &lock) == 0) {
		if (state_of(&own) == PABAL__ENDING)
			revive(&own);
		end_unlock(lock);
	}
	if (own.fd != shared->fd && own.fd >= 0)
		close(own.fd);
	return state_of(&own) == PABAL__ENDED;
}

/* The lock is ours. */
static int end_locked(const struct pabal__directory *directory, struct pabal__segment *segment)
{
	uint64_t state = state_of(segment);
	int r;

	if (!name_is_ours(directory, segment)) {
		if (state == PABAL__ENDING)
			revive(segment);
		return pabal__fail(-ENOENT, "no %s named '%s' in %s: somebody else has just destroyed it", segment->kind->word, segment->name,
				   directory->path);
	}
	set_state(segment, PABAL__ENDING);
	if (unlinkat(directory->fd, segment->name, 0)) {
		r = pabal__errno();
		set_state(segment, PABAL__ALIVE);
		return pabal__fail(r, "no permission to remove '%s' from %s: its directory must be writable; nothing was changed", segment->name,
				   directory->path);
	}
	note_end(segment);
	return 0;
}

int pabal__object_end(const struct pabal__directory *directory, struct pabal__segment *segment)
{
	int lock, r = end_lock(segment, TRIES, &lock);

	if (r < 0)
		return pabal__fail(r, "cannot destroy '%s': %s", segment->name,
				   r == -EAGAIN ? "another process is in the middle of that and does not get on; try again"
						: "its file cannot be locked");
	r = end_locked(directory, segment);
	end_unlock(lock);
	return r;
}

bool pabal__object_end_unused(struct pabal__segment *segment)
{
	struct pabal__directory directory = { .fd = -1 };
	uint32_t used;
	bool ended = false;
	int lock;

	if (pabal__object_living(segment, &used) > 0 || pabal__segment_directory(segment, &directory) < 0)
		return false;
	if (end_lock(segment, TRIES, &lock) == 0) {
		if (state_of(segment) != PABAL__ENDED && name_is_ours(&directory, segment)) {
			set_state(segment, PABAL__ENDING);
			if (pabal__object_living(segment, &used) > 0)
				set_state(segment, PABAL__ALIVE);
			else
				ended = end_locked(&directory, segment) == 0;
		}
		end_unlock(lock);
	}
	pabal__directory_close(&directory);
	return ended;
}

int pabal__object_admit(struct pabal__segment *segment)
{
	uint64_t state;
	int lock, r = 0;

	/* seq_cst: our slot first, then the word; pairs with set_state(ENDING) before the participants are looked at */
	atomic_thread_fence(memory_order_seq_cst);
	state = state_of(segment);
	if (state == PABAL__ENDING && segment->read_only) {
		state = has_name(segment) ? PABAL__ALIVE : PABAL__ENDED;
	} else if (state == PABAL__ENDING) {
		r = end_lock(segment, TRIES, &lock);
		if (r == 0) {
			if (state_of(segment) == PABAL__ENDING)
				revive(segment);
			end_unlock(lock);
		}
		state = state_of(segment);
	}
	if (r < 0)
		return pabal__fail(r, "'%s' is being destroyed by a process that does not get on with it: try again", segment->name);
	if (state != PABAL__ALIVE)
		return pabal__fail(-ENOENT, "no %s named '%s': it was just destroyed; create it anew", segment->kind->word, segment->name);
	return 0;
}
