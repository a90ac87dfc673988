/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_send.c - pabal send NAME|@PEER [TEXT]: the text, all of standard input, or each line of it, as messages.
 *
 * A message is committed when outlet_send() returned, so the command can be killed at any point: what went before is there,
 * the message of that moment is there as a whole or not at all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pabal/pabal.h>

#include "arguments.h"
#include "lines.h"
#include "options.h"
#include "outlet.h"
#include "progress.h"
#include "report.h"
#include "stop.h"
#include "units.h"
#include "verb.h"

#define FIRST_ROOM ((size_t)64 << 10) /* guess: as much as a pipe holds */

enum { KEY_TAG = OPTION_KEY(0), KEY_AS, KEY_MEMORY };

static const struct argp_option options[] = {
	{ "lines", 'l', NULL, 0, "Each line of standard input is a message, without its newline", 0 },
	{ "tag", KEY_TAG, "N", 0, "A number that goes with each message", 0 },
	{ "timeout", 't', "TIME", 0, "How long to wait while there is no room, for each message, and for @PEER to answer (default: for ever)", 0 },
	{ NULL, 0, NULL, 0, "To a process, @PEER:", 1 },
	{ "as", KEY_AS, "ME", 0, "The name under which the sender is announced (default: one that nobody has)", 0 },
	{ "memory", KEY_MEMORY, "SIZE", 0, "Memory of the link in this direction, and the largest message (default 16M)", 0 },
	{ 0 },
};

struct arguments {
	struct outlet_options outlet;
	const char *text;
	bool lines;
	int64_t timeout_ns;
	struct pabal_message_opts message;
};

struct sending {
	const struct arguments *arguments;
	struct outlet outlet;
	struct progress progress;
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
	case KEY_TAG:
		arguments->message.tag = (uint32_t)option_count(state, "--tag", text, 0, UINT32_MAX);
		return 0;
	case KEY_AS:
		arguments->outlet.as = plain_name(text);
		return 0;
	case KEY_MEMORY:
		arguments->outlet.memory_max = option_size(state, "--memory", text, 1);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			arguments->outlet.name = text;
		else if (state->arg_num == 1)
			arguments->text = text;
		else
			usage_error(state, "one text is enough (does it need quotes?): what is '%s'?", text);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	case ARGP_KEY_SUCCESS:
		if (arguments->text && arguments->lines)
			usage_error(state, "--lines reads standard input: it does not go with a text");
		if ((arguments->outlet.as || arguments->outlet.memory_max) && !process_name(arguments->outlet.name))
			usage_error(state, "--as and --memory are for sending to a process: is it '@%s' that you mean?", arguments->outlet.name);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

struct one {
	struct sending *sending;
	const void *data;
	size_t size;
};

static int try_one(void *data, int64_t timeout_ns)
{
	const struct one *one = data;

	return outlet_send(&one->sending->outlet, &one->sending->arguments->message, one->data, one->size, timeout_ns);
}

/* The library knows the link, but not what we call it. @place: "line 7: ", or "". */
static int report_failure(const struct sending *sending, const char *place, int error)
{
	if (error == -EPIPE || error == -EOWNERDEAD)
		return report("%s'%s' has %s", place, sending->arguments->outlet.name, error == -EPIPE ? "closed the link" : "died");
	if (error == -EMSGSIZE && sending->outlet.link)
		return report("%sit is more than the %llu bytes that one message to %s can have: send with a larger --memory", place,
			      (unsigned long long)sending->outlet.size_max, sending->arguments->outlet.name);
	return report_call_at(place, error);
}

static int send_one(struct sending *sending, const void *data, size_t size)
{
	struct one one = { .sending = sending, .data = data, .size = size };
	int r = progress_wait(&sending->progress, try_one, &one, sending->arguments->timeout_ns, "for room");

	if (r == 0)
		progress_add(&sending->progress, 1, size);
	return r;
}

static int report_too_large(const struct sending *sending, const char *what, bool is_line)
{
	uint64_t size_max = sending->outlet.size_max;
	char limit[UNITS_TEXT_SIZE];

	return report("%s is more than the %s (%llu bytes) that one message %s %s can have; %s with a larger --memory%s", what,
		      format_size(limit, size_max), (unsigned long long)size_max, sending->outlet.link ? "to" : "in", sending->arguments->outlet.name,
		      sending->outlet.link ? "send" : "create it", is_line ? "" : ", or send --lines");
}

/* A line that went wrong, or could not be read. @sent: whether it was on its way. */
static int report_line(const struct sending *sending, unsigned long long number, int error, bool sent)
{
	char place[UNITS_TEXT_SIZE];

	snprintf(place, sizeof(place), "line %llu%s", number, sent ? ": " : "");
	if (sent)
		return report_failure(sending, place, error);
	if (error == -EMSGSIZE)
		return report_too_large(sending, place, true);
	return report("standard input could not be read after line %llu: %s", number, strerror(-error));
}

static int send_lines(struct sending *sending)
{
	struct lines lines = { .fd = STDIN_FILENO, .size_max = sending->outlet.size_max };
	bool is_read = true;
	char *line;
	size_t size;
	int r;

	do {
		r = lines_next(&lines, &line, &size);
		is_read = r == 0;
		if (is_read)
			r = send_one(sending, line, size);
	} while (r == 0);
	lines_free(&lines);
	if (!is_read && r == -EPIPE)
		return STATUS_DONE;
	return !is_read && stop_requests() > 0 ? STATUS_FAILED : report_line(sending, lines.number, r, is_read);
}

/* Read all of standard input, but no more than one byte beyond @size_max, by which the caller sees that it is too much. */
static int read_input(size_t size_max, char **ret_data, size_t *ret_size)
{
	size_t room = 0, size = 0;
	char *data = NULL, *larger;
	ssize_t length;

	for (;;) {
		if (size == room) {
			room = room > size_max / 2 ? size_max + 1 : room + (room ? room : FIRST_ROOM);
			larger = realloc(data, room);
			if (!larger)
				break;
			data = larger;
		}
		length = read(STDIN_FILENO, data + size, room - size);
		if (length < 0 && (errno != EINTR || stop_requests() > 0))
			break;
		size += length > 0 ? (size_t)length : 0;
		if (length == 0 || size > size_max) {
			*ret_data = data;
			*ret_size = size;
			return 0;
		}
	}
	free(data);
	return -errno;
}

static int send_input(struct sending *sending)
{
	char *data = NULL;
	size_t size = 0;
	int r = read_input(sending->outlet.size_max, &data, &size);

	if (r < 0)
		return stop_requests() > 0 ? STATUS_FAILED : report("standard input could not be read: %s", strerror(-r));
	if (size > sending->outlet.size_max) {
		r = report_too_large(sending, "standard input", false);
	} else {
		r = send_one(sending, data, size);
		r = r < 0 ? report_failure(sending, "", r) : STATUS_DONE;
	}
	free(data);
	return r;
}

static int send_text(struct sending *sending)
{
	int r = send_one(sending, sending->arguments->text, strlen(sending->arguments->text));

	return r < 0 ? report_failure(sending, "", r) : STATUS_DONE;
}

static int send_all(struct sending *sending)
{
	const struct arguments *arguments = sending->arguments;
	int r;

	progress_begin(&sending->progress, "sent", STDIN_FILENO);
	r = progress_wait(&sending->progress, outlet_connect, &sending->outlet, arguments->timeout_ns, "for an answer");
	if (r == -EAGAIN) {
		report("'%s' has not answered yet: there is no link before it does, and --timeout 0 does not wait for that", arguments->outlet.name);
		return STATUS_TIMEOUT;
	}
	if (r < 0)
		return report_call(r);
	return arguments->lines ? send_lines(sending) : arguments->text ? send_text(sending) : send_input(sending);
}

int verb_send(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"NAME|@PEER [TEXT]",
		"Send TEXT as one message; without it, all of standard input, or with --lines each of its lines.\v"
		"NAME is a mailbox. @PEER is the process that has announced PEER (pabal announce, pabal recv, or any program); it is waited for.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { .timeout_ns = PABAL_FOREVER, .message.struct_size = sizeof(arguments.message) };
	struct sending sending = { .arguments = &arguments };
	int r;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	r = outlet_open(&sending.outlet, &arguments.outlet);
	if (r == STATUS_DONE)
		r = send_all(&sending);
	progress_clear();
	outlet_close(&sending.outlet);
	if (stop_requests() > 0)
		stop_die();
	return r;
}
