/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/name.h - the names of objects, and the directory that holds them.
 *
 * A name is 1 to 127 bytes of [A-Za-z0-9._-] and does not start with a dot; so it is a file name as it stands, and no name can leave the directory.
 */
#ifndef PABAL_SRC_MEMORY_NAME_H
#define PABAL_SRC_MEMORY_NAME_H

#include <stdbool.h>

/* 0, -EINVAL or -ENAMETOOLONG, with the sentence. */
int pabal__name_check(const char *name);

/* The same for a stranger's claim, without a sentence: @name has room for PABAL_NAME_SIZE bytes. */
bool pabal__name_is_valid(const char *name);

/* An open directory of objects. */
struct pabal__directory {
	int fd;
	bool private_to_us; /* the default one: everything in it must be ours */
	char path[4096];
};

/*
 * Open the directory: $PABAL_DIR, else /dev/shm/pabal-<uid>. With @make the default one is made if it is missing.
 * Errors: -ENOENT, -ENOTSUP (not on tmpfs), -EPERM (the default one is not ours), -EACCES, -ENAMETOOLONG, -EMFILE.
 */
int pabal__directory_open(bool make, struct pabal__directory *ret_directory);

/* Is it the default one? Nobody has chosen that, so it may be missing until somebody makes an object. */
bool pabal__directory_is_default(void);

void pabal__directory_close(struct pabal__directory *directory);

#endif
