/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/sealed.c - memfds and their seals.
 *
 * The order of making: size, mapping, seals. F_SEAL_FUTURE_WRITE leaves the mappings that exist and refuses all others, mprotect, write(2), punching holes and reopening through /proc
 * included. F_SEAL_SHRINK is what protects the reader from SIGBUS. A file on a tmpfs that is mounted somewhere can be sealed by nobody, so it does not pass; a memfd of huge pages can be, but
 * reading a hole of it may raise SIGBUS, so it does not pass either: it is not on tmpfs.
 */
#include "platform/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fault.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3; older kernels say -EINVAL */
#endif

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL };

int pabal__sealed_make(uint64_t size, int *ret_fd, void **ret_memory)
{
	int fd = memfd_create("pabal-link", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL), r;
	void *memory = MAP_FAILED;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("pabal-link", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return errno == ENFILE ? -EMFILE : pabal__errno();
	r = ftruncate(fd, (off_t)size) ? pabal__errno() : 0;
	if (r == 0) {
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
		if (memory == MAP_FAILED)
			r = -ENOMEM;
	}
	/* A child has no business in a link of its parent's: its handle says -ESTALE. */
	if (r == 0 && madvise(memory, size, MADV_DONTFORK))
		r = -ENOMEM;
	if (r == 0 && fcntl(fd, F_ADD_SEALS, SEALS))
		r = pabal__errno();
	if (r < 0) {
		if (memory != MAP_FAILED)
			munmap(memory, size);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_memory = memory;
	return 0;
}

static int check(int fd, uint64_t size)
{
	struct statfs fs;
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || ((seals & SEALS) != SEALS && !PABAL__FAULT(NO_SEAL_CHECK)))
		return -EBADMSG;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || ((uint64_t)st.st_size != size && !PABAL__FAULT(NO_SIZE_CHECK)))
		return -EBADMSG;
	if (fstatfs(fd, &fs) || fs.f_type != TMPFS_MAGIC)
		return -EBADMSG;
	return 0;
}

int pabal__sealed_map(int fd, uint64_t size, const void **ret_memory)
{
	int r = check(fd, size);
	void *memory;

	if (r < 0)
		return r;
	memory = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (memory == MAP_FAILED) {
		if (errno == ENOMEM)
			return -ENOMEM;
		return -EBADMSG; /* it may not be read: opened for writing alone */
	}
	if (madvise(memory, size, MADV_DONTFORK)) {
		munmap(memory, size);
		return -ENOMEM;
	}
	*ret_memory = memory;
	return 0;
}

void pabal__sealed_unmap(const void *memory, uint64_t size)
{
	munmap((void *)memory, size);
}
