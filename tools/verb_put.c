/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_put.c - pabal put NAME: items of a buffer from standard input.
 *
 * Standard input is items side by side, or with --lines one a line: a line is filled up with zero bytes, and one that is too long ends the program. Bytes at the end that are no
 * whole item are an error, after the whole ones were put.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pabal/buffer.h>

#include "arguments.h"
#include "lines.h"
#include "options.h"
#include "report.h"
#include "verb.h"

enum { BATCH_BYTES = 65536 /* a guess: a pipe's worth */ };

static const struct argp_option options[] = {
	{ "lines", 'l', NULL, 0, "Each line is an item, without its newline, filled up with zero bytes", 0 },
	{ "timeout", 't', "TIME", 0, "Give up when it is full for that long (exit status 3)", 0 },
	{ 0 },
};

struct arguments {
	const char *name;
	int64_t timeout_ns;
	bool lines;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'l':
		arguments->lines = true;
		return 0;
	case 't':
		arguments->timeout_ns = option_duration(state, "--timeout", text, 0);
		return 0;
	case ARGP_KEY_ARG:
		option_name(state, &arguments->name, text);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int put_all(pabal_buffer *buffer, const char *items, size_t item_size, size_t count, int64_t timeout_ns)
{
	while (count) {
		uint32_t in = 0;
		int r = pabal_buffer_put(buffer, items, (uint32_t)count, &in, timeout_ns);

		if (r < 0)
			return report_call(r);
		items += in * item_size;
		count -= in;
	}
	return STATUS_DONE;
}

/* An item goes on as soon as all of it is here: what there is of a pipe is read, not a whole batch. */
static int put_input(pabal_buffer *buffer, const struct arguments *arguments, size_t item_size)
{
	size_t room = item_size < BATCH_BYTES ? BATCH_BYTES / item_size * item_size : item_size, have = 0;
	char *items = malloc(room);
	int status = STATUS_DONE;
	ssize_t got = 1;

	if (!items)
		return report("out of memory");
	while (status == STATUS_DONE && got != 0) {
		got = read(STDIN_FILENO, items + have, room - have);
		if (got < 0 && errno != EINTR)
			status = report("standard input could not be read: %m");
		if (got <= 0)
			continue;
		have += (size_t)got;
		status = put_all(buffer, items, item_size, have / item_size, arguments->timeout_ns);
		memmove(items, items + have / item_size * item_size, have % item_size);
		have %= item_size;
	}
	if (status == STATUS_DONE && have)
		status = report("%zu bytes are left over at the end: items of '%s' have %zu", have, arguments->name, item_size);
	free(items);
	return status;
}

static int put_lines(pabal_buffer *buffer, const struct arguments *arguments, size_t item_size)
{
	struct lines lines = { .fd = STDIN_FILENO, .size_max = item_size };
	char *line, *item = malloc(item_size);
	int r = 0, status = STATUS_DONE;
	size_t size;

	if (!item)
		return report("out of memory");
	while (status == STATUS_DONE && (r = lines_next(&lines, &line, &size)) == 0) {
		memcpy(item, line, size);
		memset(item + size, 0, item_size - size);
		status = put_all(buffer, item, item_size, 1, arguments->timeout_ns);
	}
	if (r == -EMSGSIZE)
		status = report("line %llu is longer than an item of '%s', which has %zu bytes: what came before it was put", lines.number,
				arguments->name, item_size);
	else if (r < 0 && r != -EPIPE)
		status = report("standard input could not be read after line %llu: %s", lines.number, strerror(-r));
	lines_free(&lines);
	free(item);
	return status;
}

int verb_put(int argc, char **argv)
{
	static const struct argp argp = { options, parse,
					  "NAME",  "Put items from standard input into a buffer: bytes side by side, or with --lines an item a line.",
					  NULL,    NULL,
					  NULL };
	static const struct pabal_buffer_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_SINGLE_THREAD | PABAL_RESTART };
	struct pabal_buffer_stats stats = { .struct_size = sizeof(stats) };
	struct arguments arguments = { .timeout_ns = PABAL_FOREVER };
	pabal_buffer *buffer;
	int r, status;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	r = pabal_buffer_open(arguments.name, &opts, &buffer);
	if (r == -ENOENT)
		return report("%s (pabal create --buffer SIZE %s)", call_detail(r), arguments.name);
	if (r < 0)
		return report_call(r);
	r = pabal_buffer_stat(buffer, &stats);
	if (r < 0)
		status = report_call(r);
	else if (arguments.lines)
		status = put_lines(buffer, &arguments, stats.item_size);
	else
		status = put_input(buffer, &arguments, stats.item_size);
	pabal_buffer_close(buffer);
	return status;
}
