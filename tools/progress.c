/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress.c - one line on a terminal about a long run.
 *
 * It is drawn on standard error over itself, and erased before anything else is printed there and at the end. A run that is over
 * within a second draws nothing, and nothing is drawn where nobody would see it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "units.h"

#define NS_PER_SECOND INT64_C(1000000000)
#define FIRST_NS NS_PER_SECOND /* guess: what is quicker needs no progress */
#define BETWEEN_NS (NS_PER_SECOND / 5)

static bool is_drawn;

bool terminal_is_useful(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

int64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

void progress_begin(struct progress *progress, const char *verb, int data_fd)
{
	*progress = (struct progress){ .verb = verb, .on = terminal_is_useful(STDERR_FILENO) && !isatty(data_fd) };
	progress->start_ns = progress->on ? clock_now() : 0;
}

void progress_line(const char *text)
{
	struct winsize size = { 0 };
	int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;

	fprintf(stderr, "\r%.*s\033[K", width, text);
	fflush(stderr);
	is_drawn = true;
}

void progress_clear(void)
{
	if (!is_drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	is_drawn = false;
}

/* @waits: what for; NULL: it does not. */
static void draw(struct progress *progress, int64_t now_ns, const char *waits)
{
	char count[UNITS_TEXT_SIZE], bytes[UNITS_TEXT_SIZE], rate[UNITS_TEXT_SIZE], rest[UNITS_TEXT_SIZE + 16], line[160];
	double seconds = (double)(now_ns - progress->start_ns) / (double)NS_PER_SECOND;

	if (waits)
		snprintf(rest, sizeof(rest), "waiting %s", waits);
	else
		snprintf(rest, sizeof(rest), "%s/s", format_count(rate, (uint64_t)((double)progress->count / seconds)));
	snprintf(line, sizeof(line), "%s %s messages, %s, %s", progress->verb, format_count(count, progress->count),
		 format_size(bytes, progress->bytes), rest);
	progress_line(line);
	progress->last_ns = now_ns;
}

static void draw_when_due(struct progress *progress, const char *waits)
{
	int64_t now_ns = clock_now();

	if (now_ns - progress->start_ns >= FIRST_NS && now_ns - progress->last_ns >= BETWEEN_NS)
		draw(progress, now_ns, waits);
}

void progress_add(struct progress *progress, uint64_t count, uint64_t bytes)
{
	progress->count += count;
	progress->bytes += bytes;
	if (progress->on)
		draw_when_due(progress, NULL);
}

int progress_wait(struct progress *progress, int (*call)(void *data, int64_t timeout_ns), void *data, int64_t timeout_ns, const char *what)
{
	int64_t part_ns;
	int r;

	if (!progress->on)
		return call(data, timeout_ns);
	for (;;) {
		part_ns = timeout_ns < 0 || timeout_ns > BETWEEN_NS ? BETWEEN_NS : timeout_ns;
		r = call(data, part_ns);
		if (r != -ETIMEDOUT || part_ns == timeout_ns)
			return r;
		if (timeout_ns > 0)
			timeout_ns -= part_ns;
		draw_when_due(progress, what);
	}
}
