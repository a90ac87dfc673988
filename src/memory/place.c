/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/place.c - the absolute path of a directory, and what tells it from another one that has that path later: device and inode.
 *
 * The kernel knows the path of an open directory, links resolved; without /proc libc works it out.
 */
#include "memory/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static char *absolute_path(const struct pabal__directory *directory)
{
	char alias[40], text[sizeof directory->path], *resolved;
	ssize_t length;

	snprintf(alias, sizeof alias, "/proc/self/fd/%d", directory->fd);
	length = readlink(alias, text, sizeof text);
	/* It is cut short, or "(unreachable)...", where our root is not its own. */
	if (length > 0 && length < (ssize_t)sizeof text && text[0] == '/')
		return strndup(text, (size_t)length);
	resolved = realpath(directory->path, NULL);
	return resolved || errno == ENOMEM ? resolved : strdup(directory->path); /* as good as it can be */
}

void pabal__place_spell_out(struct pabal__directory *directory)
{
	char *path = absolute_path(directory);

	if (path && strlen(path) < sizeof directory->path)
		memcpy(directory->path, path, strlen(path) + 1);
	free(path);
}

int pabal__place_of(const struct pabal__directory *directory, struct pabal__place *ret_place)
{
	struct stat st;
	char *path;

	if (fstat(directory->fd, &st))
		return pabal__errno();
	path = absolute_path(directory);
	if (!path)
		return -ENOMEM;
	*ret_place = (struct pabal__place){ .path = path, .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

void pabal__place_forget(struct pabal__place *place)
{
	free(place->path);
	place->path = NULL;
}

int pabal__place_open(const struct pabal__place *place, struct pabal__directory *ret_directory)
{
	struct pabal__directory directory = { .fd = -1 };
	struct stat st;

	if (!place->path || strlen(place->path) >= sizeof directory.path)
		return -ENOENT;
	memcpy(directory.path, place->path, strlen(place->path) + 1);
	/* O_PATH: who may use names in it need not be allowed to list them. */
	directory.fd = open(directory.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory.fd < 0)
		return errno == ENFILE ? -EMFILE : pabal__errno();
	if (fstat(directory.fd, &st) || st.st_dev != place->dev || st.st_ino != place->ino) {
		close(directory.fd);
		return -ENOENT;
	}
	*ret_directory = directory;
	return 0;
}
