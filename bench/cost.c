/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/cost.c - what a mailbox costs when nothing happens: to create it, to open it, to keep it, to wait at it.
 */
#include "measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stage.h"
#include "tools.h"

enum { TIMES = 200, SETTLE_NS = 600000000, IDLE_NS = 2000000000, SHORT_NS = 100000000 };

static void add(const struct settings *settings, const char *name, const char *unit, double value)
{
	struct figure figure = { .section = "a default mailbox", .name = name, .unit = unit, .value = value, .bursts = 1, .kept = 1 };

	report_add(settings->report, &figure);
}

static void measure_create(const struct settings *settings)
{
	double create[TIMES], open[TIMES], close[TIMES];
	uint32_t times = settings->burst_ns < SHORT_NS ? TIMES / 10 : TIMES;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < times; i++) {
		pabal_mailbox *creator = NULL, *opener = NULL;
		int64_t started, created, opened;
		char name[64];

		snprintf(name, sizeof name, "bench-%d-create", (int)getpid());
		started = now_ns();
		r = pabal_mailbox_create(name, NULL, &creator);
		created = now_ns();
		if (r == 0)
			r = pabal_mailbox_open(name, NULL, &opener);
		opened = now_ns();
		if (r < 0)
			die(r, "create and open a mailbox");
		pabal_mailbox_close(opener);
		create[i] = (double)(created - started);
		open[i] = (double)(opened - created);
		close[i] = (double)(now_ns() - opened);
		pabal_mailbox_close(creator);
		r = pabal_mailbox_destroy(name);
	}
	add(settings, "create", "ns", median(create, times));
	add(settings, "open", "ns", median(open, times));
	add(settings, "close", "ns", median(close, times));
}

/* What the file takes: $PABAL_DIR, or the user's own directory, as pabal(7) says. */
static void measure_memory(const struct settings *settings, const struct channel *channel)
{
	const char *directory = getenv("PABAL_DIR");
	char path[256];
	struct stat st;

	if (directory)
		snprintf(path, sizeof path, "%s/%s", directory, channel->name);
	else
		snprintf(path, sizeof path, "/dev/shm/pabal-%u/%s", (unsigned)geteuid(), channel->name);
	if (stat(path, &st) == 0)
		add(settings, "memory", "KiB", (double)st.st_blocks * 512 / 1024);
}

static void receive_for_ever(struct stage *stage, uint32_t index)
{
	struct channel *channel = stage->script;
	char data[64];
	int r = channel->kind->attach(channel);

	(void)index;
	stage_ready(stage);
	while (r == 0)
		r = channel->kind->receive(channel, data, sizeof data);
	stage_fail(stage, r);
}

struct use {
	uint64_t run_ns, switches;
};

static bool look(pid_t pid, struct use *ret_use)
{
	char path[64], line[256];
	FILE *file;
	bool found = false;

	snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	found = fgets(line, sizeof line, file);
	fclose(file);
	ret_use->run_ns = found ? strtoull(line, NULL, 10) : 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file)) {
		if (strncmp(line, "voluntary_ctxt_switches:", 24) == 0)
			ret_use->switches = strtoull(line + 24, NULL, 10);
	}
	if (file)
		fclose(file);
	return found;
}

static void measure_idle(const struct settings *settings)
{
	int64_t length = settings->burst_ns < SHORT_NS ? SHORT_NS : IDLE_NS, start;
	struct use before = { 0 }, after = { 0 };
	struct channel channel;
	struct stage *stage = stage_new(0, &channel);
	double seconds;
	int r = channel_create(&channel_pabal_adaptive, 64, 1024, &channel);

	if (r == 0)
		r = stage_enter(stage, receive_for_ever, -1);
	if (r == 0)
		r = stage_play(stage);
	if (r < 0)
		die(r, "an idle receiver");
	measure_memory(settings, &channel);
	nap_ns(length == SHORT_NS ? 0 : SETTLE_NS);
	start = now_ns();
	if (look(stage->pids[0], &before)) {
		nap_ns(length);
		look(stage->pids[0], &after);
		seconds = (double)(now_ns() - start) / 1e9;
		add(settings, "idle receiver: wakes", "per second", (double)(after.switches - before.switches) / seconds);
		add(settings, "idle receiver: CPU", "%", (double)(after.run_ns - before.run_ns) / 1e7 / seconds);
	}
	stage_free(stage);
	channel.kind->destroy(&channel);
}

void measure_cost(const struct settings *settings)
{
	report_progress(settings->report, "costs", NULL, 0, 1);
	measure_create(settings);
	measure_idle(settings);
}
