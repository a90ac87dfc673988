/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/huge.h - huge pages on tmpfs: are there any, and use them for this mapping.
 *
 * tmpfs gives huge pages to files of a mount that says so (huge=advise, within_size or always), and only where the machine has transparent huge pages at all.
 */
#ifndef PABAL_SRC_PLATFORM_HUGE_H
#define PABAL_SRC_PLATFORM_HUGE_H

#include <stdbool.h>
#include <stddef.h>

/* 0: files of the file system on which @dirfd lies can have huge pages. -ENOTSUP: no, and @ret_why is the reason, a constant for people. */
int pabal__huge_supported(int dirfd, const char **ret_why);

/* Ask for huge pages in this part of a mapping. 0 or -ENOTSUP. */
int pabal__huge_advise(void *data, size_t size);

#endif
