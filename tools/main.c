/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - the command "pabal": finds the verb and hands it its arguments.
 *
 * A new verb is one file, one line in verb.h and one line in the table below. Nothing here knows what a verb does; everything that all of
 * them need and that must not be forgotten is here: open standard descriptors, one exit status for wrong usage, output that was written.
 */
#include <argp.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pabal/base.h>

#include "report.h"
#include "verb.h"

static const struct verb verbs[] = {
	{ "create", "make a mailbox, a buffer or a region", verb_create },
	{ "send", "send a message: a text, standard input, or each of its lines", verb_send },
	{ "recv", "receive messages and write them to standard output", verb_recv },
	{ "put", "put items from standard input into a buffer", verb_put },
	{ "get", "get items of a buffer and write them to standard output", verb_get },
	{ "announce", "be a process that others can send to; run a command behind the name", verb_announce },
	{ "ls", "list what there is", verb_ls },
	{ "show", "tell everything about one object", verb_show },
	{ "rm", "remove objects", verb_rm },
	{ "gc", "bury the dead and give unused memory back", verb_gc },
	{ "fsck", "account for every block of an object", verb_fsck },
	{ "why", "tell what a process waits for, and through whom", verb_why },
	{ "demo", "watch processes exchange messages while some of them are killed", verb_demo },
	{ "torture", "try to break it: many processes, random kills, an honest count", verb_torture },
};

static void print_help(FILE *stream)
{
	fputs("Usage: pabal VERB [OPTION...] [NAME | @PROCESS] ...\n"
	      "Mailboxes, buffers, regions and links between the processes of this machine, without a daemon.\n\n",
	      stream);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		fprintf(stream, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n\"pabal VERB --help\" tells the options of a verb, pabal(1) all of it.\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 3 timed out.\n",
	      stream);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/*
 * A missing standard descriptor would be the next one that open() returns, and output would be written into a mailbox. Opened the wrong
 * way round, so that using it still fails as it should.
 */
static int open_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return STATUS_FAILED;
	}
	return STATUS_DONE;
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
	char title[32];

	snprintf(title, sizeof(title), "pabal %s", verb->name);
	argv[0] = title; /* what argp calls the program in its messages */
	return verb->run(argc, argv);
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	char help[] = "--help";

	if (open_standard_descriptors() != STATUS_DONE)
		return STATUS_FAILED;
	atexit(report_unwritten); /* argp ends the program as well */
	argp_err_exit_status = STATUS_USAGE;
	setenv("ARGP_HELP_FMT", "no-dup-args-note", 0); /* a paragraph in each help that tells nobody anything */
	if (argc < 2) {
		print_help(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "version") == 0) {
		printf("pabal %s\n", pabal_version());
		return STATUS_DONE;
	}
	if (argc == 3 && strcmp(argv[1], "help") == 0) { /* "pabal help send" is "pabal send --help" */
		argv[1] = argv[2];
		argv[2] = help;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return STATUS_DONE;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		report("there is no verb '%s'; \"pabal --help\" lists them", argv[1]);
		return STATUS_USAGE;
	}
	return run_verb(verb, argc - 1, argv + 1);
}
