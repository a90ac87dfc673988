/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/crash.c - kill a process at every instruction of one call, and see that nothing is lost, doubled or leaked.
 *
 *   test_crash OPERATION [--stride N] [--size BYTES]... [--laps N] [--deep N]
 */
#include "crash/crash.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crash/census.h"
#include "crash/required.h"

struct options {
	const struct crash_operation *operation;
	uint32_t stride, laps;
	uint32_t sizes[8], size_count;
};

struct totals {
	struct census census;
	uint32_t runs, longest;
	uint64_t ended, repeated;
};

static int complain(const struct crash_scene *scene, const struct crash_death *deaths, uint32_t count)
{
	fprintf(stderr, "BROKEN %s: %s (operation %s, queue %s, %u bytes, laps %u, killed before instruction", scene->broken, scene->detail,
		scene->operation->name, crash_fill_names[scene->fill], scene->size, scene->laps);
	for (uint32_t i = 0; i < count; i++)
		fprintf(stderr, " %u of %u in %s%s", deaths[i].k, deaths[i].trace.count, deaths[i].operation->name, i + 1 < count ? "," : ")\n");
	return 1;
}

/* Killed at every instruction (or every @stride-th) of the last of the deaths. */
static int kill_at_each(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, uint32_t stride, struct totals *totals)
{
	struct crash_death *last = &deaths[count - 1];
	struct crash_watch measure = { census_begin, census_track, &totals->census }, watch = { census_begin, census_at, &totals->census };
	bool sent = false;
	int r;

	census_forget(&totals->census);
	r = crash_measure(scene, deaths, count, &measure);
	if (r < 0 || scene->broken)
		return r < 0 ? r : complain(scene, deaths, count);
	totals->runs++;
	if (getenv("PABAL_CRASH_TRACE"))
		fprintf(stderr, "%s from %s: %u instructions\n", last->operation->name, crash_fill_names[scene->fill], last->trace.count);
	if (last->trace.count > totals->longest)
		totals->longest = last->trace.count;
	for (uint32_t k = totals->runs % stride; k < last->trace.count; k += stride) {
		if (!crash_is_fresh(&last->trace, k)) {
			totals->repeated++;
			continue;
		}
		last->k = k;
		r = crash_once(scene, deaths, count, &watch);
		if (r < 0)
			return r;
		totals->ended += (uint64_t)r;
		if (count == 1 && sent && !scene->sent)
			crash_broken(scene, "lost", "the message that was there when the sender was killed earlier is not");
		if (scene->broken)
			return complain(scene, deaths, count);
		sent |= scene->sent;
	}
	return 0;
}

/* Somebody dies in the middle of a receive, in each state that there is; whoever repairs it is killed at every instruction. */
static int kill_repairers(struct crash_scene *scene, struct crash_death *repair, uint32_t stride, struct totals *totals)
{
	struct crash_death deaths[2] = { { .operation = crash_operation_find("receive") }, *repair };
	struct census census = { 0 };
	struct crash_watch measure = { census_begin, census_track, &census }, look = { census_begin, NULL, &census };
	uint32_t last = UINT32_MAX;
	int r = crash_measure(scene, deaths, 1, &measure);

	if (r == 0 && scene->broken)
		r = complain(scene, deaths, 1);
	for (uint32_t k = 0; r == 0 && k < deaths[0].trace.count; k++) {
		uint32_t cell;

		(void)look;
		(void)cell;
		(void)last;
		deaths[0].k = k;
		r = kill_at_each(scene, deaths, 2, stride, totals);
		k += deaths[0].trace.count / 8;
	}
	crash_trace_free(&deaths[0].trace);
	*repair = deaths[1];
	census_free(&census);
	return r;
}

static int run_fill(struct crash_scene *scene, const struct options *options, struct totals *totals)
{
	struct crash_death death = { .operation = options->operation };
	int r;

	scene->operation = options->operation;
	if (options->operation->effects & CRASH_REPAIRS)
		r = kill_repairers(scene, &death, options->stride, totals);
	else
		r = kill_at_each(scene, &death, 1, options->stride, totals);
	crash_trace_free(&death.trace);
	if (r < 0)
		fprintf(stderr, "%s: the scene could not be built: %s, %s\n", options->operation->name, strerror(-r), pabal_error_detail());
	return r;
}

static int run_all(const struct options *options, struct totals *totals)
{
	struct crash_scene scene = { .name = "crash", .laps = options->laps };
	int r = 0;

	scene.shared = mmap(NULL, sizeof *scene.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene.shared == MAP_FAILED)
		return -errno;
	for (uint32_t i = 0; r == 0 && i < options->size_count; i++)
		for (scene.fill = CRASH_EMPTY; r == 0 && scene.fill < CRASH_LAST; scene.fill++) {
			if (options->operation->effects & CRASH_STUCK && scene.fill != CRASH_ONE)
				continue;
			scene.size = options->sizes[i];
			r = run_fill(&scene, options, totals);
		}
	munmap(scene.shared, sizeof *scene.shared);
	return r;
}

static int parse(struct options *options, int argc, char **argv)
{
	if (argc < 2 || !(options->operation = crash_operation_find(argv[1])))
		return -1;
	options->stride = 1;
	for (int i = 2; i + 1 < argc; i += 2) {
		uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);

		if (strcmp(argv[i], "--stride") == 0 && value)
			options->stride = value;
		else if (strcmp(argv[i], "--size") == 0 && options->size_count < 8)
			options->sizes[options->size_count++] = value;
		else if (strcmp(argv[i], "--laps") == 0)
			options->laps = value;
		else
			return -1;
	}
	if (!options->size_count)
		options->sizes[options->size_count++] = 64;
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct totals totals = { 0 };
	int r;

	if (parse(&options, argc, argv) < 0) {
		fprintf(stderr, "usage: %s OPERATION [--stride N] [--size BYTES]... [--laps N]\n", argv[0]);
		return 2;
	}
	if (!getenv("LD_BIND_NOW")) { /* else the dynamic linker is stepped through as well */
		setenv("LD_BIND_NOW", "1", 1);
		execv("/proc/self/exe", argv);
		return 2;
	}
	mallopt(M_MMAP_THRESHOLD, 1 << 16); /* large tables fresh from the kernel: zero already, and nothing for fork to copy */
	r = run_all(&options, &totals);
	printf("%-16s longest way %u instructions, %u runs, %" PRIu64 " ended early, %" PRIu64 " repetitions passed over\n", options.operation->name,
	       totals.longest, totals.runs, totals.ended, totals.repeated);
	census_print(&totals.census, options.operation->name);
	if (r == 0 && required_missing(&totals.census, options.operation->name))
		r = 1;
	census_free(&totals.census);
	return r ? 1 : 0;
}
