/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/plan.c - from a plan to kills: which instructions, which of the dead before, and the table of them all.
 */
#include "crash/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/fault.h"

static int complain(const struct plan *plan, const struct crash_scene *scene, const struct crash_death *deaths, uint32_t count)
{
	if (plan->quiet)
		return 1;
	fprintf(stderr, "BROKEN %s: %s (operation %s, queue %s, %u bytes, laps %u, killed before instruction", scene->broken, scene->detail,
		scene->operation->name, crash_fill_names[scene->fill], scene->size, scene->laps);
	for (uint32_t i = 0; i < count; i++)
		fprintf(stderr, " %u of %u in %s%s", deaths[i].k, deaths[i].trace.count, deaths[i].operation->name, i + 1 < count ? "," : ")\n");
	return 1;
}

/* The chosen instructions: all, or those that are passed for the first time; and of them every @stride-th, beginning elsewhere in each run. */
static bool is_chosen(const struct plan *plan, const struct crash_trace *trace, uint32_t k, uint32_t *number)
{
	if (plan->distinct && trace->visit[k] > 1)
		return false;
	return (*number)++ % plan->stride == 0;
}

static void begin_kill(void *data, struct crash_scene *scene)
{
	census_begin(&((struct totals *)data)->census, scene);
}

/* What the victim has counted dies with it. */
static void at_end(void *data, struct crash_scene *scene)
{
#ifdef PABAL_TEST
	((struct totals *)data)->victim_hits += (unsigned long)ptrace(PTRACE_PEEKDATA, scene->victim, &pabal__fault_hits, NULL);
#else
	(void)data;
	(void)scene;
#endif
}

static void at_kill(void *data, struct crash_scene *scene, uint32_t k)
{
	census_at(&((struct totals *)data)->census, scene, k);
	at_end(data, scene);
}

/* Killed at every chosen instruction of the last of the deaths. */
static int kill_at_each(struct crash_scene *scene, const struct plan *plan, struct crash_death *deaths, uint32_t count, struct totals *totals)
{
	struct crash_death *last = &deaths[count - 1];
	struct crash_watch measure = { census_begin, census_track, &totals->census, NULL }, watch = { begin_kill, at_kill, totals, at_end };
	uint32_t number = totals->runs++ * 7 % plan->stride;
	bool sent = false;
	int r;

	census_forget(&totals->census);
	r = crash_measure(scene, deaths, count, &measure);
	if (r < 0 || scene->broken)
		return r < 0 ? r : complain(plan, scene, deaths, count);
	if (last->trace.count > totals->longest)
		totals->longest = last->trace.count;
	for (uint32_t k = 0; k < last->trace.count; k++) {
		if (!is_chosen(plan, &last->trace, k, &number)) {
			totals->passed_over++;
			continue;
		}
		last->k = k;
		scene->activity = plan->activity ? plan->activity - 1 : number;
		r = plan->stop ? crash_stop(scene, deaths, count, &watch) : crash_once(scene, deaths, count, &watch);
		if (r < 0)
			return r;
		if (count == 1 && !plan->stop && sent && !scene->sent)
			crash_broken(scene, "lost", "the message that was there when the sender was killed earlier is not");
		if (scene->broken)
			return complain(plan, scene, deaths, count);
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
	((struct passages *)data)->count = 0;
	census_begin(&((struct passages *)data)->census, scene);
}

static void track_passages(void *data, struct crash_scene *scene, uint32_t k)
{
	census_track(&((struct passages *)data)->census, scene, k);
}

/* Twice: once to learn which slot and block it is about, once to see where they change. */
static int find_passages(const struct plan *plan, struct crash_scene *scene, struct crash_death *death, struct passages *passages)
{
	struct crash_watch track = { begin_passages, track_passages, passages, NULL }, look = { begin_passages, look_for_passage, passages, NULL };
	int r = crash_measure(scene, death, 1, &track);

	if (r == 0)
		r = crash_measure(scene, death, 1, &look);
	return r == 0 && scene->broken ? complain(plan, scene, death, 1) : r;
}

/* The repairers between the first of the dead and the last are killed somewhere, elsewhere each time; each goes on where the one before it was killed. */
static int kill_deep(struct crash_scene *scene, const struct plan *plan, struct crash_death *deaths, struct totals *totals)
{
	uint32_t count = 2 + plan->deep;
	uint64_t dice = 88172645463325252u + totals->runs;
	int r = 0;

	for (uint32_t i = 1; i < count; i++)
		deaths[i].operation = plan->operation;
	for (uint32_t i = 1; r == 0 && i < count - 1; i++) {
		r = crash_measure(scene, deaths, i + 1, NULL);
		if (r == 0 && scene->broken)
			r = complain(plan, scene, deaths, i + 1);
		while (r == 0) {
			dice = dice * 6364136223846793005u + 1442695040888963407u;
			deaths[i].k = (uint32_t)(dice >> 33) % deaths[i].trace.count;
			if (deaths[i].trace.visit[deaths[i].k] == 1)
				break;
		}
	}
	if (r == 0)
		r = kill_at_each(scene, plan, deaths, count, totals);
	for (uint32_t i = 1; i < count; i++)
		crash_trace_free(&deaths[i].trace);
	return r;
}

/* Somebody dies in the middle of @operation, in each state that there is; whoever repairs it is killed at every instruction. */
static int kill_repairers(struct crash_scene *scene, const struct plan *plan, const char *operation, struct totals *totals)
{
	struct crash_death deaths[CRASH_DEATHS] = { { .operation = crash_operation_find(operation) } };
	struct passages passages = { .count = 0 };
	int r;

	scene->operation = deaths[0].operation;
	r = find_passages(plan, scene, &deaths[0], &passages);
	scene->operation = plan->operation;
	for (uint32_t i = 0; r == 0 && i < passages.count; i++) {
		if (plan->operation->effects & CRASH_STUCK && passages.at[i].cell / CENSUS_BLOCKS != CENSUS_TAKEN)
			continue;
		deaths[0].k = passages.at[i].k;
		totals->deaths[passages.at[i].cell]++;
		r = kill_deep(scene, plan, deaths, totals);
	}
	crash_trace_free(&deaths[0].trace);
	census_free(&passages.census);
	return r;
}

static int run_fill(struct crash_scene *scene, const struct plan *plan, struct totals *totals)
{
	struct crash_death death = { .operation = plan->operation };
	int r;

	scene->operation = plan->operation;
	if (plan->operation->effects & CRASH_REPAIRS)
		r = kill_repairers(scene, plan, "receive", totals);
	else
		r = kill_at_each(scene, plan, &death, 1, totals);
	if (r == 0 && (plan->operation->effects & (CRASH_REPAIRS | CRASH_OPENS)) == (CRASH_REPAIRS | CRASH_OPENS))
		r = kill_repairers(scene, plan, "loan-commit", totals);
	crash_trace_free(&death.trace);
	if (r < 0)
		fprintf(stderr, "%s: the scene could not be built: %s, %s\n", plan->operation->name, strerror(-r), pabal_error_detail());
	return r;
}

int plan_run(const struct plan *plan, struct crash_scene *scene, struct totals *totals)
{
	uint64_t astray = scene->astray;
	int r = 0;

	scene->laps = plan->laps;
	for (uint32_t i = 0; r == 0 && i < plan->size_count; i++)
		for (scene->fill = CRASH_EMPTY; r == 0 && scene->fill < CRASH_LAST; scene->fill++) {
			if (plan->operation->effects & CRASH_STUCK && scene->fill != CRASH_ONE)
				continue;
			if (plan->fills && !(plan->fills >> scene->fill & 1))
				continue;
			scene->size = plan->sizes[i];
			r = run_fill(scene, plan, totals);
		}
	totals->astray += scene->astray - astray;
	return r;
}

void plan_print(const struct plan *plan, const struct totals *totals)
{
	printf("%-16s longest way %u instructions, %u runs, %" PRIu64 " went astray and were tried again, %" PRIu64 " passed over\n",
	       plan->operation->name, totals->longest, totals->runs, totals->astray, totals->passed_over);
	for (uint32_t cell = 0; cell < CENSUS_SLOTS * CENSUS_BLOCKS; cell++)
		if (totals->deaths[cell])
			printf("%-16s repaired a death in %s/%s %u times\n", plan->operation->name, census_slot_names[cell / CENSUS_BLOCKS],
			       census_block_names[cell % CENSUS_BLOCKS], totals->deaths[cell]);
	census_print(&totals->census, plan->operation->name);
}

void plan_prepare_process(char **argv)
{
	if (!getenv("LD_BIND_NOW")) {
		setenv("LD_BIND_NOW", "1", 1);
		execv("/proc/self/exe", argv);
		exit(2);
	}
	mallopt(M_MMAP_THRESHOLD, 1 << 16); /* large tables fresh from the kernel: zero already, and nothing for fork to copy */
}

int plan_share(struct crash_scene *scene)
{
	scene->shared = mmap(NULL, CRASH_DEATHS * sizeof *scene->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return scene->shared == MAP_FAILED ? -errno : 0;
}
