/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recv_process.c - pabal recv @ME: announce ourselves, and write to standard output what others send us.
 *
 * A link has no redelivery: what was sent and not written when we end is lost, and its sender is told that we have closed.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "inbox.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "reader.h"
#include "recv.h"
#include "report.h"
#include "stop.h"
#include "verb.h"

struct receiving {
	const struct recv_arguments *arguments;
	struct inbox inbox;
	struct progress progress;
};

static int next(void *inbox, int64_t timeout_ns)
{
	return inbox_next(inbox, timeout_ns);
}

/* The next message, written. An end that need not be ours is passed over: whoever takes the name next is waited for. */
static int step(struct receiving *receiving, int *ret_write_error)
{
	const struct recv_arguments *arguments = receiving->arguments;
	struct inbox *inbox = &receiving->inbox;
	int r = progress_wait(&receiving->progress, next, inbox, arguments->timeout_ns, "for a message");

	if (arguments->until_interrupted && (r == -EPIPE || r == -EOWNERDEAD))
		return 0;
	if (r < 0)
		return r;
	*ret_write_error = output_message(STDOUT_FILENO, NULL, inbox->data, inbox->size, arguments->lines);
	if (*ret_write_error < 0)
		return *ret_write_error == -ECANCELED ? -ECANCELED : -EIO;
	progress_add(&receiving->progress, 1, inbox->size);
	return 0;
}

static int conclude(const struct receiving *receiving, int r, int write_error)
{
	const struct recv_arguments *arguments = receiving->arguments;

	if (r == 0 || (r == -EPIPE && arguments->until_closed) || (r == -ECANCELED && stop_requests() > 0))
		return STATUS_DONE;
	if (write_error < 0)
		return report("standard output could not be written: %s; the message of '%s' is lost", strerror(-write_error), receiving->inbox.peer);
	if (r == -EOWNERDEAD)
		return report("'%s' has died; all that it had sent was received", receiving->inbox.peer);
	if (r == -EPIPE)
		return report("'%s' has closed its link after %llu messages", receiving->inbox.peer, (unsigned long long)receiving->progress.count);
	if (r == -ENOMEM)
		return report("out of memory");
	return report_call(r);
}

int recv_as_process(const struct recv_arguments *arguments)
{
	static const struct pabal_process_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_SINGLE_THREAD | PABAL_RESTART };
	struct receiving receiving = {
		.arguments = arguments,
		.inbox = { .from = arguments->from, .until_closed = arguments->until_closed },
	};
	int r = pabal_process_announce(process_name(arguments->name), &opts, &receiving.inbox.self), write_error = 0, status;
	bool is_done;

	if (r < 0)
		return report_call(r);
	stop_on_signals(NULL);
	stop_on_gone_reader();
	stop_interrupts(receiving.inbox.self, NULL);
	progress_begin(&receiving.progress, "received", STDOUT_FILENO);
	reader_watch();
	while (r == 0 && stop_requests() == 0 && (arguments->count == 0 || receiving.progress.count < arguments->count))
		r = step(&receiving, &write_error);
	is_done = r == -EPIPE || (arguments->count && receiving.progress.count >= arguments->count);
	progress_clear();
	status = conclude(&receiving, r, write_error);
	stop_forget();
	inbox_free(&receiving.inbox);
	pabal_process_close(receiving.inbox.self);
	if (status == STATUS_DONE && stop_cuts_short(is_done, arguments->until_interrupted))
		stop_die();
	return status;
}
