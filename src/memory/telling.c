/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/telling.c - writing the table, and reading somebody else's.
 *
 * Entries are changed under the lock of the process handle, waits by any of its threads. What a hostile owner writes is told, too, but for what is no name.
 */
#include "memory/telling.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "platform/file.h"

enum {
	PER_PAGE = PABAL__PAGE / sizeof(struct pabal__holder_entry),
	READS = 100, /* tries to read an entry that changes all the time; a guess */
};

static uint64_t entry_offset(uint32_t entry)
{
	return PABAL__PAGE + (uint64_t)(entry / PER_PAGE) * PABAL__PAGE + (uint64_t)(entry % PER_PAGE) * sizeof(struct pabal__holder_entry);
}

static struct pabal__holder_entry *entry_at(const struct pabal__holder *holder, uint32_t entry)
{
	return (struct pabal__holder_entry *)(void *)((char *)holder->page + entry_offset(entry));
}

static uint64_t load(const pabal__word *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* ours alone to write, under the handle's lock */
}

static void set_state(struct pabal__holder_entry *entry, uint32_t state)
{
	uint64_t changes = (load(&entry->word) >> 32) + 1;

	/* seq_cst: a reader's two copies are the same only if nothing was written between them */
	atomic_store_explicit(&entry->word, changes << 32 | state, memory_order_seq_cst);
}

uint32_t pabal__tell_entry(struct pabal__holder *holder, const char *peer)
{
	uint32_t high = (uint32_t)load(&holder->page->entries_high), i = 0;
	struct pabal__holder_entry *entry;

	while (i < high && (uint32_t)load(&entry_at(holder, i)->word) != PABAL__ENTRY_FREE)
		i++;
	if (i == PABAL__HOLDER_ENTRIES)
		return PABAL__NOT_TOLD;
	if (i == high) {
		if (i % PER_PAGE == 0 && pabal__file_back(holder->fd, entry_offset(i), PABAL__PAGE) < 0)
			return PABAL__NOT_TOLD;
		atomic_store_explicit(&holder->page->entries_high, i + 1, memory_order_release); /* after it has memory; others pread() it */
	}
	entry = entry_at(holder, i);
	memset(entry->peer, 0, sizeof entry->peer);
	memcpy(entry->peer, peer, strnlen(peer, sizeof entry->peer - 1));
	atomic_store_explicit(&entry->identity, 0, memory_order_relaxed); /* before the state */
	for (int j = 0; j < 3; j++)
		atomic_store_explicit(&entry->waits[j], 0, memory_order_relaxed); /* the same */
	set_state(entry, PABAL__ENTRY_OPENING);
	return i;
}

void pabal__tell_state(struct pabal__holder *holder, uint32_t index, uint32_t state, pid_t pid, uid_t uid)
{
	struct pabal__holder_entry *entry;

	if (index == PABAL__NOT_TOLD)
		return;
	entry = entry_at(holder, index);
	atomic_store_explicit(&entry->identity, (uint64_t)(uint32_t)pid << 32 | uid, memory_order_relaxed); /* before the state */
	set_state(entry, state);
}

void pabal__tell_end(struct pabal__holder *holder, uint32_t index)
{
	if (index != PABAL__NOT_TOLD)
		set_state(entry_at(holder, index), PABAL__ENTRY_FREE);
}

pabal__word *pabal__tell_waits(struct pabal__holder *holder, uint32_t index, int which)
{
	return index == PABAL__NOT_TOLD ? NULL : &entry_at(holder, index)->waits[which];
}

uint32_t pabal__tell_sleep(struct pabal__holder *holder, uint32_t what, uint32_t entry, uint64_t waiting)
{
	uint64_t word = (uint64_t)(entry + 1) << 32 | what;

	for (uint32_t i = 0; i < PABAL__HOLDER_WAITS; i++) {
		struct pabal__holder_wait *wait = &holder->page->waits[i];
		uint64_t nobody = 0;

		/* relaxed: it is told, nothing depends on it; the compare-and-swap is against our other threads */
		if (!atomic_compare_exchange_strong_explicit(&wait->word, &nobody, word, memory_order_relaxed, memory_order_relaxed))
			continue;
		atomic_store_explicit(&wait->waiting, waiting, memory_order_relaxed); /* the same; until then it is that of an earlier wait */
		return i;
	}
	return PABAL__NOT_TOLD;
}

void pabal__tell_woke(struct pabal__holder *holder, uint32_t index)
{
	if (index != PABAL__NOT_TOLD)
		atomic_store_explicit(&holder->page->waits[index].word, 0, memory_order_relaxed); /* as above */
}

static bool read_at(int fd, void *data, size_t size, uint64_t offset)
{
	return pread(fd, data, size, (off_t)offset) == (ssize_t)size;
}

uint32_t pabal__told_entries(int fd)
{
	uint64_t high = 0;

	if (!read_at(fd, &high, sizeof high, offsetof(struct pabal__holder_page, entries_high)))
		return 0;
	return high > PABAL__HOLDER_ENTRIES ? PABAL__HOLDER_ENTRIES : (uint32_t)high;
}

bool pabal__told_entry(int fd, uint32_t index, struct pabal__holder_entry *ret_entry)
{
	unsigned char one[sizeof *ret_entry], other[sizeof *ret_entry];

	for (int i = 0; i < READS; i++) {
		if (!read_at(fd, one, sizeof one, entry_offset(index)) || !read_at(fd, other, sizeof other, entry_offset(index)))
			return false;
		if (memcmp(one, other, sizeof one) != 0)
			continue;
		memcpy(ret_entry, one, sizeof one);
		/* What is no name may be anything, sequences for a terminal, too. */
		return (uint32_t)load(&ret_entry->word) != PABAL__ENTRY_FREE && pabal__name_is_valid(ret_entry->peer);
	}
	return false;
}

bool pabal__told_wait(int fd, uint32_t index, uint32_t *ret_what, uint32_t *ret_entry, uint64_t *ret_waiting)
{
	uint64_t words[2] = { 0 };

	if (!read_at(fd, words, sizeof words, offsetof(struct pabal__holder_page, waits) + index * sizeof(struct pabal__holder_wait)) || !words[0])
		return false;
	*ret_what = (uint32_t)words[0];
	*ret_entry = (uint32_t)(words[0] >> 32) - 1;
	*ret_waiting = words[1];
	return true;
}
