/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/name.c - names and the directory.
 *
 * In an explicit $PABAL_DIR file modes alone decide who may do what. The default directory is one user's own: mode 0700 and owned by us, or we do not
 * touch it, since anybody may make /dev/shm/pabal-1000 before user 1000 does.
 */
#include "memory/name.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <pabal/base.h>

#include "base/error.h"

static bool name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' ||
	       byte == '-';
}

int pabal__name_check(const char *name)
{
	size_t size;

	if (!name || !*name)
		return pabal__fail(-EINVAL, "the name is empty: give 1 to %d characters of A-Z a-z 0-9 . _ -", PABAL_NAME_SIZE - 1);
	if (name[0] == '.')
		return pabal__fail(-EINVAL, "the name '%.140s' starts with a dot: such names are pabal's own", name);
	size = strnlen(name, PABAL_NAME_SIZE);
	for (size_t i = 0; i < size; i++)
		if (!name_byte(name[i]))
			return pabal__fail(-EINVAL, "the name '%.140s' holds a character that is not one of A-Z a-z 0-9 . _ -", name);
	if (size == PABAL_NAME_SIZE)
		return pabal__fail(-ENAMETOOLONG, "the name '%.20s...' is longer than %d characters", name, PABAL_NAME_SIZE - 1);
	return 0;
}

bool pabal__name_is_valid(const char *name)
{
	size_t size = strnlen(name, PABAL_NAME_SIZE);

	for (size_t i = 0; i < size; i++)
		if (!name_byte(name[i]))
			return false;
	return size > 0 && size < PABAL_NAME_SIZE && name[0] != '.';
}

static int check_directory(const struct pabal__directory *directory)
{
	struct statfs fs;
	struct stat st;

	if (fstat(directory->fd, &st) || fstatfs(directory->fd, &fs))
		return pabal__fail(pabal__errno(), "cannot look at directory %s: %s", directory->path, strerror(errno));
	if (fs.f_type != TMPFS_MAGIC)
		return pabal__fail(-ENOTSUP, "directory %s is not on tmpfs: set PABAL_DIR to one that is, for example below /dev/shm",
				   directory->path);
	if (directory->private_to_us && (st.st_uid != geteuid() || (st.st_mode & 077)))
		return pabal__fail(-EPERM, "directory %s is not ours alone (owner %u, mode %03o): remove it, or set PABAL_DIR", directory->path,
				   (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
	return 0;
}

/* The directory that the user has chosen; NULL: none. */
static const char *chosen(void)
{
	const char *given = secure_getenv("PABAL_DIR");

	return given && *given ? given : NULL;
}

bool pabal__directory_is_default(void)
{
	return !chosen();
}

int pabal__directory_open(bool make, struct pabal__directory *ret_directory)
{
	struct pabal__directory directory = { .fd = -1 };
	const char *given = chosen();
	int r, length;

	directory.private_to_us = !given;
	if (directory.private_to_us)
		length = snprintf(directory.path, sizeof directory.path, "/dev/shm/pabal-%u", (unsigned)geteuid());
	else
		length = snprintf(directory.path, sizeof directory.path, "%s", given);
	if (length >= (int)sizeof directory.path)
		return pabal__fail(-ENAMETOOLONG, "PABAL_DIR is longer than %zu characters", sizeof directory.path - 1);
	if (directory.private_to_us && make && mkdir(directory.path, 0700) && errno != EEXIST)
		return pabal__fail(pabal__errno(), "cannot make directory %s: %s", directory.path, strerror(errno));
	directory.fd = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (directory.private_to_us ? O_NOFOLLOW : 0));
	if (directory.fd < 0) {
		r = errno == ENFILE ? -EMFILE : errno == ENOTDIR || errno == ELOOP ? -EINVAL : pabal__errno();
		return pabal__fail(r, "cannot open directory %s%s: %s", directory.path, directory.private_to_us ? "" : " (PABAL_DIR)",
				   strerror(errno));
	}
	r = check_directory(&directory);
	if (r < 0) {
		close(directory.fd);
		return r;
	}
	*ret_directory = directory;
	return 0;
}

void pabal__directory_close(struct pabal__directory *directory)
{
	if (directory->fd >= 0)
		close(directory->fd);
	directory->fd = -1;
}
