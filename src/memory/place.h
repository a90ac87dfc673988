/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory/place.h - where a directory of objects is, for as long as a handle lives.
 *
 * The directory is found once, by $PABAL_DIR and by who we are, when an object is created or opened. What a handle does there later (the sockets of descriptors, the end of an ephemeral object, opening the file
 * anew) it does in that same directory, whatever the program has done with its working directory, its environment and its user since. No descriptor is kept for it: programs close those.
 */
#ifndef PABAL_SRC_MEMORY_PLACE_H
#define PABAL_SRC_MEMORY_PLACE_H

#include <sys/types.h>

#include "memory/name.h"

struct pabal__place {
	char *path; /* absolute; NULL: forgotten, or never known */
	dev_t dev;
	ino_t ino;
};

/* Make its path absolute, if it can be told: for who keeps @directory while the program may change its own directory. */
void pabal__place_spell_out(struct pabal__directory *directory);

/* Where @directory is. -ENOMEM, or what fstat(2) says. */
int pabal__place_of(const struct pabal__directory *directory, struct pabal__place *ret_place);
void pabal__place_forget(struct pabal__place *place);

/*
 * Open it again, for names in it alone: not to be read. Says nothing; who calls words the error. -ENOENT: another directory, or none, is there now; -EACCES, -EMFILE.
 */
int pabal__place_open(const struct pabal__place *place, struct pabal__directory *ret_directory);

#endif
