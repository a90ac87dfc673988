/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/guards.c - a page without access before and behind each mapping of a file.
 *
 * For tests whose linker sends mmap() and munmap() here: -Wl,--wrap=mmap -Wl,--wrap=munmap. Whoever is led out of a mapping by a lie crashes.
 */
#include <stddef.h>
#include <sys/mman.h>

enum { GUARD = 4096, MAPPINGS = 4096 };

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t size);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t size);

static void *guarded[MAPPINGS];

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	char *room;

	if (address || fd < 0)
		return __real_mmap(address, size, protection, flags, fd, offset);
	room = __real_mmap(NULL, size + 2 * (size_t)GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	address = __real_mmap(room + GUARD, size, protection, flags | MAP_FIXED, fd, offset);
	for (int i = 0; address != MAP_FAILED && i < MAPPINGS; i++) {
		if (!guarded[i]) {
			guarded[i] = address;
			break;
		}
	}
	return address;
}

int __wrap_munmap(void *address, size_t size)
{
	for (int i = 0; i < MAPPINGS; i++) {
		if (guarded[i] == address) {
			guarded[i] = NULL;
			return __real_munmap((char *)address - GUARD, size + 2 * (size_t)GUARD);
		}
	}
	return __real_munmap(address, size);
}
