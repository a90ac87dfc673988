/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/file.c - files on tmpfs.
 *
 * A file is made without a name (O_TMPFILE), filled, and linked: nobody ever sees half of one, and nothing is left behind by a death in between. Where
 * /proc is not mounted, linking an unnamed descriptor is impossible without privilege; then the caller gets the kernel's error.
 */
#include "platform/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { BACK_PIECE = 4 << 20 }; /* bytes a fallocate call: a signal restarts the call from nothing, and 4 MiB are zeroed between two timer ticks */

int pabal__file_make(int dirfd, int *ret_fd)
{
	int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return pabal__errno();
	*ret_fd = fd;
	return 0;
}

int pabal__file_name(int fd, int dirfd, const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return pabal__errno();
	return linkat(fd, "", dirfd, name, AT_EMPTY_PATH) ? pabal__errno() : 0; /* no /proc: needs CAP_DAC_READ_SEARCH */
}

static bool same_file(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int pabal__file_reopen(int fd, int dirfd, const char *name, int *ret_fd)
{
	char path[64];
	int again;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	if (again < 0 && errno == ENOENT && name)
		again = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (again < 0)
		return pabal__errno();
	if (!same_file(fd, again)) {
		close(again);
		return -ENOENT;
	}
	*ret_fd = again;
	return 0;
}

int pabal__file_back(int fd, uint64_t offset, uint64_t size)
{
	while (size) {
		uint64_t piece = size < BACK_PIECE ? size : BACK_PIECE;

		if (fallocate(fd, 0, (off_t)offset, (off_t)piece)) {
			if (errno == EINTR)
				continue;
			return pabal__errno();
		}
		offset += piece;
		size -= piece;
	}
	return 0;
}

int pabal__file_punch(int fd, uint64_t offset, uint64_t size)
{
	while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size))
		if (errno != EINTR)
			return pabal__errno();
	return 0;
}

void pabal__file_tell(int fd)
{
	char byte;

	if (pread(fd, &byte, 1, 0) < 0) {
		/* There is nothing else that we could do. */
	}
}

static int lock_byte(int fd, int command, short type, uint64_t byte, short *ret_type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1 };

	if (fcntl(fd, command, &lock))
		return errno == EACCES ? -EAGAIN : pabal__errno();
	if (ret_type)
		*ret_type = lock.l_type;
	return 0;
}

int pabal__file_lock(int fd, uint64_t byte)
{
	return lock_byte(fd, F_OFD_SETLK, F_WRLCK, byte, NULL);
}

int pabal__file_is_held(int fd, uint64_t byte)
{
	short type = F_UNLCK;
	int r = lock_byte(fd, F_OFD_GETLK, F_RDLCK, byte, &type);

	return r < 0 ? r : type != F_UNLCK;
}

int pabal__file_hold(int dirfd, const char *name, int fd, uint64_t byte, void **ret_hold)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	int again = -1, r;
	void *page;

	r = pabal__file_reopen(fd, dirfd, name, &again);
	if (r < 0)
		return r;
	r = pabal__file_lock(again, byte);
	if (r == 0) {
		page = mmap(NULL, size, PROT_NONE, MAP_SHARED, again, 0);
		if (page == MAP_FAILED)
			r = -ENOMEM;
		else if (madvise(page, size, MADV_DONTFORK)) {
			munmap(page, size);
			r = -ENOMEM;
		} else {
			*ret_hold = page;
		}
	}
	close(again);
	return r;
}

void pabal__file_let_go(void *hold)
{
	if (hold)
		munmap(hold, (size_t)sysconf(_SC_PAGESIZE));
}
