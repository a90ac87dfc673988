/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_get.c - pabal get NAME: items of a buffer to standard output.
 *
 * An item is let go of only after it was written out, so a kill may repeat one, never lose one. With --lines an item is written without the zero bytes at its end, as a line.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <pabal/buffer.h>

#include "arguments.h"
#include "options.h"
#include "reader.h"
#include "report.h"
#include "stop.h"
#include "verb.h"

enum { KEY_UNTIL_EMPTY = OPTION_KEY(0) };

static const struct argp_option options[] = {
	{ "count", 'n', "N", 0, "Get N items (default 1)", 0 },
	{ "until-empty", KEY_UNTIL_EMPTY, NULL, 0, "Get what is there, and do not wait", 0 },
	{ "lines", 'l', NULL, 0, "Each item is a line, without the zero bytes at its end", 0 },
	{ "timeout", 't', "TIME", 0, "Give up when it is empty for that long (exit status 3)", 0 },
	{ 0 },
};

struct arguments {
	const char *name;
	uint64_t count; /* 0: none was given */
	int64_t timeout_ns;
	bool lines, until_empty;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'n':
		arguments->count = option_count(state, "--count", text, 1, UINT64_MAX);
		return 0;
	case KEY_UNTIL_EMPTY:
		arguments->until_empty = true;
		return 0;
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

/* A signal that asks us to end cuts a write short as well, and is told nobody. */
static int unwritten(void)
{
	return stop_requests() > 0 ? STATUS_FAILED : report_output(errno);
}

static int write_items(const struct pabal_message *items, size_t item_size, bool lines)
{
	for (const char *item = items->data, *end = item + items->size; item < end; item += item_size) {
		size_t size = item_size;

		while (lines && size && !item[size - 1])
			size--;
		if (fwrite(item, 1, size, stdout) != size || (lines && putchar('\n') == EOF))
			return unwritten();
	}
	return fflush(stdout) ? unwritten() : STATUS_DONE;
}

/* Where it would wait, it sees that as well when nobody is left who would read what it waits for. */
static int take_items(pabal_buffer *buffer, const struct arguments *arguments, uint32_t count, struct pabal_message *ret_items)
{
	int r = pabal_buffer_take(buffer, count, ret_items, PABAL_NOWAIT);

	if (r != -EAGAIN || arguments->until_empty || arguments->timeout_ns == PABAL_NOWAIT)
		return r;
	reader_watch();
	return pabal_buffer_take(buffer, count, ret_items, arguments->timeout_ns);
}

static int get_all(pabal_buffer *buffer, const struct arguments *arguments, size_t item_size, bool *ret_done)
{
	uint64_t left = arguments->count ? arguments->count : arguments->until_empty ? UINT64_MAX : 1;

	while (left && stop_requests() == 0) {
		struct pabal_message items;
		int status, r = take_items(buffer, arguments, left > 1024 ? 1024 : (uint32_t)left, &items);

		if (r == -EAGAIN && arguments->until_empty)
			left = 0;
		if (left == 0)
			break;
		if (r < 0)
			return report_call(r);
		left -= items.size / item_size;
		status = write_items(&items, item_size, arguments->lines);
		if (status != STATUS_DONE)
			return status; /* closing gives them back */
		pabal_buffer_release(buffer, &items);
	}
	*ret_done = left == 0;
	return STATUS_DONE;
}

int verb_get(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "NAME", "Get items from a buffer and write them to standard output.", NULL, NULL, NULL };
	static const struct pabal_buffer_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_SINGLE_THREAD | PABAL_RESTART };
	struct pabal_buffer_stats stats = { .struct_size = sizeof(stats) };
	struct arguments arguments = { .timeout_ns = PABAL_FOREVER };
	pabal_buffer *buffer;
	bool is_done = false;
	int r, status;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	r = pabal_buffer_open(arguments.name, &opts, &buffer);
	if (r == -ENOENT)
		return report("%s (pabal create --buffer SIZE %s)", call_detail(r), arguments.name);
	if (r < 0)
		return report_call(r);
	r = pabal_buffer_stat(buffer, &stats);
	stop_on_signals(NULL);
	stop_on_gone_reader();
	stop_interrupts_buffer(buffer);
	status = r < 0 ? report_call(r) : get_all(buffer, &arguments, stats.item_size, &is_done);
	stop_forget();
	pabal_buffer_close(buffer);
	if (stop_cuts_short(is_done, false))
		stop_die();
	return status;
}
