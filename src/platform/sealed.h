/* SPDX-License-Identifier: Apache-2.0 */
/*
 * platform/sealed.h - memory that one process writes and another one may only read, because the kernel says so.
 *
 * A memfd that its owner maps for writing and then seals: it can neither shrink nor grow, nobody can map it for writing any more, and no seal can be taken off. Whoever is handed such a
 * descriptor checks all of that before it maps it.
 */
#ifndef PABAL_SRC_PLATFORM_SEALED_H
#define PABAL_SRC_PLATFORM_SEALED_H

#include <stdint.h>

/* Memory of @size bytes, mapped for writing here and sealed. Sparse: what is to be used is to be backed first (platform/file.h). */
int pabal__sealed_make(uint64_t size, int *ret_fd, void **ret_memory);

/*
 * Map for reading what somebody else made, if it is such memory of exactly @size bytes. -EBADMSG: it is not (another kind of file, another size, a seal is missing), -ENOMEM.
 * The descriptor stays the caller's; the mapping does not need it.
 */
int pabal__sealed_map(int fd, uint64_t size, const void **ret_memory);

void pabal__sealed_unmap(const void *memory, uint64_t size);

#endif
