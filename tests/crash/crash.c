/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/crash.c - kill a process at every instruction of one call, and see that nothing is lost, doubled or leaked.
 *
 *   test_crash OPERATION [--stride N] [--distinct 1] [--size BYTES]... [--fills BITS] [--laps N] [--deep N]
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
	uint32_t fills;     /* a bit for each state of the queue; 0: all */
	uint32_t deep;      /* repairers killed before the last */
	bool distinct;      /* only instructions that are passed for the first time */
};

struct totals {
	struct census census;
	uint32_t runs, longest;
	uint64_t ended, passed_over;
	uint32_t deaths[CENSUS_SLOTS * CENSUS_BLOCKS]; /* of those whom the victims repaired, by cell */
};

static int complain(const struct crash_scene *scene, const struct crash_death *deaths, uint32_t count)
{
	fprintf(stderr, "BROKEN %s: %s (operation %s, queue %s, %u bytes, laps %u, killed before instruction", scene->broken, scene->detail,
		scene->operation->name, crash_fill_names[scene->fill], scene->size, scene->laps);
	for (uint32_t i = 0; i < count; i++)
		fprintf(stderr, " %u of %u in %s%s", deaths[i].k, deaths[i].trace.count, deaths[i].operation->name, i + 1 < count ? "," : ")\n");
	return 1;
}

/* The chosen instructions: all, or those that are passed for the first time; and of them every @stride-th, beginning elsewhere in each run. */
static bool is_chosen(const struct options *options, const struct crash_trace *trace, uint32_t k, uint32_t *number)
{
	if (!crash_is_fresh(trace, k) || (options->distinct && trace->anchor[k] != k))
		return false;
	return (*number)++ % options->stride == 0;
}

/* Killed at every chosen instruction of the last of the deaths. */
static int kill_at_each(struct crash_scene *scene, const struct options *options, struct crash_death *deaths, uint32_t count, struct totals *totals)
{
	struct crash_death *last = &deaths[count - 1];
	struct crash_watch measure = { census_begin, census_track, &totals->census }, watch = { census_begin, census_at, &totals->census };
	uint32_t number = totals->runs++ * 7 % options->stride;
	bool sent = false;
	int r;

	census_forget(&totals->census);
	r = crash_measure(scene, deaths, count, &measure);
	if (r < 0 || scene->broken)
		return r < 0 ? r : complain(scene, deaths, count);
	if (last->trace.count > totals->longest)
		totals->longest = last->trace.count;
	for (uint32_t k = 0; k < last->trace.count; k++) {
		if (!is_chosen(options, &last->trace, k, &number)) {
			totals->passed_over++;
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

/* Where in its way the first of the dead passes into another cell of the census. */
struct passages {
	struct census census;
	uint32_t count, last;
	struct {
		uint32_t k, cell;
	} at[16];
};

static void look_for_passage(void *data, struct crash_scene *scene, uint32_t k)
{
	struct passages *passages = data;
	uint32_t cell = census_cell(&passages->census);

	(void)scene;
	if (passages->count < 16 && (!passages->count || cell != passages->last)) {
		passages->at[passages->count].k = k;
		passages->at[passages->count++].cell = cell;
		passages->last = cell;
	}
}

static void begin_passages(void *data, struct crash_scene *scene)
{
	census_begin(&((struct passages *)data)->census, scene);
}

static void track_passages(void *data, struct crash_scene *scene, uint32_t k)
{
	census_track(&((struct passages *)data)->census, scene, k);
}

/* Twice: once to learn which slot and block it is about, once to see where they change. */
static int find_passages(struct crash_scene *scene, struct crash_death *death, struct passages *passages)
{
	struct crash_watch track = { begin_passages, track_passages, passages }, look = { begin_passages, look_for_passage, passages };
	int r = crash_measure(scene, death, 1, &track);

	if (r == 0)
		r = crash_measure(scene, death, 1, &look);
	return r == 0 && scene->broken ? complain(scene, death, 1) : r;
}

/* The repairers between the first of the dead and the last are killed somewhere, elsewhere each time. */
static int kill_deep(struct crash_scene *scene, const struct options *options, struct crash_death *deaths, struct totals *totals)
{
	uint32_t count = 2 + options->deep;
	struct options thin = *options;
	uint64_t dice = 88172645463325252u + totals->runs;
	int r;

	for (uint32_t i = 1; i < count; i++)
		deaths[i].operation = options->operation;
	r = crash_measure(scene, deaths, 2, NULL);
	for (uint32_t i = 1; r == 0 && i < count - 1; i++) {
		deaths[i].trace = deaths[1].trace;
		do {
			dice = dice * 6364136223846793005u + 1442695040888963407u;
			deaths[i].k = (uint32_t)(dice >> 33) % deaths[1].trace.count;
		} while (deaths[i].trace.anchor[deaths[i].k] != deaths[i].k);
	}
	if (r == 0)
		r = kill_at_each(scene, &thin, deaths, count, totals);
	crash_trace_free(&deaths[1].trace);
	if (count > 2)
		crash_trace_free(&deaths[count - 1].trace);
	return r;
}

/* Somebody dies in the middle of @operation, in each state that there is; whoever repairs it is killed at every instruction. */
static int kill_repairers(struct crash_scene *scene, const struct options *options, const char *operation, struct totals *totals)
{
	struct crash_death deaths[5] = { { .operation = crash_operation_find(operation) } };
	struct passages passages = { .count = 0 };
	int r;

	scene->operation = deaths[0].operation;
	r = find_passages(scene, &deaths[0], &passages);
	scene->operation = options->operation;
	for (uint32_t i = 0; r == 0 && i < passages.count; i++) {
		if (options->operation->effects & CRASH_STUCK && passages.at[i].cell / CENSUS_BLOCKS != CENSUS_TAKEN)
			continue;
		deaths[0].k = passages.at[i].k;
		totals->deaths[passages.at[i].cell]++;
		r = kill_deep(scene, options, deaths, totals);
	}
	crash_trace_free(&deaths[0].trace);
	census_free(&passages.census);
	return r;
}

static int run_fill(struct crash_scene *scene, const struct options *options, struct totals *totals)
{
	struct crash_death death = { .operation = options->operation };
	int r;

	scene->operation = options->operation;
	if (options->operation->effects & CRASH_REPAIRS)
		r = kill_repairers(scene, options, "receive", totals);
	else
		r = kill_at_each(scene, options, &death, 1, totals);
	if (r == 0 && (options->operation->effects & (CRASH_REPAIRS | CRASH_OPENS)) == (CRASH_REPAIRS | CRASH_OPENS))
		r = kill_repairers(scene, options, "loan-commit", totals);
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
			if (options->fills && !(options->fills >> scene.fill & 1))
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
		else if (strcmp(argv[i], "--fills") == 0)
			options->fills = value;
		else if (strcmp(argv[i], "--deep") == 0 && value <= 3)
			options->deep = value;
		else if (strcmp(argv[i], "--distinct") == 0)
			options->distinct = value;
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
		fprintf(stderr, "usage: %s OPERATION [--stride N] [--distinct 1] [--size BYTES]... [--fills BITS] [--laps N] [--deep N]\n",
			argv[0]);
		return 2;
	}
	if (!getenv("LD_BIND_NOW")) { /* else the dynamic linker is stepped through as well */
		setenv("LD_BIND_NOW", "1", 1);
		execv("/proc/self/exe", argv);
		return 2;
	}
	mallopt(M_MMAP_THRESHOLD, 1 << 16); /* large tables fresh from the kernel: zero already, and nothing for fork to copy */
	r = run_all(&options, &totals);
	printf("%-16s longest way %u instructions, %u runs, %" PRIu64 " ended early, %" PRIu64 " passed over\n", options.operation->name, totals.longest,
	       totals.runs, totals.ended, totals.passed_over);
	for (uint32_t cell = 0; cell < CENSUS_SLOTS * CENSUS_BLOCKS; cell++)
		if (totals.deaths[cell])
			printf("%-16s repaired a death in %s/%s %u times\n", options.operation->name, census_slot_names[cell / CENSUS_BLOCKS],
			       census_block_names[cell % CENSUS_BLOCKS], totals.deaths[cell]);
	census_print(&totals.census, options.operation->name);
	if (r == 0 && required_missing(&totals.census, options.operation->name))
		r = 1;
	census_free(&totals.census);
	return r ? 1 : 0;
}
