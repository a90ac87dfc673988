/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/file.h - memory that has a name: files on tmpfs, their pages, their locks.
 *
 * Every function returns 0 or a negative errno value and says nothing; who calls knows what the file is for and words the error.
 */
#ifndef PABAL_SRC_PLATFORM_FILE_H
#define PABAL_SRC_PLATFORM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A file that has no name yet, in the directory; it is gone if we die before it gets one. */
int pabal__file_make(int dirfd, int *ret_fd);

/* Give the file its name. -EEXIST if that is taken. */
int pabal__file_name(int fd, int dirfd, const char *name);

/* A second open of the same file: locks belong to an open, not to a descriptor. @name serves where /proc is missing. */
int pabal__file_reopen(int fd, int dirfd, const char *name, int *ret_fd);

/* Put real memory behind a range, in pieces, so that no signal can starve it. -ENOSPC: nothing of the range is guaranteed. */
int pabal__file_back(int fd, uint64_t offset, uint64_t size);

/* Give the memory behind a range back; it reads as zeros then. */
int pabal__file_punch(int fd, uint64_t offset, uint64_t size);

/*
 * Liveness: a write lock on one byte, held by a mapping. The descriptor is closed, a fork child does not inherit the mapping, exec and death end it.
 * -EAGAIN: somebody holds it.
 */
int pabal__file_hold(int dirfd, const char *name, int fd, uint64_t byte, void **ret_hold);
void pabal__file_let_go(void *hold);

/* Does anybody hold the byte? 1, 0 or a negative error. */
int pabal__file_is_held(int fd, uint64_t byte);

/* Read a byte: whoever watches the file for reads is told. The caller needs no permission any more but the descriptor. */
void pabal__file_tell(int fd);

/* Lock a byte on this very descriptor, until it is closed. -EAGAIN: somebody else has it. */
int pabal__file_lock(int fd, uint64_t byte);

#endif
