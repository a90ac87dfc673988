/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arguments.c - reading the arguments of a verb: argp, but that nothing it prints can command a terminal.
 *
 * argp leaves the finding of options to getopt, which prints one that it does not know as it is, and neither lets us in between. So getopt looks for such an option before argp does, and prints nothing. One
 * that is printable is left to argp to tell of.
 */
#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "options.h"
#include "report.h"
#include "text.h"
#include "verb.h"

enum {
	MOST = 64, /* options of a verb; checked */
	ENDS = OPTION_KEY(0xffe),
	GOES_ON = OPTION_KEY(0xfff),
	A_LETTER = 'x', /* that getopt has not set optopt */
};

/* argp's own. */
static const struct argp_option own[] = {
	{ "help", ENDS, NULL, 0, NULL, 0 },
	{ NULL, '?', NULL, 0, NULL, 0 },
	{ "usage", ENDS, NULL, 0, NULL, 0 },
	{ "program-name", GOES_ON, "NAME", 0, NULL, 0 },
	{ "HANG", GOES_ON, "SECONDS", OPTION_ARG_OPTIONAL, NULL, 0 },
	{ 0 },
};

/* What getopt is told. */
struct known {
	struct option names[MOST + 1];
	char letters[3 * MOST + 2];
	size_t count, length;
};

static void add_option(struct known *known, const struct argp_option *option)
{
	int has_arg = !option->arg ? no_argument : option->flags & OPTION_ARG_OPTIONAL ? optional_argument : required_argument;

	assert(known->count < MOST && known->length + 3 < sizeof(known->letters));
	if (option->name)
		known->names[known->count++] = (struct option){ option->name, has_arg, NULL, option->key };
	if (option->key > ' ' && option->key <= '~') {
		known->letters[known->length++] = (char)option->key;
		for (int i = 0; i < has_arg; i++) /* one colon: there must be an argument; two: there may be one */
			known->letters[known->length++] = ':';
	}
}

static void add_options(struct known *known, const struct argp_option *option)
{
	for (; option && (option->name || option->key || option->doc || option->group); option++)
		if (!(option->flags & OPTION_DOC))
			add_option(known, option);
}

static void add_all(struct known *known, const struct argp *argp)
{
	add_options(known, argp->options);
	for (const struct argp_child *child = argp->children; child && child->argp; child++)
		add_options(known, child->argp->options);
}

/* The first option that getopt would print and that must not be printed as it is, or NULL. @words: a copy, since getopt changes their order. */
static const char *find_raw(const struct known *known, int argc, char **words, unsigned flags, char letter[2])
{
	int programs = 0, key;

	opterr = 0;
	optind = 0; /* begin anew */
	for (;;) {
		optopt = A_LETTER;
		key = getopt_long(argc, words, known->letters, known->names, NULL); /* NOLINT(concurrency-mt-unsafe): there is one thread */
		if (key == -1 || key == ENDS || (key == 1 && (flags & ARGP_IN_ORDER) && ++programs == 2))
			return NULL;
		if (key != '?')
			continue;
		if (optopt == 0)
			return words[optind - 1];
		letter[0] = (char)optopt; /* of several in one word */
		return optopt < ' ' || optopt == 0x7f ? letter : NULL;
	}
}

/* An option that is not known, with bytes that are no text, ends the program here. */
static void refuse_raw(const struct argp *argp, int argc, char **argv, unsigned flags)
{
	struct known known = { .length = 0 };
	char **words = calloc((size_t)argc + 1, sizeof(*words));
	char said[1024], letter[2] = "";
	const char *raw;

	if (!words)
		exit(report("out of memory"));
	memcpy(words, argv, (size_t)argc * sizeof(*words));
	if (flags & ARGP_IN_ORDER)
		known.letters[known.length++] = '-';
	add_all(&known, argp);
	add_options(&known, own);
	raw = find_raw(&known, argc, words, flags, letter);
	free(words);
	if (!raw || strcmp(text_printable(said, sizeof(said), raw), raw) == 0)
		return;
	fprintf(stderr, "%s: unrecognized option '%s'\n", argv[0], said);
	argp_help(argp, stderr, ARGP_HELP_SEE, argv[0]);
	exit(STATUS_USAGE);
}

void arguments_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
	refuse_raw(argp, argc, argv, flags);
	argp_parse(argp, argc, argv, flags, NULL, input);
}
