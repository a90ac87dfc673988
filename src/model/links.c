/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/links.c - looking at announced processes from outside: pabal_links(), and what listing and pabal_waits() show of them.
 *
 * All of it is read from the file of the name, as its owner wrote it: claims, but for the one fact that the kernel holds, whether it lives.
 */
#include "model/links.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <pabal/process.h>

#include "base/error.h"
#include "memory/telling.h"
#include "platform/clock.h"
#include "wait/waiting.h"

static pid_t pid_of(const struct pabal__holder_entry *entry)
{
	return (pid_t)(atomic_load_explicit(&entry->identity, memory_order_relaxed) >> 32); /* of a copy */
}

static uint32_t state_of(const struct pabal__holder_entry *entry)
{
	return (uint32_t)atomic_load_explicit(&entry->word, memory_order_relaxed); /* of a copy */
}

int pabal__links_describe(const struct pabal__directory *directory, const char *name, struct pabal_object_info *info)
{
	struct pabal__holder_info holder;
	int r = pabal__holder_look(directory, name, &holder, NULL);

	if (r < 0)
		return r;
	info->kind = PABAL_KIND_PROCESS;
	info->memory_max = holder.memory_max;
	info->participants = 1;
	info->alive = holder.alive;
	info->uid = holder.uid;
	info->mode = holder.mode;
	return 0;
}

static int tell_links(int fd, int (*each)(const struct pabal_link_info *info, void *data), void *data, int *count)
{
	uint32_t high = pabal__told_entries(fd);
	struct pabal__holder_entry entry;
	int r = 0;

	for (uint32_t i = 0; i < high && r == 0; i++) {
		struct pabal_link_info info = { .claimed_pid = 0 };

		if (!pabal__told_entry(fd, i, &entry) || state_of(&entry) != PABAL__ENTRY_LINKED)
			continue;
		memcpy(info.peer, entry.peer, sizeof info.peer);
		info.claimed_pid = pid_of(&entry);
		info.claimed_uid = (uid_t)atomic_load_explicit(&entry.identity, memory_order_relaxed); /* of a copy */
		++*count;
		r = each(&info, data);
	}
	return r;
}

/* Open the file of an announced process, to look. */
static int look(const char *name, struct pabal__holder_info *ret_holder, int *ret_fd)
{
	struct pabal__directory directory;
	int r = pabal__name_check(name);

	if (r == 0)
		r = pabal__directory_open(false, &directory);
	if (r == -ENOENT)
		return pabal__fail(r, "no process named '%s': there is no directory of objects yet", name);
	if (r < 0)
		return r;
	r = pabal__holder_look(&directory, name, ret_holder, ret_fd);
	pabal__directory_close(&directory);
	return r;
}

int pabal_links(const char *name, int (*each)(const struct pabal_link_info *info, void *data), void *data)
{
	struct pabal__holder_info holder;
	int r, fd, count = 0;

	if (!each)
		return pabal__fail_with(-EINVAL, "each is NULL: it is called for each link");
	r = look(name, &holder, &fd);
	if (r < 0)
		return r;
	if (holder.alive) /* the dead have no links */
		r = tell_links(fd, each, data, &count);
	close(fd);
	return r ? r : count;
}

int pabal__links_participants(const char *name, int (*each)(const struct pabal_participant_info *info, void *data), void *data)
{
	struct pabal_participant_info info = { .id = 1 };
	struct pabal__holder_info holder;
	int r = look(name, &holder, NULL);

	if (r < 0)
		return r;
	info.alive = holder.alive;
	info.claimed_pid = (pid_t)holder.claimed_pid;
	info.claimed_uid = holder.claimed_uid;
	r = each(&info, data);
	return r ? r : 1;
}

struct waits {
	const struct pabal__holder_info *holder;
	const char *name;
	int (*each)(const struct pabal_wait_info *info, void *data);
	void *data;
	int count;
};

static int tell_wait(struct waits *waits, uint32_t what, uint64_t waiting, const struct pabal__holder_entry *entry)
{
	struct pabal_wait_info info = { .kind = PABAL_KIND_PROCESS, .what = what };

	memcpy(info.name, waits->name, strnlen(waits->name, sizeof info.name - 1));
	info.claimed_pid = (pid_t)waits->holder->claimed_pid;
	info.claimed_uid = waits->holder->claimed_uid;
	if (entry)
		memcpy(info.peer, entry->peer, sizeof info.peer);
	if (entry && state_of(entry) == PABAL__ENTRY_LINKED)
		info.waker_pid = pid_of(entry);
	pabal__waiting_read(waiting, pabal__clock_now(), &info.since_ns, &info.deadline_ns);
	waits->count++;
	return waits->each(&info, waits->data);
}

/* Waits in calls on links. */
static int tell_link_waits(int fd, struct waits *waits)
{
	static const uint32_t what[] = { PABAL_WAITS_MESSAGE, PABAL_WAITS_ROOM, PABAL_WAITS_REPLY };
	uint32_t high = pabal__told_entries(fd);
	struct pabal__holder_entry entry;
	int r = 0;

	for (uint32_t i = 0; i < high && r == 0; i++) {
		if (!pabal__told_entry(fd, i, &entry))
			continue;
		for (int j = 0; j < 3 && r == 0; j++) {
			uint64_t waiting = atomic_load_explicit(&entry.waits[j], memory_order_relaxed); /* of a copy */

			if (waiting)
				r = tell_wait(waits, what[j], waiting, &entry);
		}
	}
	return r;
}

/* Waits in calls by name. */
static int tell_own_waits(int fd, struct waits *waits)
{
	uint32_t high = pabal__told_entries(fd), what, index;
	struct pabal__holder_entry entry;
	uint64_t waiting;
	int r = 0;

	for (uint32_t i = 0; i < PABAL__HOLDER_WAITS && r == 0; i++) {
		if (!pabal__told_wait(fd, i, &what, &index, &waiting))
			continue;
		r = tell_wait(waits, what, waiting, index < high && pabal__told_entry(fd, index, &entry) ? &entry : NULL);
	}
	return r;
}

int pabal__links_waits(const struct pabal__directory *directory, const char *name, int (*each)(const struct pabal_wait_info *info, void *data),
		       void *data, int *count)
{
	struct pabal__holder_info holder;
	struct waits waits = { .holder = &holder, .name = name, .each = each, .data = data };
	int fd, r = 0;

	if (pabal__holder_look(directory, name, &holder, &fd) < 0)
		return 0;
	if (holder.alive) /* the dead wait for nothing */
		r = tell_own_waits(fd, &waits);
	if (holder.alive && r == 0)
		r = tell_link_waits(fd, &waits);
	close(fd);
	*count += waits.count;
	return r;
}
