/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb.h - the verbs of the command.
 *
 * Each verb is one function in one file, verb_NAME.c, and one line in the table of main.c. It gets its own argument vector, whose first
 * word is "pabal VERB", and returns the exit status of the command. A usage error does not return: argp ends the program with 2.
 */
#ifndef PABAL_TOOLS_VERB_H
#define PABAL_TOOLS_VERB_H

/** The exit statuses of the command; scripts depend on them. */
enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_TIMEOUT = 3 };

struct verb {
	const char *name;
	const char *summary; /* one line for "pabal --help" */
	int (*run)(int argc, char **argv);
};

int verb_create(int argc, char **argv);
int verb_send(int argc, char **argv);
int verb_recv(int argc, char **argv);
int verb_put(int argc, char **argv);
int verb_get(int argc, char **argv);
int verb_announce(int argc, char **argv);
int verb_ls(int argc, char **argv);
int verb_show(int argc, char **argv);
int verb_rm(int argc, char **argv);
int verb_gc(int argc, char **argv);
int verb_fsck(int argc, char **argv);
int verb_why(int argc, char **argv);
int verb_demo(int argc, char **argv);
int verb_torture(int argc, char **argv);

#endif
