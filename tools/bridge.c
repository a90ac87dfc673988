/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bridge.c - messages to lines, and lines to messages.
 *
 * Each way has a thread of its own, so neither can hold the other up, whoever is slow: a full pipe stops receiving, a full link stops reading. The main thread takes
 * messages and gets the signals. The other one takes lines; whoever ends it sets is_ending and the event, and it looks at both wherever it might wait.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bridge.h"
#include "lines.h"
#include "output.h"
#include "report.h"
#include "stop.h"

#define LOOK_NS INT64_C(100000000) /* guess: how soon a send that waits for room sees that it is to end */

static bool is_over(const struct bridge *bridge)
{
	return atomic_load(&bridge->is_ending) || stop_requests() > 0;
}

/* Whom a line is for, and where its text begins. false: nobody. */
static bool address(struct bridge *bridge, char *line, char ret_peer[PABAL_NAME_SIZE], char **ret_text)
{
	char *tab = bridge->names ? strchr(line, '\t') : NULL;

	*ret_text = line;
	if (bridge->names) {
		if (!tab || tab - line >= PABAL_NAME_SIZE) {
			report("a line is dropped: it does not begin with a name and a tab: %.40s", line);
			return false;
		}
		memcpy(ret_peer, line, (size_t)(tab - line));
		ret_peer[tab - line] = '\0';
		*ret_text = tab + 1;
		return true;
	}
	if (bridge->inbox.from) {
		snprintf(ret_peer, PABAL_NAME_SIZE, "%s", bridge->inbox.from);
		return true;
	}
	pthread_mutex_lock(&bridge->lock);
	snprintf(ret_peer, PABAL_NAME_SIZE, "%s", bridge->last);
	pthread_mutex_unlock(&bridge->lock);
	if (!*ret_peer)
		report("a line is dropped: nobody has sent anything yet whom it could answer: %.40s", line);
	return *ret_peer;
}

/* One line, sent. Who has gone is not waited for, but for the one that we are to talk with, until it has come. */
static void send_line(struct bridge *bridge, char *line, size_t size)
{
	char peer[PABAL_NAME_SIZE], *text;
	int r;

	line[size] = '\0';
	if (!address(bridge, line, peer, &text))
		return;
	size -= (size_t)(text - line);
	do {
		r = pabal_process_send(bridge->inbox.self, peer, text, size, PABAL_NOWAIT);
		if (r == -EAGAIN || (r == -ENOENT && bridge->inbox.from && !atomic_load(&bridge->peer_ended)))
			r = pabal_process_send(bridge->inbox.self, peer, text, size, LOOK_NS);
	} while ((r == -ETIMEDOUT || r == -EAGAIN || r == -ECANCELED) && !is_over(bridge));
	if (r == -EMSGSIZE && !is_over(bridge))
		report("a line for '%s' is dropped: it has %zu bytes, more than one message can have: announce with a larger --memory", peer, size);
	else if (r < 0 && !is_over(bridge))
		report("a line for '%s' is dropped: %s", peer, call_detail(r));
}

static int drop_line(const struct bridge *bridge, const struct lines *lines)
{
	report("line %llu is dropped: it has more than %zu bytes, and one message cannot have so many: announce with a larger --memory",
	       lines->number, bridge->line_max);
	return 0;
}

/* Wait for more to read, and read it. */
static int read_more(struct bridge *bridge, struct lines *lines)
{
	struct pollfd items[] = { { .fd = bridge->in, .events = POLLIN }, { .fd = bridge->stop_event, .events = POLLIN } };
	int r;

	if (poll(items, 2, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (items[1].revents)
		return -ECANCELED;
	r = lines_read(lines);
	return r == -EINTR || r == -EAGAIN ? 0 : r;
}

static void *run_lines(void *argument)
{
	struct bridge *bridge = argument;
	struct lines lines = { .fd = bridge->in, .size_max = bridge->line_max };
	char *line;
	size_t size;
	int r = 0;

	while (r == 0 && !is_over(bridge)) {
		r = lines_take(&lines, &line, &size);
		if (r == 0)
			send_line(bridge, line, size);
		else if (r == -EAGAIN)
			r = read_more(bridge, &lines);
		else if (r == -EMSGSIZE)
			r = drop_line(bridge, &lines);
	}
	if (r < 0 && r != -EPIPE && r != -ECANCELED)
		report("lines could not be read: %s", strerror(-r));
	lines_free(&lines);
	/* An interrupt that came may have been ours alone to see: pass it on. */
	if (bridge->ends_with_in)
		atomic_store(&bridge->is_ending, true);
	if (is_over(bridge))
		pabal_process_interrupt(bridge->inbox.self);
	return NULL;
}

int bridge_begin(struct bridge *bridge)
{
	sigset_t old;
	int r = 0;

	pthread_mutex_init(&bridge->lock, NULL);
	bridge->stop_event = eventfd(0, EFD_CLOEXEC);
	if (bridge->stop_event < 0)
		return -errno;
	if (bridge->in < 0)
		return 0;
	stop_block(&old);
	r = -pthread_create(&bridge->thread, NULL, run_lines, bridge);
	stop_unblock(&old);
	bridge->has_thread = r == 0;
	return r;
}

static int take_one(struct bridge *bridge, int *ret_write_error)
{
	struct inbox *inbox = &bridge->inbox;
	int r = inbox_next(inbox, PABAL_FOREVER);

	if (r == -EPIPE || r == -EOWNERDEAD)
		atomic_store(&bridge->peer_ended, true);
	if (r < 0)
		return r;
	pthread_mutex_lock(&bridge->lock);
	snprintf(bridge->last, PABAL_NAME_SIZE, "%s", inbox->peer);
	pthread_mutex_unlock(&bridge->lock);
	bridge->received++;
	*ret_write_error = output_message(bridge->out, bridge->names ? inbox->peer : NULL, inbox->data, inbox->size, true);
	if (*ret_write_error < 0)
		return *ret_write_error == -ECANCELED ? -ECANCELED : -EIO;
	return 0;
}

int bridge_run(struct bridge *bridge, int *ret_write_error)
{
	pabal_link *link = NULL;
	int r = 0;

	/* Only of a link that there was can the end be told. The handle is of no other use, and goes with the process. */
	if (bridge->inbox.from)
		r = pabal_process_link(bridge->inbox.self, bridge->inbox.from, &link, PABAL_FOREVER);
	while (r == 0 && !is_over(bridge) && (bridge->count == 0 || bridge->received < bridge->count))
		r = take_one(bridge, ret_write_error);
	return r == -ECANCELED && is_over(bridge) ? 0 : r;
}

void bridge_end(struct bridge *bridge, bool drain)
{
	if (!drain) {
		atomic_store(&bridge->is_ending, true);
		if (eventfd_write(bridge->stop_event, 1) < 0)
			report("the end could not be told: %m");
	}
	if (bridge->has_thread)
		pthread_join(bridge->thread, NULL);
	close(bridge->stop_event);
	pthread_mutex_destroy(&bridge->lock);
	inbox_free(&bridge->inbox);
}
