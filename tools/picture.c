/* SPDX-License-Identifier: Apache-2.0 */
/*
 * picture.c - the picture that demo draws.
 *
 * A frame is put together in memory and written with one write(), over the last one: the cursor goes up by as many lines, and each line
 * clears what was behind it. No mode of the terminal is changed, so there is nothing to restore however we end. A terminal that is too
 * small gets one line.
 */
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "picture.h"
#include "progress.h"
#include "units.h"

#define FRAME_NS (INT64_C(100) * 1000000)
#define WIDTH_MIN 72
#define BAR_WIDTH 30
#define GAUGE_WIDTH 44
#define SMOOTHING 0.3 /* guess: calm, and still alive */

#define PLAIN "\033[0m"
#define DIM "\033[2m"
#define GREEN "\033[32m"
#define BLUE "\033[34m"
#define RED "\033[31m"
#define BOLD "\033[1m"

struct frame {
	const struct picture *picture;
	unsigned height;
	size_t size;
	char text[32768];
};

void picture_init(struct picture *picture)
{
	const char *no_color = getenv("NO_COLOR");

	*picture = (struct picture){ .has_colors = !no_color || !*no_color };
	setlocale(LC_CTYPE, "");
	picture->has_blocks = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

__attribute__((format(printf, 2, 3))) static void add(struct frame *frame, const char *format, ...)
{
	size_t room = sizeof(frame->text) - frame->size;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(frame->text + frame->size, room, format, arguments);
	va_end(arguments);
	if (length > 0)
		frame->size += (size_t)length < room ? (size_t)length : room - 1;
}

static void color(struct frame *frame, const char *code)
{
	if (frame->picture->has_colors)
		add(frame, "%s", code);
}

static void end_line(struct frame *frame)
{
	add(frame, "\033[K\n");
	frame->height++;
}

static void add_bar(struct frame *frame, double part, unsigned width, const char *code)
{
	unsigned full = part <= 0 ? 0 : part >= 1 ? width : (unsigned)(part * width + 0.5);

	color(frame, code);
	for (unsigned i = 0; i < full; i++)
		add(frame, "%s", frame->picture->has_blocks ? "\xe2\x96\x88" : "#");
	color(frame, PLAIN);
	color(frame, DIM);
	for (unsigned i = full; i < width; i++)
		add(frame, "%s", frame->picture->has_blocks ? "\xc2\xb7" : ".");
	color(frame, PLAIN);
}

/* How fast each worker has been lately; and how long the longest bar is, which falls back slowly so that bars do not jump. */
static void measure(struct picture *picture, const struct crew *crew, double seconds)
{
	double highest = 1;

	for (unsigned i = 0; i < crew->count; i++) {
		const struct worker *worker = &crew->workers[i];
		struct picture_row *row = &picture->rows[i];
		uint64_t progress = crew_progress(crew, worker);

		if (row->pid != worker->pid) /* somebody else now: count from here */
			*row = (struct picture_row){ .pid = worker->pid, .progress = progress };
		row->rate += SMOOTHING * ((double)(progress - row->progress) / seconds - row->rate);
		row->progress = progress;
		if (row->rate > highest)
			highest = row->rate;
	}
	picture->rate_max = picture->rate_max * 0.98 > highest ? picture->rate_max * 0.98 : highest;
}

static void add_worker(struct frame *frame, const struct worker *worker, const struct picture_row *row)
{
	bool sends = worker->role == ROLE_SENDER;
	char rate[UNITS_TEXT_SIZE];

	add(frame, "  %-8s  ", sends ? "sender" : "receiver");
	if (worker->is_doomed) {
		color(frame, RED);
		add(frame, "killed -9 %s", worker->pid > 0 ? "" : "- dead, another one is coming");
		color(frame, PLAIN);
	} else if (worker->pid == 0) {
		color(frame, DIM);
		add(frame, "%s", worker->is_finished ? "done" : "-");
		color(frame, PLAIN);
	} else {
		add(frame, "%8d  ", (int)worker->pid);
		add_bar(frame, row->rate / frame->picture->rate_max, BAR_WIDTH, sends ? GREEN : BLUE);
		add(frame, " %12s/s", format_count(rate, (uint64_t)row->rate));
	}
	end_line(frame);
}

static void add_mailbox(struct frame *frame, const struct run *run)
{
	struct pabal_mailbox_stats stats = { .struct_size = sizeof(stats) };
	char depth[UNITS_TEXT_SIZE], memory[UNITS_TEXT_SIZE];

	if (pabal_mailbox_stat(run->observer, &stats) < 0)
		return;
	add(frame, "  mailbox   ");
	add_bar(frame, (double)stats.depth / (double)stats.capacity, GAUGE_WIDTH, BOLD);
	add(frame, " %s waiting, %s", format_count(depth, stats.depth), format_size(memory, stats.memory));
	end_line(frame);
}

static void add_counts(struct frame *frame, const struct run *run)
{
	const struct tally *tally = &run->crew.tally;
	char sent[UNITS_TEXT_SIZE], received[UNITS_TEXT_SIZE], redelivered[UNITS_TEXT_SIZE], killed[UNITS_TEXT_SIZE];

	add(frame, "  sent %s   received %s   redelivered %s   killed %s", format_count(sent, crew_sent(&run->crew)),
	    format_count(received, crew_received(&run->crew)), format_count(redelivered, tally->redelivered),
	    format_count(killed, tally->killed_senders + tally->killed_receivers));
	end_line(frame);
}

static void add_title(struct frame *frame, const struct run *run)
{
	double limit = (double)run->plan->run_ns / 1e9, elapsed = (double)run_elapsed(run) / 1e9;

	color(frame, BOLD);
	add(frame, "pabal demo");
	color(frame, PLAIN);
	add(frame, "  %u senders, %u receivers, one mailbox  ", run->plan->senders, run->plan->receivers);
	color(frame, DIM);
	if (run->is_over)
		add(frame, "done");
	else if (run->is_draining)
		add(frame, "no more kills: everything drains");
	else
		add(frame, "%.1f of %.1f s", elapsed < limit ? elapsed : limit, limit);
	color(frame, PLAIN);
	end_line(frame);
	end_line(frame);
}

static void add_picture(struct frame *frame, const struct run *run)
{
	const struct crew *crew = &run->crew;

	add_title(frame, run);
	for (unsigned i = 0; i < crew->count; i++) {
		if (i == run->plan->senders) {
			end_line(frame);
			add_mailbox(frame, run);
			end_line(frame);
		}
		add_worker(frame, &crew->workers[i], &frame->picture->rows[i]);
	}
	end_line(frame);
	add_counts(frame, run);
	end_line(frame);
}

static bool is_large_enough(const struct run *run)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	return size.ws_col >= WIDTH_MIN && size.ws_row > run->crew.count + 9;
}

static void write_frame(const struct frame *frame)
{
	size_t done = 0;
	ssize_t written;

	fflush(stdout);
	while (done < frame->size) {
		written = write(STDOUT_FILENO, frame->text + done, frame->size - done);
		if (written <= 0)
			return; /* the picture is not the result */
		done += (size_t)written;
	}
}

static void show_line(const struct run *run)
{
	char line[200], sent[UNITS_TEXT_SIZE], received[UNITS_TEXT_SIZE];

	snprintf(line, sizeof(line), "sent %s, received %s", format_count(sent, crew_sent(&run->crew)),
		 format_count(received, crew_received(&run->crew)));
	progress_line(line);
}

void picture_show(const struct run *run, void *data)
{
	static struct frame frame; /* too large for a stack */
	struct picture *picture = data;
	int64_t now_ns = clock_now();

	if (now_ns - picture->last_ns < FRAME_NS && !run->is_over)
		return;
	measure(picture, &run->crew, picture->last_ns ? (double)(now_ns - picture->last_ns) / 1e9 : 1);
	picture->last_ns = now_ns;
	if (!is_large_enough(run)) {
		show_line(run);
		return;
	}
	frame.picture = picture;
	frame.size = 0;
	frame.height = 0;
	if (picture->height > 0)
		add(&frame, "\033[%uA\r", picture->height);
	add_picture(&frame, run);
	picture->height = frame.height;
	write_frame(&frame);
}
