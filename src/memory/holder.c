/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/holder.c - taking a name, giving it up, and taking it from the dead.
 *
 * Once nobody holds the byte of a file, nobody ever will again: a holder makes a file of its own. So "is dead" needs no lock; only looking whether the name still is that file's, and removing it, is
 * done by one at a time, who locks the grave (byte 2^41 + 1). The instance of a file is read as bytes and written as hex digits, so no name that follows from it can leave the directory.
 */
#include "memory/holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fault.h"
#include "memory/participant.h"
#include "platform/cpu.h"
#include "platform/file.h"
#include "platform/fork.h"
#include "platform/socket.h"

#define LIFE ((UINT64_C(1) << 40) + 1) /* as participant 1 of any object */
#define SOCKET_PREFIX ".sock-"
#define NEW_PREFIX ".new-"

enum {
	HOLDER_SIZE = PABAL__PAGE + PABAL__HOLDER_ENTRIES / (PABAL__PAGE / sizeof(struct pabal__holder_entry)) * PABAL__PAGE + PABAL__PAGE,
	NAME_TRIES = 1000, /* rounds against others who take or bury the same name; a nap each */
	NAME_NAP_NS = 1000000,
	GRACE_TRIES = 10, /* for a name that is held: together 20 ms; the kernel's work queue takes one tick, 1 to 10 ms */
	GRACE_NAP_NS = 2000000,
};

static void hidden_name(const char *prefix, const unsigned char *instance, char ret_name[PABAL__HOLDER_SOCKET_SIZE])
{
	int at = snprintf(ret_name, PABAL__HOLDER_SOCKET_SIZE, "%s", prefix);

	for (int i = 0; i < PABAL__INSTANCE_SIZE; i++)
		at += snprintf(ret_name + at, PABAL__HOLDER_SOCKET_SIZE - (size_t)at, "%02x", instance[i]);
}

static void remove_socket(const struct pabal__directory *directory, const unsigned char *instance)
{
	char name[PABAL__HOLDER_SOCKET_SIZE];

	hidden_name(SOCKET_PREFIX, instance, name);
	unlinkat(directory->fd, name, 0);
}

static int fill_new(struct pabal__holder *holder, uint32_t mode, uint64_t memory_max)
{
	struct stat st;
	void *page;
	int r;

	if (getrandom(holder->instance, sizeof holder->instance, 0) != sizeof holder->instance)
		return -EIO;
	if (ftruncate(holder->fd, HOLDER_SIZE))
		return pabal__errno();
	r = pabal__file_back(holder->fd, 0, PABAL__PAGE);
	if (r < 0)
		return r;
	/* Never more than reading for others: who may write a file may truncate it under its owner. */
	if (fchmod(holder->fd, (mode & 0444) | (mode & 0200)) || fstat(holder->fd, &st))
		return pabal__errno();
	page = mmap(NULL, HOLDER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, holder->fd, 0);
	if (page == MAP_FAILED)
		return -ENOMEM;
	holder->page = page;
	holder->dev = st.st_dev;
	holder->ino = st.st_ino;
	holder->page->magic = PABAL__MAGIC;
	holder->page->version = PABAL__LAYOUT_VERSION;
	holder->page->kind = PABAL_KIND_PROCESS;
	memcpy(holder->page->instance, holder->instance, sizeof holder->instance);
	holder->page->pid = (uint32_t)getpid();
	holder->page->uid = (uint32_t)geteuid();
	holder->page->memory_max = memory_max;
	return 0;
}

int pabal__holder_make(const struct pabal__directory *directory, uint32_t mode, uint64_t memory_max, struct pabal__holder *ret_holder)
{
	struct pabal__holder holder = { .fd = -1 };
	int r = pabal__file_make(directory->fd, &holder.fd);

	if (r == 0)
		r = fill_new(&holder, mode, memory_max);
	if (r == 0) {
		pabal__fork_guard();
		r = pabal__file_hold(directory->fd, NULL, holder.fd, LIFE, &holder.hold);
		pabal__fork_unguard();
	}
	if (r == 0) {
		hidden_name(NEW_PREFIX, holder.instance, holder.name);
		hidden_name(SOCKET_PREFIX, holder.instance, holder.socket_name);
		r = pabal__file_name(holder.fd, directory->fd, holder.name);
	}
	if (r < 0) {
		pabal__holder_close(directory, &holder, false);
		return pabal__fail(r == -ENFILE ? -EMFILE : r, "cannot make the file of a process in %s: %s", directory->path, strerror(-r));
	}
	holder.named = true;
	*ret_holder = holder;
	return 0;
}

void pabal__holder_close(const struct pabal__directory *directory, struct pabal__holder *holder, bool left)
{
	struct stat st;

	if (left && holder->named) {
		unlinkat(directory->fd, holder->socket_name, 0);
		/* Nobody takes the name from a living holder, so it is still ours, unless somebody removed it by hand. */
		if (fstatat(directory->fd, holder->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == holder->ino && st.st_dev == holder->dev)
			unlinkat(directory->fd, holder->name, 0);
	}
	if (holder->page)
		munmap(holder->page, HOLDER_SIZE);
	if (left || !holder->named) /* in a child the mapping was never there */
		pabal__file_let_go(holder->hold);
	if (holder->fd >= 0 && (!holder->named || (fstat(holder->fd, &st) == 0 && st.st_ino == holder->ino && st.st_dev == holder->dev)))
		close(holder->fd);
	holder->page = NULL;
	holder->hold = NULL;
	holder->fd = -1;
}

/* The head of a file that somebody made, and whether it is that of a process. */
static int read_head(const struct pabal__directory *directory, const char *name, int fd, struct pabal__holder_page *ret_head)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return pabal__fail(-EBADMSG, "'%s' in %s is not a pabal object: it is no regular file", name, directory->path);
	if (directory->private_to_us && st.st_uid != geteuid())
		return pabal__fail(-EPERM, "'%s' in %s belongs to user %u, not to us: set PABAL_DIR to share objects", name, directory->path,
				   (unsigned)st.st_uid);
	if (pread(fd, ret_head, offsetof(struct pabal__holder_page, entries_high), 0) != (ssize_t)offsetof(struct pabal__holder_page, entries_high) ||
	    ret_head->magic != PABAL__MAGIC)
		return pabal__fail(-EBADMSG, "'%s' in %s is not a pabal object: another program made it, or it was cut short", name, directory->path);
	if (ret_head->kind != PABAL_KIND_PROCESS)
		return pabal__fail(-EINVAL, "'%s' is no process, but an object of another kind: use another name", name);
	return 0;
}

static int open_file(const struct pabal__directory *directory, const char *name, int flags)
{
	int fd = openat(directory->fd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENFILE:
		return -EMFILE;
	case ELOOP:
	case ENXIO:
	case EISDIR:
	case ENODEV:
		return -EBADMSG;
	default:
		return pabal__errno();
	}
}

int pabal__holder_look(const struct pabal__directory *directory, const char *name, struct pabal__holder_info *ret_info, int *ret_fd)
{
	struct pabal__holder_page head = { .magic = 0 };
	int fd = open_file(directory, name, O_RDONLY), r;
	struct stat st = { .st_uid = 0 };

	if (fd == -ENOENT)
		return pabal__fail(fd, "no process named '%s' in %s: nobody has announced it, or check PABAL_DIR", name, directory->path);
	if (fd < 0)
		return pabal__fail(fd, "cannot look at '%s' in %s: %s", name, directory->path, strerror(-fd));
	r = read_head(directory, name, fd, &head);
	if (r == 0 && head.version != PABAL__LAYOUT_VERSION)
		r = pabal__fail(-EPROTO, "'%s' was announced by a version of pabal with layout %u; this one reads layout %u", name, head.version,
				PABAL__LAYOUT_VERSION);
	if (r == 0 && fstat(fd, &st))
		r = pabal__errno();
	if (r < 0) {
		close(fd);
		return r;
	}
	memcpy(ret_info->instance, head.instance, sizeof ret_info->instance);
	hidden_name(SOCKET_PREFIX, head.instance, ret_info->socket_name);
	ret_info->claimed_pid = head.pid;
	ret_info->claimed_uid = head.uid;
	ret_info->memory_max = head.memory_max;
	ret_info->uid = st.st_uid;
	ret_info->mode = st.st_mode & 07777;
	ret_info->alive = pabal__file_is_held(fd, LIFE) != 0; /* cannot tell: alive */
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return 0;
}

/* The grave is locked, on @fd. Remove the name if it is still this file's. */
static int bury_locked(const struct pabal__directory *directory, const char *name, int fd, const struct pabal__holder_page *head)
{
	struct stat here, there;

	if (fstat(fd, &here) || fstatat(directory->fd, name, &there, AT_SYMLINK_NOFOLLOW) ||
	    ((here.st_ino != there.st_ino || here.st_dev != there.st_dev) && !PABAL__FAULT(NO_RESTAT)))
		return 0; /* another one did it */
	remove_socket(directory, head->instance);
	return unlinkat(directory->fd, name, 0) ? pabal__errno() : 1;
}

static int cannot_take(const struct pabal__directory *directory, const char *name, int error)
{
	return pabal__fail(error, "cannot take the name '%s' in %s: %s", name, directory->path, strerror(-error));
}

static int is_taken(const struct pabal__directory *directory, const char *name)
{
	return pabal__fail(-EADDRINUSE, "a living process in %s has the name '%s': choose another one", directory->path, name);
}

/* What has the name, open as @fd: 0: a dead process; negative: who has the name keeps it, with the sentence. */
static int look_for_room(const struct pabal__directory *directory, const char *name, int fd, bool may_write, struct pabal__holder_page *ret_head)
{
	int r = fd;

	if (fd == -EACCES)
		return pabal__fail(
			fd,
			"'%s' in %s is another user's, and whether its process lives cannot be seen: choose another name, or look as that user or as root",
			name, directory->path);
	if (fd < 0 && fd != -EBADMSG)
		return cannot_take(directory, name, fd);
	if (fd >= 0)
		r = read_head(directory, name, fd, ret_head);
	if (r == -EINVAL || r == -EBADMSG)
		return pabal__fail(-EEXIST, "'%s' in %s is no process, but something else: destroy that, or choose another name", name,
				   directory->path);
	if (r < 0)
		return r;
	if (pabal__file_is_held(fd, LIFE))
		return is_taken(directory, name);
	if (!may_write)
		return pabal__fail(-EACCES, "'%s' in %s belonged to a process of another user, which is dead: let that user or root run pabal gc",
				   name, directory->path);
	return 0;
}

/* 1: it was dead and is gone; 0: look again; negative: who has the name keeps it, with the sentence. */
static int make_room(const struct pabal__directory *directory, const char *name)
{
	struct pabal__holder_page head;
	int fd = open_file(directory, name, O_RDWR), r;
	bool may_write = fd != -EACCES;

	if (!may_write)
		fd = open_file(directory, name, O_RDONLY);
	if (fd == -ENOENT)
		return 0;
	r = look_for_room(directory, name, fd, may_write, &head);
	if (r == 0) {
		/* A fork must not hand a child a share in the lock. */
		pabal__fork_guard();
		r = pabal__file_lock(fd, pabal__participant_grave(1));
		r = r == 0 ? bury_locked(directory, name, fd, &head) : r == -EAGAIN ? 0 : r;
		close(fd);
		pabal__fork_unguard();
		return r < 0 ? cannot_take(directory, name, r) : r;
	}
	if (fd >= 0)
		close(fd);
	return r;
}

/*
 * The kernel tells of a death by the dead one's sockets first and lets its mapping of the name's file go a moment later, in a work queue: so who has just heard
 * -EOWNERDEAD may still find the name held. It is looked at for a while before a living holder is believed in.
 */
static int make_room_patiently(const struct pabal__directory *directory, const char *name)
{
	int r = make_room(directory, name);

	for (int i = 0; r == -EADDRINUSE && i < GRACE_TRIES; i++) {
		pabal__cpu_nap(GRACE_NAP_NS);
		r = make_room(directory, name);
	}
	return r;
}

int pabal__holder_name(const struct pabal__directory *directory, struct pabal__holder *holder, const char *name)
{
	int r;

	for (int i = 0; i < NAME_TRIES; i++) {
		if (renameat2(directory->fd, holder->name, directory->fd, name, RENAME_NOREPLACE) == 0) {
			memset(holder->name, 0, sizeof holder->name);
			memcpy(holder->name, name, strnlen(name, sizeof holder->name - 1));
			return 0;
		}
		if (errno != EEXIST)
			return cannot_take(directory, name, pabal__errno());
		r = make_room_patiently(directory, name);
		if (r < 0)
			return r;
		if (r == 0) /* it just went, or somebody else is burying it */
			pabal__cpu_nap(i ? NAME_NAP_NS : 0);
	}
	return is_taken(directory, name); /* others keep taking it */
}

int pabal__holder_bury(const struct pabal__directory *directory, const char *name)
{
	return make_room(directory, name) == 1;
}

/* A hidden name of ours: its instance. */
static bool parse_hidden(const char *name, const char *prefix, unsigned char *ret_instance)
{
	size_t length = strlen(prefix);
	char again[PABAL__HOLDER_SOCKET_SIZE];

	if (strncmp(name, prefix, length) != 0 || strlen(name) != length + (size_t)2 * PABAL__INSTANCE_SIZE)
		return false;
	for (int i = 0; i < PABAL__INSTANCE_SIZE; i++) {
		char digits[3] = { name[length + 2 * (size_t)i], name[length + 2 * (size_t)i + 1], 0 };

		ret_instance[i] = (unsigned char)strtoul(digits, NULL, 16);
	}
	hidden_name(prefix, ret_instance, again);
	return strcmp(name, again) == 0;
}

/* Is this socket one that nobody will ever listen on again? */
static bool socket_is_dead(const struct pabal__directory *directory, const char *name, const unsigned char *instance)
{
	char before[PABAL__HOLDER_SOCKET_SIZE];
	int fd, socket = -1, r;

	/* While its file has not been renamed it may not listen yet; a file that is renamed, or gone, did or never will. */
	hidden_name(NEW_PREFIX, instance, before);
	fd = open_file(directory, before, O_RDONLY);
	if (fd >= 0) {
		r = pabal__file_is_held(fd, LIFE);
		close(fd);
		if (r != 0)
			return false;
	} else if (fd != -ENOENT) {
		return false;
	}
	r = pabal__socket_connect(directory->fd, name, &socket);
	if (r == 0)
		close(socket);
	return r == -ECONNREFUSED;
}

uint32_t pabal__holder_sweep(const struct pabal__directory *directory)
{
	unsigned char instance[PABAL__INSTANCE_SIZE];
	int fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint32_t count = 0;

	if (!listing) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(listing))) {
		if (parse_hidden(entry->d_name, NEW_PREFIX, instance))
			count += make_room(directory, entry->d_name) == 1;
		else if (parse_hidden(entry->d_name, SOCKET_PREFIX, instance) && socket_is_dead(directory, entry->d_name, instance))
			count += unlinkat(directory->fd, entry->d_name, 0) == 0;
	}
	closedir(listing);
	return count;
}
