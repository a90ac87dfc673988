/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/segment.c - making, opening and checking segments.
 *
 * A file that we did not make is a stranger's letter: type, owner, size, magic, version, kind and shape are looked at in this order, each with an error
 * of its own, before the rest of the library sees it.
 */
#include "memory/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <pabal/mailbox.h>

#include "base/error.h"
#include "platform/file.h"

enum { SHAPE_FLAGS = PABAL_MAILBOX_DROP_ON_DEATH | PABAL_TIMESTAMPS | PABAL_EPHEMERAL };

static int fail_full(const struct pabal__segment *segment, uint64_t size)
{
	struct statvfs fs;
	uint64_t unused = fstatvfs(segment->fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;

	return pabal__fail(-ENOSPC, "no memory for '%s': asked for %llu bytes, the file system has %llu left; free some, or remount it larger",
			   segment->name, (unsigned long long)size, (unsigned long long)unused);
}

static int map_segment(struct pabal__segment *segment)
{
	int protection = segment->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	void *base = mmap(NULL, segment->layout.size, protection, MAP_SHARED | MAP_NORESERVE, segment->fd, 0);

	if (base == MAP_FAILED)
		return pabal__fail(errno == EACCES ? -EACCES : -ENOMEM, "cannot map %llu bytes of address space for '%s': %s",
				   (unsigned long long)segment->layout.size, segment->name, strerror(errno));
	segment->header = base;
	return 0;
}

static int identify(struct pabal__segment *segment, struct stat *ret_st)
{
	if (fstat(segment->fd, ret_st))
		return pabal__fail(pabal__errno(), "cannot look at '%s': %s", segment->name, strerror(errno));
	segment->dev = ret_st->st_dev;
	segment->ino = ret_st->st_ino;
	segment->uid = ret_st->st_uid;
	segment->mode = ret_st->st_mode & 07777;
	return 0;
}

/* Memory for what an empty mailbox uses: header, first participants, ring. */
static int fill_new(struct pabal__segment *segment, uint32_t mode)
{
	struct pabal__layout *layout = &segment->layout;
	struct stat st;
	int r;

	if (ftruncate(segment->fd, (off_t)layout->size))
		return pabal__fail(pabal__errno(), "cannot make '%s' %llu bytes large: %s", segment->name, (unsigned long long)layout->size,
				   strerror(errno));
	r = pabal__segment_back(segment, 0, layout->participants + PABAL__PAGE);
	if (r == 0)
		r = pabal__segment_back(segment, layout->ring, (uint64_t)layout->ring_slots * 8);
	if (r < 0)
		return r;
	if (fchmod(segment->fd, mode)) /* O_TMPFILE obeys the umask; the mode that was asked for does not */
		return pabal__fail(pabal__errno(), "cannot set mode %03o on '%s': %s", mode, segment->name, strerror(errno));
	r = identify(segment, &st);
	return r < 0 ? r : map_segment(segment);
}

int pabal__segment_make(const struct pabal__directory *directory, const char *name, const struct pabal__shape *shape, uint32_t mode,
			struct pabal__segment *ret_segment)
{
	struct pabal__segment segment = { .fd = -1, .shape = *shape };
	int r;

	strncpy(segment.name, name, sizeof segment.name - 1);
	pabal__layout_compute(shape, &segment.layout);
	r = pabal__file_make(directory->fd, &segment.fd);
	if (r < 0)
		return pabal__fail(r == -ENFILE ? -EMFILE : r, "cannot make '%s' in %s: %s", name, directory->path, strerror(-r));
	r = fill_new(&segment, mode);
	if (r < 0) {
		pabal__segment_close(&segment);
		return r;
	}
	segment.header->magic = PABAL__MAGIC;
	segment.header->version = PABAL__LAYOUT_VERSION;
	segment.header->kind = PABAL_KIND_MAILBOX;
	segment.header->flags = shape->flags;
	segment.header->capacity = shape->capacity;
	segment.header->memory_max = shape->memory_max;
	*ret_segment = segment;
	return 0;
}

static const char *kind_word(uint32_t kind)
{
	static const char *const words[] = { "object", "region", "buffer", "mailbox", "process" };

	return words[kind < sizeof words / sizeof *words ? kind : 0];
}

static int open_file(const struct pabal__directory *directory, struct pabal__segment *segment, uint32_t kind)
{
	int flags = (segment->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

	segment->fd = openat(directory->fd, segment->name, flags);
	if (segment->fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
		return pabal__fail(-ENOENT, "no %s named '%s' in %s: create it first, or check PABAL_DIR", kind_word(kind), segment->name,
				   directory->path);
	case EACCES:
		return pabal__fail(-EACCES, "no permission to open '%s' in %s: ask its owner to create it with a wider mode", segment->name,
				   directory->path);
	case EMFILE:
	case ENFILE:
		return pabal__fail(-EMFILE, "cannot open '%s': too many open descriptors", segment->name);
	case ELOOP:
	case ENXIO:
	case EISDIR:
	case ENODEV:
		return pabal__fail(-EBADMSG, "'%s' in %s is not a pabal object: it is no regular file", segment->name, directory->path);
	default:
		return pabal__fail(pabal__errno(), "cannot open '%s' in %s: %s", segment->name, directory->path, strerror(errno));
	}
}

static int check_file(const struct pabal__directory *directory, struct pabal__segment *segment, uint64_t *ret_size)
{
	struct stat st;
	int r = identify(segment, &st);

	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode))
		return pabal__fail(-EBADMSG, "'%s' in %s is not a pabal object: it is no regular file", segment->name, directory->path);
	if (directory->private_to_us && st.st_uid != geteuid())
		return pabal__fail(-EPERM, "'%s' in %s belongs to user %u, not to us: set PABAL_DIR to share objects", segment->name, directory->path,
				   (unsigned)st.st_uid);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* The header's first line as it was at one moment, read without touching the mapping: a file that is cut short meanwhile cannot hurt. */
static int read_shape(const struct pabal__directory *directory, struct pabal__segment *segment, uint32_t kind, uint64_t size)
{
	struct pabal__header header;
	ssize_t got = pread(segment->fd, &header, offsetof(struct pabal__header, reserved), 0);

	if (got != (ssize_t)offsetof(struct pabal__header, reserved) || header.magic != PABAL__MAGIC)
		return pabal__fail(-EBADMSG, "'%s' in %s is not a pabal object: another program made it, or it was cut short", segment->name,
				   directory->path);
	if (header.version != PABAL__LAYOUT_VERSION)
		return pabal__fail(
			-EPROTO,
			"'%s' was made by a version of pabal with layout %u; this one reads layout %u: destroy and create it again, or upgrade",
			segment->name, header.version, PABAL__LAYOUT_VERSION);
	if (header.kind != kind)
		return pabal__fail(-EINVAL, "'%s' is a %s, not a %s: use the calls of its kind, or another name", segment->name,
				   kind_word(header.kind), kind_word(kind));
	if (header.capacity < 1 || header.capacity > PABAL__CAPACITY_MAX || header.memory_max < 1 || header.memory_max > PABAL__MEMORY_MAX ||
	    (header.flags & ~(uint32_t)SHAPE_FLAGS))
		return pabal__fail(-EBADMSG, "the header of '%s' makes no sense: destroy and create it again", segment->name);
	segment->shape.flags = header.flags;
	segment->shape.capacity = header.capacity;
	segment->shape.memory_max = header.memory_max;
	pabal__layout_compute(&segment->shape, &segment->layout);
	if (size != segment->layout.size)
		return pabal__fail(-EBADMSG, "'%s' has %llu bytes where its header says %llu: it was cut short; destroy and create it again",
				   segment->name, (unsigned long long)size, (unsigned long long)segment->layout.size);
	return 0;
}

int pabal__segment_open(const struct pabal__directory *directory, const char *name, uint32_t kind, bool read_only, struct pabal__segment *ret_segment)
{
	struct pabal__segment segment = { .fd = -1, .read_only = read_only };
	uint64_t size = 0;
	int r;

	strncpy(segment.name, name, sizeof segment.name - 1);
	r = open_file(directory, &segment, kind);
	if (r == 0)
		r = check_file(directory, &segment, &size);
	if (r == 0)
		r = read_shape(directory, &segment, kind, size);
	if (r == 0)
		r = map_segment(&segment);
	if (r < 0) {
		pabal__segment_close(&segment);
		return r;
	}
	*ret_segment = segment;
	return 0;
}

static bool fd_is_ours(const struct pabal__segment *segment)
{
	struct stat st;

	return segment->fd >= 0 && fstat(segment->fd, &st) == 0 && st.st_dev == segment->dev && st.st_ino == segment->ino;
}

int pabal__segment_fd(struct pabal__segment *segment)
{
	struct pabal__directory directory;

	if (fd_is_ours(segment))
		return segment->fd;
	/* The program closed it (closefrom, a daemon's clean-up), and the number may by now be a file of its own: never touch that. */
	segment->fd = -1;
	if (pabal__directory_open(false, &directory) < 0)
		return -EBADF;
	segment->fd = openat(directory.fd, segment->name, (segment->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	pabal__directory_close(&directory);
	if (fd_is_ours(segment))
		return segment->fd;
	if (segment->fd >= 0)
		close(segment->fd);
	segment->fd = -1;
	return -EBADF;
}

int pabal__segment_back(struct pabal__segment *segment, uint64_t offset, uint64_t size)
{
	int fd = segment->ino ? pabal__segment_fd(segment) : segment->fd;
	int r;

	if (fd < 0)
		return pabal__fail(-EBADF, "the program closed the descriptor of '%s', which has no name any more: open it again", segment->name);
	r = pabal__file_back(fd, offset, size);
	if (r == -ENOSPC)
		return fail_full(segment, size);
	return r < 0 ? pabal__fail(r, "cannot get memory for '%s': %s", segment->name, strerror(-r)) : 0;
}

void pabal__segment_close(struct pabal__segment *segment)
{
	if (segment->header)
		munmap(segment->header, segment->layout.size);
	if (segment->fd >= 0 && (!segment->ino || fd_is_ours(segment)))
		close(segment->fd);
	segment->header = NULL;
	segment->fd = -1;
}
