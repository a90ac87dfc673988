/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/descriptor_names.c - ".bell-<inode of the object>-<participant>-<generation of its slot>-<r or w>".
 *
 * Who closes a handle removes its own; an undertaker those of the dead. An object that has ended may have nobody left to bury in it, so pabal_gc() looks at all of them: one
 * that refuses a connection is held by nobody, and never will be again, since a socket has its name only after it was bound (platform/datagram.c), and a generation
 * is not used twice. What became of the object does not matter: one that was destroyed needs its sockets as long as there are handles.
 */
#include "model/descriptor_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pabal/base.h>

#include "platform/datagram.h"

#define PREFIX ".bell-"

static void compose(char *ret_name, unsigned long long ino, uint32_t id, uint32_t generation, char letter)
{
	snprintf(ret_name, PABAL__DESCRIPTOR_NAME_SIZE, PREFIX "%llx-%u-%x-%c", ino, id, generation, letter);
}

void pabal__descriptor_name(const struct pabal__segment *segment, uint32_t id, uint32_t event, char ret_name[PABAL__DESCRIPTOR_NAME_SIZE])
{
	/* relaxed: the slot is ours, or of one that has a descriptor, or of a dead one; a wrong name is nobody's */
	uint64_t slot = atomic_load_explicit(&pabal__participant_at(segment, id)->word, memory_order_relaxed);

	compose(ret_name, segment->ino, id, (uint32_t)(slot >> 32), event == PABAL_READABLE ? 'r' : 'w');
}

/* Both that it may have: the one that it has, and the one under which it is made. */
static void remove_name(const struct pabal__directory *directory, const char *name)
{
	char unfinished[PABAL__DATAGRAM_NAME_SIZE];

	unlinkat(directory->fd, name, 0);
	if (pabal__datagram_unfinished(name, unfinished))
		unlinkat(directory->fd, unfinished, 0);
}

void pabal__descriptor_bury(struct pabal__segment *segment, uint32_t id)
{
	pabal__word *word = pabal__participant_descriptors(segment, id);
	uint64_t bits = atomic_load_explicit(word, memory_order_relaxed); /* it is dead, and we hold its grave */
	struct pabal__directory directory;
	char name[PABAL__DESCRIPTOR_NAME_SIZE];

	if (!(uint32_t)bits)
		return;
	if (pabal__segment_directory(segment, &directory) == 0) { /* else they are left to pabal_gc() */
		for (uint32_t event = PABAL_READABLE; event <= PABAL_WRITABLE; event <<= 1) {
			pabal__descriptor_name(segment, id, event, name);
			if (bits & event)
				remove_name(&directory, name);
		}
		pabal__directory_close(&directory);
	}
	/* Relaxed: the same. In a region others may be telling it still; and its arms go on with the next one to have the slot. */
	atomic_fetch_and_explicit(word, ~UINT64_C(0xffffffff), memory_order_relaxed);
}

/* The number before the next dash; what follows it, or NULL. */
static const char *read_number(const char *text, int base, unsigned long long *ret_number)
{
	char *end;

	*ret_number = strtoull(text, &end, base);
	return *end == '-' ? end + 1 : NULL;
}

/* A name that one of us could have given, finished or not: it is composed again, and compared. */
static bool is_ours(const char *name)
{
	char again[PABAL__DESCRIPTOR_NAME_SIZE], unfinished[PABAL__DATAGRAM_NAME_SIZE];
	unsigned long long ino, id, generation;
	const char *rest;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	rest = read_number(name + strlen(PREFIX), 16, &ino);
	rest = rest ? read_number(rest, 10, &id) : NULL;
	rest = rest ? read_number(rest, 16, &generation) : NULL;
	if (!rest || (*rest != 'r' && *rest != 'w'))
		return false;
	compose(again, ino, (uint32_t)id, (uint32_t)generation, *rest);
	return strcmp(name, again) == 0 || (pabal__datagram_unfinished(again, unfinished) && strcmp(name, unfinished) == 0);
}

static bool is_socket_of_ours(const struct pabal__directory *directory, const char *name, struct stat *ret_st)
{
	return fstatat(directory->fd, name, ret_st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(ret_st->st_mode) && ret_st->st_uid == geteuid();
}

static void sweep_one(const struct pabal__directory *directory, const char *name)
{
	struct stat before, after;

	if (is_ours(name) && is_socket_of_ours(directory, name, &before) && pabal__datagram_is_dead(directory->fd, name) &&
	    is_socket_of_ours(directory, name, &after) && before.st_ino == after.st_ino)
		unlinkat(directory->fd, name, 0);
}

void pabal__descriptor_sweep(const struct pabal__directory *directory)
{
	int fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (!listing) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
		sweep_one(directory, entry->d_name);
	closedir(listing);
}
