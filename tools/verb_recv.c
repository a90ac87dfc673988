/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_recv.c - pabal recv NAME: messages to standard output. (pabal recv @ME is recv_process.c.)
 *
 * When to stop is here; that no message is lost is in delivery.c. While messages are waiting they are taken many at a time; before it
 * waits for the next one, everything in hand has been written and released, so nothing is held back from a reader at the other end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pabal/mailbox.h>

#include "arguments.h"
#include "delivery.h"
#include "options.h"
#include "progress.h"
#include "reader.h"
#include "recv.h"
#include "report.h"
#include "stop.h"
#include "verb.h"

enum { KEY_UNTIL_EMPTY = OPTION_KEY(0), KEY_UNTIL_CLOSED, KEY_FROM };

static const struct argp_option options[] = {
	{ "lines", 'l', NULL, 0, "A newline after each message; and go on until interrupted", 0 },
	{ "count", 'n', "N", 0, "Until N messages were received (default: one, or with --lines no limit)", 0 },
	{ "until-empty", KEY_UNTIL_EMPTY, NULL, 0, "Until no message is waiting", 0 },
	{ "until-closed", KEY_UNTIL_CLOSED, NULL, 0, "Until the mailbox was removed and is empty; as @ME, until all who sent something have ended",
	  0 },
	{ "from", KEY_FROM, "PEER", 0, "As @ME: from this process alone", 0 },
	{ "timeout", 't', "TIME", 0, "How long to wait for each message (default: for ever)", 0 },
	{ 0 },
};

struct receiving {
	const struct recv_arguments *arguments;
	uint64_t count; /* written and released */
	struct progress progress;
	struct delivery delivery;
};

static void finish_arguments(const struct argp_state *state, struct recv_arguments *arguments)
{
	if (arguments->until_empty && arguments->until_closed)
		usage_error(state, "--until-empty and --until-closed exclude each other");
	if (arguments->from && !process_name(arguments->name))
		usage_error(state, "--from is for receiving as a process: is it '@%s' that you mean?", arguments->name);
	if (arguments->until_empty && process_name(arguments->name))
		usage_error(state, "--until-empty is for mailboxes: nothing waits for a process that was not announced yet");
	if (arguments->count > 0 || arguments->until_empty || arguments->until_closed)
		return;
	if (arguments->lines)
		arguments->until_interrupted = true;
	else
		arguments->count = 1;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct recv_arguments *arguments = state->input;

	switch (key) {
	case KEY_FROM:
		arguments->from = plain_name(text);
		return 0;
	case 'l':
		arguments->lines = true;
		return 0;
	case 'n':
		arguments->count = option_count(state, "--count", text, 1, UINT64_MAX);
		return 0;
	case 't':
		arguments->timeout_ns = option_duration(state, "--timeout", text, 0);
		return 0;
	case KEY_UNTIL_EMPTY:
		arguments->until_empty = true;
		return 0;
	case KEY_UNTIL_CLOSED:
		arguments->until_closed = true;
		return 0;
	case ARGP_KEY_ARG:
		option_name(state, &arguments->name, text);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	case ARGP_KEY_SUCCESS:
		finish_arguments(state, arguments);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int take(void *delivery, int64_t timeout_ns)
{
	return delivery_take(delivery, timeout_ns);
}

/* Take, and write when there is nothing to take. Return: 0: go on; else negative, with an empty hand: why not. */
static int step(struct receiving *receiving, int *ret_write_error)
{
	const struct recv_arguments *arguments = receiving->arguments;
	struct delivery *delivery = &receiving->delivery;
	unsigned count;
	size_t bytes;
	int r;

	r = delivery_take(delivery, PABAL_NOWAIT);
	if (r == -EAGAIN && delivery->count == 0 && !arguments->until_empty) {
		reader_watch();
		r = progress_wait(&receiving->progress, take, delivery, arguments->timeout_ns, "for a message");
	}
	if (r < 0 && delivery->count == 0)
		return r;
	/* On a failure with something in hand that goes first; the next step meets the same failure again. */
	if (r == 0 && !delivery_is_full(delivery) && receiving->count + delivery->count != arguments->count)
		return 0;
	bytes = delivery->bytes;
	r = delivery_flush(delivery, &count, ret_write_error);
	receiving->count += count;
	progress_add(&receiving->progress, count, bytes);
	return r;
}

static int conclude(const struct receiving *receiving, int r, int write_error)
{
	const struct recv_arguments *arguments = receiving->arguments;

	if (r == 0 || (r == -EAGAIN && arguments->until_empty) || (r == -ESHUTDOWN && arguments->until_closed))
		return STATUS_DONE;
	if (write_error < 0 && r == -EIO)
		return report("standard output could not be written: %s; what was not written is back in mailbox '%s'", strerror(-write_error),
			      arguments->name);
	return report_call(r);
}

static int receive(struct receiving *receiving)
{
	const struct recv_arguments *arguments = receiving->arguments;
	int r = 0, write_error = 0, status;
	bool is_done;

	while (r == 0 && stop_requests() == 0 && (arguments->count == 0 || receiving->count < arguments->count))
		r = step(receiving, &write_error);
	is_done = r == -EAGAIN || r == -ESHUTDOWN || (arguments->count && receiving->count >= arguments->count);
	if (stop_requests() > 0 && (r == 0 || r == -ECANCELED || r == -EINTR))
		r = delivery_give_back(&receiving->delivery);
	progress_clear();
	status = conclude(receiving, r, write_error);
	stop_forget();
	pabal_mailbox_close(receiving->delivery.mailbox);
	if (status == STATUS_DONE && stop_cuts_short(is_done, arguments->until_interrupted))
		stop_die();
	return status;
}

int verb_recv(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"NAME|@ME",
		"Receive a message and write it to standard output as it is, or with --lines message after message.\v"
		"NAME is a mailbox. A message is released only after it was written: a receiver that is killed may cause lines to be repeated, never to be lost.\n\n"
		"As @ME the command announces the process ME and receives what others send to it, as long as it runs: what it has not written when it ends is lost.",
		NULL,
		NULL,
		NULL,
	};
	static const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_SINGLE_THREAD | PABAL_RESTART };
	static struct receiving receiving; /* large, for a stack */
	struct recv_arguments arguments = { .timeout_ns = PABAL_FOREVER };
	int r;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	if (process_name(arguments.name))
		return recv_as_process(&arguments);
	receiving.arguments = &arguments;
	receiving.delivery.fd = STDOUT_FILENO;
	receiving.delivery.lines = arguments.lines;
	r = pabal_mailbox_open(arguments.name, &opts, &receiving.delivery.mailbox);
	if (r == -ENOENT)
		return report("%s (pabal create %s)", call_detail(r), arguments.name);
	if (r < 0)
		return report_call(r);
	stop_on_signals(receiving.delivery.mailbox);
	stop_on_gone_reader(); /* what was not written goes back first */
	progress_begin(&receiving.progress, "received", STDOUT_FILENO);
	return receive(&receiving);
}
