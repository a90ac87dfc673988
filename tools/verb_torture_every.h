/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_torture_every.h - pabal torture --every-instruction: a process is killed before each instruction of a call, one after the other.
 */
#ifndef PABAL_TOOLS_VERB_TORTURE_EVERY_H
#define PABAL_TOOLS_VERB_TORTURE_EVERY_H

#include <stdbool.h>
#include <stdint.h>

struct every {
	const char *operation; /* its name; NULL: those that messages go through; "all": all that there are */
	uint32_t stride;       /* every so many instructions */
	bool json;
};

/** every_names() - the operations that there are, as a list for people. Return: @text. */
const char *every_names(char *text, uint32_t size);

/** every_is_name() - there is such an operation, or it is "all". */
bool every_is_name(const char *name);

/**
 * every_run() - kill, look, print the table. The first time in a process it starts the command again, with the same arguments, in an
 * environment in which the dynamic linker does nothing late.
 * @argv: of the verb
 *
 * Return: STATUS_DONE, or STATUS_FAILED with the reason reported: the invariant that does not hold, say.
 */
int every_run(const struct every *every, int argc, char **argv);

#endif
