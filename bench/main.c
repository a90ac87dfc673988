/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/main.c - pabal-bench: the options, and the order of the measurements.
 *
 * It uses the public interface alone. What it does and why stands in docs/benchmarks.md.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "floor.h"
#include "machine.h"
#include "measure.h"
#include "tools.h"

static const struct part {
	const char *name;
	void (*measure)(const struct settings *settings);
} parts[] = {
	{ "round-trip", measure_round_trip }, { "many", measure_many },   { "stream", measure_stream }, { "hand-over", measure_hand_over },
	{ "buffer", measure_buffer },         { "calls", measure_calls }, { "lock", measure_lock },     { "cost", measure_cost },
};

enum { PARTS = sizeof parts / sizeof parts[0] };

static void usage(FILE *to)
{
	fputs("usage: pabal-bench [--quick] [--json | --markdown] [--only PART]... [--bursts N] [--burst-ms N]\n\n"
	      "  --quick       about 20 seconds instead of about a minute and a half\n"
	      "  --json        write JSON\n"
	      "  --markdown    write the tables of docs/benchmarks.md\n"
	      "  --only PART   round-trip, many, stream, hand-over, buffer, calls, lock or cost\n"
	      "  --bursts N    bursts of each measurement (default 5, at most 32); the median counts\n"
	      "  --burst-ms N  length of a burst (default 250)\n",
	      to);
}

struct choice {
	bool json, markdown, chosen[PARTS], some;
};

static int wrong_usage(const char *what, const char *value)
{
	fprintf(stderr, "pabal-bench: %s '%s'\n", what, value);
	usage(stderr);
	return 2;
}

static int choose_part(struct choice *choice, const char *name)
{
	for (int i = 0; i < PARTS; i++) {
		if (strcmp(parts[i].name, name) == 0) {
			choice->chosen[i] = choice->some = true;
			return 0;
		}
	}
	return wrong_usage("no part", name);
}

static int number(const char *text, long least, long most, long *ret_number)
{
	char *end;

	*ret_number = strtol(text, &end, 10);
	return *end || end == text || *ret_number < least || *ret_number > most ? wrong_usage("not a number that makes sense:", text) : 0;
}

/* -1: go on; else the exit code. */
static int read_arguments(int argc, char **argv, struct settings *settings, struct choice *choice)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },        { "json", no_argument, NULL, 'j' },
		{ "markdown", no_argument, NULL, 'm' },     { "only", required_argument, NULL, 'o' },
		{ "bursts", required_argument, NULL, 'b' }, { "burst-ms", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },         { NULL, 0, NULL, 0 },
	};
	long value;
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'q') {
			settings->bursts = 2;
			settings->burst_ns = 150000000;
		} else if (option == 'j') {
			choice->json = true;
		} else if (option == 'm') {
			choice->markdown = true;
		} else if (option == 'o') {
			r = choose_part(choice, optarg);
		} else if (option == 'b') {
			r = number(optarg, 1, BURSTS_MAX, &value);
			settings->bursts = (uint32_t)value;
		} else if (option == 'l') {
			r = number(optarg, 1, 10000, &value);
			settings->burst_ns = value * 1000000;
		} else {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (r == 0 && optind < argc)
		r = wrong_usage("no argument", argv[optind]);
	return r == 0 ? -1 : r;
}

static int probe_once_more(const struct contest *contest, struct entry *entry, struct burst *ret_burst)
{
	const struct settings *settings = contest->settings;

	ret_burst->value =
		entry->kind->flags ? floor_probe_read_only(settings->first, settings->second) : floor_probe(settings->first, settings->second);
	return 0;
}

static void measure_floor(const struct settings *settings)
{
	static const struct channel_kind probe = { .name = "probe", .waiting = "spin" };
	static const struct channel_kind read_only = { .name = "probe, read-only lines", .waiting = "spin", .flags = 1 };
	struct contest contest = { .settings = settings,
				   .section = "the floor",
				   .placement = "one cache line each way between two pinned processes",
				   .unit = "ns",
				   .play = probe_once_more,
				   .against = "probe" };

	if (settings->second < 0)
		return;
	contest_add(&contest, &probe, 8);
	contest_add(&contest, &read_only, 8);
	contest_run(&contest);
}

int main(int argc, char **argv)
{
	static struct report report;
	struct settings settings = { .bursts = 5, .burst_ns = 250000000, .report = &report };
	struct choice choice = { 0 };
	int r = read_arguments(argc, argv, &settings, &choice);

	if (r >= 0)
		return r;
	machine_begin();
	report.progress = isatty(STDERR_FILENO);
	two_cpus(&settings.first, &settings.second);
	pin_to_two(settings.first, settings.second);
	if (settings.second < 0)
		fputs("pabal-bench: there is one CPU only: what needs two is left out\n", stderr);
	measure_floor(&settings);
	for (int i = 0; i < PARTS; i++) {
		if (!choice.some || choice.chosen[i])
			parts[i].measure(&settings);
	}
	if (report.progress)
		fputs("\r\033[K", stderr);
	if (choice.json)
		report_json(&report);
	else if (choice.markdown)
		report_markdown(&report);
	else
		report_table(&report);
	return 0;
}
