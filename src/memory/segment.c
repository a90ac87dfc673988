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

#include "base/error.h"
#include "platform/file.h"

enum { LARGE = 8 << 20 }; /* bytes; a guess: from here on it is asked first, so that others do not run short while we fail */

/* Can there be room at all? A file system without a limit (no blocks) says nothing of it. */
static bool is_hopeless(int fd, uint64_t size)
{
	struct statvfs fs;

	return size >= LARGE && fstatvfs(fd, &fs) == 0 && fs.f_blocks && (uint64_t)fs.f_bavail * fs.f_frsize < size;
}

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
	void *base = mmap(NULL, segment->size, protection, MAP_SHARED | MAP_NORESERVE, segment->fd, 0);

	if (base == MAP_FAILED)
		return pabal__fail(errno == EACCES ? -EACCES : -ENOMEM, "cannot map %llu bytes of address space for '%s': %s",
				   (unsigned long long)segment->size, segment->name, strerror(errno));
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

static int remember_directory(const struct pabal__directory *directory, struct pabal__segment *segment)
{
	int r = pabal__place_of(directory, &segment->place);

	return r < 0 ? pabal__fail(r, "cannot remember directory %s for '%s': %s", directory->path, segment->name, strerror(-r)) : 0;
}

/* Memory for what an empty object uses: header, first participants, and what its kind says. */
static int fill_new(struct pabal__segment *segment, uint32_t mode)
{
	struct stat st;
	int r;

	if (ftruncate(segment->fd, (off_t)segment->size))
		return pabal__fail(pabal__errno(), "cannot make '%s' %llu bytes large: %s", segment->name, (unsigned long long)segment->size,
				   strerror(errno));
	r = pabal__segment_back(segment, 0, PABAL__PARTICIPANTS_AT + PABAL__PAGE);
	if (r == 0)
		r = segment->kind->back(segment);
	if (r < 0)
		return r;
	if (fchmod(segment->fd, mode)) /* O_TMPFILE obeys the umask; the mode that was asked for does not */
		return pabal__fail(pabal__errno(), "cannot set mode %03o on '%s': %s", mode, segment->name, strerror(errno));
	r = identify(segment, &st);
	return r < 0 ? r : map_segment(segment);
}

int pabal__segment_make(const struct pabal__directory *directory, const char *name, const struct pabal__segment_kind *kind,
			const struct pabal__shape *shape, uint32_t mode, struct pabal__segment *ret_segment)
{
	struct pabal__segment segment = { .fd = -1, .kind = kind, .shape = *shape };
	int r;

	strncpy(segment.name, name, sizeof segment.name - 1);
	kind->lay_out(&segment);
	r = pabal__file_make(directory->fd, &segment.fd);
	if (r < 0)
		return pabal__fail(r == -ENFILE ? -EMFILE : r, "cannot make '%s' in %s: %s", name, directory->path, strerror(-r));
	r = remember_directory(directory, &segment);
	if (r == 0)
		r = fill_new(&segment, mode);
	if (r < 0) {
		pabal__segment_close(&segment);
		return r;
	}
	segment.header->magic = PABAL__MAGIC;
	segment.header->version = PABAL__LAYOUT_VERSION;
	segment.header->kind = kind->number;
	segment.header->shape = *shape;
	*ret_segment = segment;
	return 0;
}

static const char *kind_word(uint32_t kind)
{
	static const char *const words[] = { "object", "region", "buffer", "mailbox", "process" };

	return words[kind < sizeof words / sizeof *words ? kind : 0];
}

/* What was looked for, for people. */
static const char *wanted_word(const struct pabal__segment_kind *const *kinds)
{
	return !kinds[0] || kinds[1] ? "object" : kinds[0]->word;
}

static int open_file(const struct pabal__directory *directory, struct pabal__segment *segment, const struct pabal__segment_kind *const *kinds)
{
	int flags = (segment->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

	segment->fd = openat(directory->fd, segment->name, flags);
	if (segment->fd >= 0)
		return 0;
	switch (errno) {
	case ENOENT:
		return pabal__fail(-ENOENT, "no %s named '%s' in %s: create it first, or check PABAL_DIR", wanted_word(kinds), segment->name,
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

static int choose_kind(struct pabal__segment *segment, uint32_t number, const struct pabal__segment_kind *const *kinds)
{
	const char *wanted;

	for (int i = 0; kinds[i]; i++)
		if (kinds[i]->number == number)
			segment->kind = kinds[i];
	if (segment->kind)
		return 0;
	wanted = wanted_word(kinds);
	return pabal__fail(-EINVAL, "'%s' is a %s, not a%s %s: use the calls of its kind, or another name", segment->name, kind_word(number),
			   *wanted == 'o' ? "n" : "", wanted);
}

/* Does every bit of the shape mean something to us? */
static bool shape_is_sound(const struct pabal__segment *segment)
{
	const struct pabal__shape *shape = &segment->shape;

	for (uint32_t i = 0; i < sizeof shape->reserved / sizeof *shape->reserved; i++)
		if (shape->reserved[i])
			return false;
	return !shape->reserved_ && !(shape->flags & ~segment->kind->shape_flags) && segment->kind->shape_fits(shape);
}

/* The header's first lines as they were at one moment, read without touching the mapping: a file that is cut short meanwhile cannot hurt. */
static int read_shape(const struct pabal__directory *directory, struct pabal__segment *segment, const struct pabal__segment_kind *const *kinds,
		      uint64_t size)
{
	enum { FIRST_LINES = offsetof(struct pabal__header, shape) + sizeof(struct pabal__shape) };
	struct pabal__header header;
	ssize_t got = pread(segment->fd, &header, FIRST_LINES, 0);
	int r;

	if (got != FIRST_LINES || header.magic != PABAL__MAGIC)
		return pabal__fail(-EBADMSG, "'%s' in %s is not a pabal object: another program made it, or it was cut short", segment->name,
				   directory->path);
	if (header.version != PABAL__LAYOUT_VERSION)
		return pabal__fail(
			-EPROTO,
			"'%s' was made by a version of pabal with layout %u; this one reads layout %u: destroy and create it again, or upgrade",
			segment->name, header.version, PABAL__LAYOUT_VERSION);
	r = choose_kind(segment, header.kind, kinds);
	if (r < 0)
		return r;
	segment->shape = header.shape;
	if (!shape_is_sound(segment))
		return pabal__fail(-EBADMSG, "the header of '%s' makes no sense: destroy and create it again", segment->name);
	segment->kind->lay_out(segment);
	if (size != segment->size)
		return pabal__fail(-EBADMSG, "'%s' has %llu bytes where its header says %llu: it was cut short; destroy and create it again",
				   segment->name, (unsigned long long)size, (unsigned long long)segment->size);
	return 0;
}

int pabal__segment_open(const struct pabal__directory *directory, const char *name, const struct pabal__segment_kind *const *kinds, bool read_only,
			struct pabal__segment *ret_segment)
{
	struct pabal__segment segment = { .fd = -1, .read_only = read_only };
	uint64_t size = 0;
	int r;

	strncpy(segment.name, name, sizeof segment.name - 1);
	r = open_file(directory, &segment, kinds);
	if (r == 0)
		r = check_file(directory, &segment, &size);
	if (r == 0)
		r = read_shape(directory, &segment, kinds, size);
	if (r == 0)
		r = remember_directory(directory, &segment);
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
	if (pabal__segment_directory(segment, &directory) < 0)
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
	r = is_hopeless(fd, size) ? -ENOSPC : pabal__file_back(fd, offset, size);
	if (r == -ENOSPC)
		return fail_full(segment, size);
	return r < 0 ? pabal__fail(r, "cannot get memory for '%s': %s", segment->name, strerror(-r)) : 0;
}

void pabal__segment_close(struct pabal__segment *segment)
{
	if (segment->header)
		munmap(segment->header, segment->size);
	if (segment->fd >= 0 && (!segment->ino || fd_is_ours(segment)))
		close(segment->fd);
	pabal__place_forget(&segment->place);
	segment->header = NULL;
	segment->fd = -1;
}
