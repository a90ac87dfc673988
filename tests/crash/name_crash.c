/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/name_crash.c - kill a process at every instruction of announcing, opening a link, accepting, talking by name and closing, or stop it there; what is left must hinder nobody.
 *
 *   test_name_crash OPERATION [--stride N] [--stop 1] [--every 1] [--sample 1] [--smaller 1]
 *
 * The victim has, or takes, a name; another process, "other", runs freely: it accepts, asks, or talks by name. When the victim is dead, a newcomer takes the name at once and talks with the
 * other one. Asserted: the name is free; the other one is told of each link's end, after whatever was committed; the newcomer's link works; no descriptor is left in the other one, and after
 * gc no file. A stopped victim keeps its name, and comes to its end. Instructions are killed at the first time that they are passed; --every 1: always.
 * --smaller 1: the victim's is the smaller name.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/name_scene.h"
#include "crash/step.h"

struct plan {
	const struct name_operation *operation;
	uint32_t stride, number, longest;
	bool stop, every, sample;
	uint64_t runs, ended, cells[NAME_CELLS];
};

static struct name_shared *shared;
static const char *broken;
static char detail[128];

static void break_with(const char *invariant, const char *text, int number)
{
	if (broken)
		return;
	broken = invariant;
	snprintf(detail, sizeof detail, "%s: %d", text, number);
}

/* Objects, sockets and whatever else lies there. */
static int count_files(void)
{
	const char *path = getenv("PABAL_DIR");
	DIR *directory = opendir(path ? path : "");
	const struct dirent *entry;
	int count = 0;

	while (directory && (entry = readdir(directory)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	if (directory)
		closedir(directory);
	return count;
}

static unsigned look(void)
{
	char path[512];
	unsigned seen = 0;

	snprintf(path, sizeof path, "%s/%s", getenv("PABAL_DIR"), name_victim);
	if (access(path, F_OK) == 0)
		seen |= NAME_NAMED;
	if (shared->links)
		seen |= NAME_LINKED;
	if (shared->received)
		seen |= NAME_TALKED;
	return seen;
}

static pid_t start(void (*body)(const struct name_operation *operation, struct name_shared *memory), const struct name_operation *operation)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGALRM, SIG_DFL); /* the driver's hang detector */
		body(operation, shared);
		_exit(0);
	}
	return pid;
}

static pid_t watched;

static void end_watched(int signal)
{
	kill(watched, signal);
}

/* Its end, which it comes to by itself: 30 s, as a hang detector and nothing else. */
static void end(pid_t pid, const char *who)
{
	int status = 0;

	watched = pid;
	signal(SIGALRM, end_watched);
	alarm(30);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		break_with("hang", who, SIGALRM);
	else if (status)
		break_with(shared->broken ? shared->broken : "crash", shared->broken ? shared->detail : who, status);
}

static pid_t other;

/* The other one runs, the victim stands at crash_begin(). */
static pid_t stage(const struct name_operation *operation)
{
	pid_t victim;

	memset(shared, 0, sizeof *shared);
	shared->result = 1;
	broken = NULL;
	other = start(name_be_other, operation);
	name_await(&shared->ready);
	if (operation->effects & NAME_OVER_DEAD)
		end(start(name_be_predecessor, operation), "the predecessor");
	victim = start(name_be_victim, operation);
	return crash_attach(victim) ? victim : -1;
}

/* All that must hold now that the victim is no more. */
static void verify(const struct name_operation *operation)
{
	end(start(name_be_newcomer, operation), "the newcomer");
	if (broken)
		kill(other, SIGKILL); /* it would wait for one who does not come */
	end(other, "the other one");
	pabal_gc(NULL);
	if (count_files())
		break_with("leaked", "files are left", count_files());
}

static int once(struct plan *plan, const struct crash_trace *trace, uint32_t k)
{
	pid_t victim = stage(plan->operation);
	bool there;

	if (victim < 0)
		return -1;
	there = crash_run_to(victim, trace, k);
	plan->cells[look()] += there;
	if (plan->stop) {
		if (!(plan->operation->effects & NAME_ANNOUNCES))
			end(start(name_be_rival, plan->operation), "the rival");
		crash_run_to_end(victim);
		crash_let_go(victim);
		if (shared->result != 0)
			break_with("refused", plan->operation->name, shared->result);
	} else {
		crash_kill(victim);
	}
	verify(plan->operation);
	plan->runs++;
	plan->ended += !there;
	return 0;
}

static int measure(struct plan *plan, struct crash_trace *trace)
{
	pid_t victim = stage(plan->operation);

	if (victim < 0 || !crash_record(victim, trace, NULL, NULL))
		return -1;
	crash_let_go(victim);
	if (shared->result != 0)
		break_with("refused", plan->operation->name, shared->result);
	verify(plan->operation);
	plan->longest = trace->count;
	return 0;
}

static int complain(const struct plan *plan, uint32_t k)
{
	fprintf(stderr, "BROKEN %s: %s (%s, %s before instruction %u of %u)\n", broken, detail, plan->operation->name,
		plan->stop ? "stopped" : "killed", k, plan->longest);
	return 1;
}

static int run(struct plan *plan)
{
	struct crash_trace trace = { 0 };
	int r = measure(plan, &trace);

	if (r == 0 && broken)
		r = complain(plan, trace.count);
	for (uint32_t k = 0; r == 0 && k < trace.count; k++) {
		if ((!plan->every && trace.visit[k] > 1) || plan->number++ % plan->stride)
			continue;
		r = once(plan, &trace, k);
		if (r == 0 && broken)
			r = complain(plan, k);
	}
	crash_trace_free(&trace);
	return r;
}

static int parse(struct plan *plan, int argc, char **argv)
{
	plan->stride = 1;
	if (argc < 2 || !getenv("PABAL_DIR") || !(plan->operation = name_operation_find(argv[1])))
		return -1;
	for (int i = 2; i + 1 < argc; i += 2) {
		uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);

		if (strcmp(argv[i], "--stride") == 0 && value)
			plan->stride = value;
		else if (strcmp(argv[i], "--stop") == 0)
			plan->stop = value;
		else if (strcmp(argv[i], "--every") == 0)
			plan->every = value;
		else if (strcmp(argv[i], "--sample") == 0)
			plan->sample = value;
		else if (strcmp(argv[i], "--smaller") == 0)
			name_victim = value ? "a-victim" : name_victim;
		else
			return -1;
	}
	return 0;
}

static int report(const struct plan *plan)
{
	static const char *const names[] = { "name", "link", "message" };
	int r = 0;

	printf("%-18s longest way %u instructions, %lu runs, %lu ended early\n", plan->operation->name, plan->longest, (unsigned long)plan->runs,
	       (unsigned long)plan->ended);
	for (unsigned cell = 0; cell < NAME_CELLS; cell++) {
		if (!plan->cells[cell])
			continue;
		printf("%-18s %8lu:", plan->operation->name, (unsigned long)plan->cells[cell]);
		for (unsigned bit = 0; bit < 3; bit++)
			printf(" %s%s", cell & 1u << bit ? "" : "no ", names[bit]);
		printf("\n");
	}
	for (unsigned cell = 0; cell < NAME_CELLS && !plan->sample; cell++)
		if (plan->operation->cells & 1u << cell && !plan->cells[cell]) {
			fprintf(stderr, "%s: nobody was killed in cell %u\n", plan->operation->name, cell);
			r = 1;
		}
	return r;
}

int main(int argc, char **argv)
{
	struct plan plan = { 0 };
	int r;

	if (parse(&plan, argc, argv) < 0) {
		fprintf(stderr, "usage: PABAL_DIR=DIRECTORY %s OPERATION [--stride N] [--stop 1] [--every 1] [--smaller 1]\n", argv[0]);
		return 2;
	}
	crash_bind_now(argv);
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	r = run(&plan);
	r |= report(&plan);
	return r ? 1 : 0;
}
