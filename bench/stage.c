/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/stage.c - fork, start together, kill.
 */
#include "stage.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools.h"

enum { READY_LIMIT_S = 20, DONE_LIMIT_S = 60 }; /* something hangs; guesses */

struct stage *stage_new(int64_t length_ns, void *script)
{
	struct stage *stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (stage == MAP_FAILED)
		die(-errno, "mmap");
	stage->length_ns = length_ns;
	stage->script = script;
	return stage;
}

struct stage *stage_free(struct stage *stage)
{
	stage_kill(stage);
	munmap(stage, sizeof *stage);
	return NULL;
}

int stage_enter(struct stage *stage, void (*act)(struct stage *stage, uint32_t index), int cpu)
{
	uint32_t index = stage->actors;
	pid_t director = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0) {
		stage->pids[stage->actors++] = pid;
		return 0;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != director)
		_exit(1);
	if (cpu >= 0)
		pin(cpu);
	act(stage, index);
	_exit(0);
}

int stage_play(struct stage *stage)
{
	int64_t limit = now_ns() + READY_LIMIT_S * INT64_C(1000000000);

	while (atomic_load(&stage->ready) < stage->actors) {
		int failed = atomic_load(&stage->failed);

		if (failed)
			return failed;
		if (now_ns() > limit)
			return -ETIMEDOUT;
		nap_ns(100000);
	}
	atomic_store(&stage->go, 1);
	return 0;
}

int stage_wait_done(struct stage *stage)
{
	int64_t limit = now_ns() + DONE_LIMIT_S * INT64_C(1000000000);

	nap_ns(stage->length_ns); /* not a wake-up of ours while they measure */
	while (!atomic_load(&stage->done) && !atomic_load(&stage->failed)) {
		if (now_ns() > limit)
			return -ETIMEDOUT;
		nap_ns(500000);
	}
	return atomic_load(&stage->failed);
}

void stage_kill(struct stage *stage)
{
	for (uint32_t i = 0; i < stage->actors; i++)
		kill(stage->pids[i], SIGKILL);
	for (uint32_t i = 0; i < stage->actors; i++)
		waitpid(stage->pids[i], NULL, 0);
	stage->actors = 0;
}

void stage_ready(struct stage *stage)
{
	atomic_fetch_add(&stage->ready, 1);
	while (!atomic_load(&stage->go))
		sched_yield();
}

void stage_fail(struct stage *stage, int error)
{
	int none = 0;

	atomic_compare_exchange_strong(&stage->failed, &none, error);
	_exit(1);
}

void stage_done(struct stage *stage)
{
	atomic_store(&stage->done, 1);
}

void stage_sample(struct stage *stage, double ns)
{
	uint32_t count = atomic_load_explicit(&stage->sample_count, memory_order_relaxed); /* one actor measures */

	if (count == STAGE_SAMPLES)
		return;
	stage->samples[count] = ns;
	atomic_store_explicit(&stage->sample_count, count + 1, memory_order_release); /* pairs with stage_median() */
}

bool stage_over(const struct stage *stage, int64_t start)
{
	return now_ns() - start >= stage->length_ns;
}

double stage_median(struct stage *stage)
{
	return median(stage->samples, atomic_load(&stage->sample_count));
}
