/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlet.c - where sent messages go.
 *
 * A message to a process is committed when it lies in memory that the process has mapped; it gets it even if we end right after. So nobody waits for
 * anything at the end.
 */
#include <errno.h>

#include "options.h"
#include "outlet.h"
#include "report.h"
#include "stop.h"
#include "verb.h"

static int open_mailbox(struct outlet *outlet)
{
	static const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_SINGLE_THREAD | PABAL_RESTART };
	struct pabal_mailbox_stats stats = { .struct_size = sizeof(stats) };
	const char *name = outlet->options->name;
	int r = pabal_mailbox_open(name, &opts, &outlet->mailbox);

	if (r == -ENOENT)
		return report("%s (pabal create %s)", call_detail(r), name);
	if (r == 0)
		r = pabal_mailbox_stat(outlet->mailbox, &stats);
	outlet->size_max = stats.memory_max;
	return r < 0 ? report_call(r) : STATUS_DONE;
}

static int announce(struct outlet *outlet)
{
	struct pabal_process_opts opts = {
		.struct_size = sizeof(opts),
		.flags = PABAL_SINGLE_THREAD | PABAL_RESTART,
		.memory_max = outlet->options->memory_max,
	};
	int r = pabal_process_announce(outlet->options->as, &opts, &outlet->self);

	if (r < 0)
		return report_call(r);
	/* An announced name is a file: a signal must not end us without removing it. */
	stop_on_signals(NULL);
	stop_interrupts(outlet->self, NULL);
	return STATUS_DONE;
}

int outlet_open(struct outlet *outlet, const struct outlet_options *options)
{
	*outlet = (struct outlet){ .options = options };
	return process_name(options->name) ? announce(outlet) : open_mailbox(outlet);
}

int outlet_connect(void *data, int64_t timeout_ns)
{
	struct pabal_link_stats stats = { .struct_size = sizeof(stats) };
	struct outlet *outlet = data;
	int r;

	if (!outlet->self)
		return 0;
	r = pabal_process_link(outlet->self, process_name(outlet->options->name), &outlet->link, timeout_ns);
	if (r == 0)
		r = pabal_link_stat(outlet->link, &stats);
	if (r < 0)
		return r;
	outlet->size_max = stats.memory_max;
	stop_interrupts(outlet->self, outlet->link);
	return 0;
}

int outlet_send(struct outlet *outlet, const struct pabal_message_opts *message, const void *data, size_t size, int64_t timeout_ns)
{
	if (outlet->link)
		return pabal_link_send_with(outlet->link, message, data, size, timeout_ns);
	return pabal_mailbox_send_with(outlet->mailbox, message, data, size, timeout_ns);
}

void outlet_close(struct outlet *outlet)
{
	stop_forget();
	pabal_mailbox_close(outlet->mailbox);
	pabal_link_close(outlet->link);
	pabal_process_close(outlet->self);
}
