/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - a whole run of demo or torture.
 *
 *   kill     workers come and go for as long as the plan says
 *   senders  no more kills; senders finish the message that they are at. Nobody helps: what the dead held comes back by itself
 *   drain    until the mailbox is empty, and every message that is known to be committed was received, or is missing for good
 *   end      receivers are told to go; the account of the mailbox must be clean
 *   refill   (torture) the mailbox must still hold exactly its capacity
 *
 * Time decides only when the killing ends. After that each part lasts as long as something moves; when nothing moved for HANG_NS, the
 * run is broken, and what is missing is counted as lost or stuck.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "progress.h"
#include "refill.h"
#include "report.h"
#include "run.h"
#include "sandbox.h"
#include "stop.h"
#include "verb.h"

#define TICK_NS (INT64_C(10) * 1000000)
#define HANG_NS (INT64_C(30) * 1000000000) /* a detector of hangs, far above any wait slice */
#define LOOKS 20

struct stage {
	struct run *run;
	void (*show)(const struct run *run, void *data);
	void *data;
	uint64_t last_entries;
	uint64_t last_running;
	int64_t moved_ns;
	unsigned looks; /* at an empty mailbox with messages missing, and nothing moved in between */
};

int64_t run_elapsed(const struct run *run)
{
	return clock_now() - run->start_ns;
}

static void sleep_ns(int64_t duration_ns)
{
	struct timespec duration = { .tv_sec = duration_ns / 1000000000, .tv_nsec = duration_ns % 1000000000 };

	if (duration_ns > 0)
		nanosleep(&duration, NULL);
}

/* A second Ctrl-C means now; and where workers failed until no receiver is left, nothing will move any more. */
static bool is_aborted(const struct run *run)
{
	return stop_requests() > 1 || (run->crew.is_failed && crew_running(&run->crew, ROLE_RECEIVER) == 0);
}

/* From nothing to twice the average. */
static int64_t next_kill(struct run *run)
{
	return (int64_t)random_below(&run->crew.random, 2 * (uint64_t)run->plan->kill_every_ns);
}

static void kill_for_a_while(struct stage *stage)
{
	struct run *run = stage->run;
	int64_t end_ns = run->start_ns + run->plan->run_ns, now_ns, kill_ns;

	kill_ns = run->plan->kill_every_ns > 0 ? run->start_ns + next_kill(run) : INT64_MAX;
	while ((now_ns = clock_now()) < end_ns && stop_requests() == 0 && !run->crew.is_failed) {
		crew_tend(&run->crew, true);
		if (now_ns >= kill_ns) {
			crew_kill_one(&run->crew);
			kill_ns = now_ns + next_kill(run);
		}
		if (stage->show)
			stage->show(run, stage->data);
		sleep_ns(kill_ns - now_ns < TICK_NS ? kill_ns - now_ns : TICK_NS);
	}
}

/* One round of waiting for the end of something. Return: false when nothing has moved for too long. */
static bool wait_a_tick(struct stage *stage)
{
	struct run *run = stage->run;
	uint64_t running = crew_running(&run->crew, ROLE_SENDER) + crew_running(&run->crew, ROLE_RECEIVER);
	int64_t now_ns = clock_now();

	if (run->crew.audit.entries != stage->last_entries || running != stage->last_running || stage->moved_ns == 0) {
		stage->last_entries = run->crew.audit.entries;
		stage->last_running = running;
		stage->moved_ns = now_ns;
	}
	if (stage->show)
		stage->show(run, stage->data);
	sleep_ns(TICK_NS);
	return now_ns - stage->moved_ns < HANG_NS;
}

/* Nothing is in the mailbox or in anybody's hands. */
static bool is_empty(const struct run *run)
{
	struct pabal_check_result check = { 0 };

	if (pabal_check(run->crew.mailbox, &check) < 0)
		return true; /* damaged: it will not get better, and the verdict says so */
	return check.queued + check.loaned + check.leased + check.redeliver + check.held_by_dead == 0;
}

/*
 * A receiver enters a message before it releases it, so when the mailbox is empty everything that will ever be received is in the logs.
 * Then what is missing is lost. It is said only after several looks between which nothing moved, because an account that is taken while
 * messages move may miss one.
 */
static bool is_drained(struct stage *stage)
{
	struct crew *crew = &stage->run->crew;
	uint64_t entries = crew->audit.entries;

	if (!is_empty(stage->run))
		stage->looks = 0;
	else if (audit_lost(&crew->audit) == 0)
		return true;
	crew_tend(crew, false);
	stage->looks = crew->audit.entries == entries ? stage->looks + 1 : 0;
	return stage->looks > LOOKS && is_empty(stage->run);
}

static void wait_for_senders(struct stage *stage)
{
	struct crew *crew = &stage->run->crew;

	crew_stop_senders(crew);
	do
		crew_tend(crew, false);
	while (crew_running(crew, ROLE_SENDER) > 0 && !is_aborted(stage->run) && wait_a_tick(stage));
	if (crew_running(crew, ROLE_SENDER) > 0 && !is_aborted(stage->run))
		tally_find(&crew->tally, "%u senders hang: nothing has moved for %d s", crew_running(crew, ROLE_SENDER), (int)(HANG_NS / 1000000000));
}

static void wait_for_drain(struct stage *stage)
{
	struct crew *crew = &stage->run->crew;
	bool drained;

	do
		crew_tend(crew, false);
	while (!(drained = is_drained(stage)) && !is_aborted(stage->run) && wait_a_tick(stage));
	if (!drained && !is_aborted(stage->run))
		tally_find(&crew->tally, "the mailbox did not drain: nothing has moved for %d s", (int)(HANG_NS / 1000000000));
}

static void wait_for_receivers(struct stage *stage)
{
	struct crew *crew = &stage->run->crew;

	crew_stop_receivers(crew);
	do
		crew_tend(crew, false);
	while (crew_running(crew, ROLE_RECEIVER) > 0 && !is_aborted(stage->run) && wait_a_tick(stage));
	if (crew_running(crew, ROLE_RECEIVER) > 0 && !is_aborted(stage->run))
		tally_find(&crew->tally, "%u receivers hang: they were interrupted %d s ago", crew_running(crew, ROLE_RECEIVER),
			   (int)(HANG_NS / 1000000000));
}

/* Nobody is left: every block must be free. */
static void check_account(struct run *run)
{
	struct pabal_check_result check = { 0 };
	struct tally *tally = &run->crew.tally;
	int r;

	r = pabal_check(run->crew.mailbox, &check);
	tally->stuck = check.queued + check.loaned + check.leased + check.redeliver + check.held_by_dead + check.lost + check.corrupt;
	if (r < 0)
		tally_find(tally, "after the drain: %s", call_detail(r));
	if (tally->stuck > 0)
		tally_find(
			tally,
			"after the drain %llu blocks are queued, %llu loaned, %llu leased, %llu to redeliver, %llu held by the dead, %llu lost, %llu corrupt",
			(unsigned long long)check.queued, (unsigned long long)check.loaned, (unsigned long long)check.leased,
			(unsigned long long)check.redeliver, (unsigned long long)check.held_by_dead, (unsigned long long)check.lost,
			(unsigned long long)check.corrupt);
}

static void do_run(struct stage *stage)
{
	struct run *run = stage->run;

	run->start_ns = clock_now();
	kill_for_a_while(stage);
	run->crew.tally.run_ns = run_elapsed(run);
	run->is_draining = true;
	wait_for_senders(stage);
	wait_for_drain(stage);
	wait_for_receivers(stage);
	check_account(run);
	audit_conclude(&run->crew.audit);
	if (run->plan->refill && tally_is_sound(&run->crew.tally))
		refill_check(run->crew.mailbox, run->plan, &run->crew.tally);
	run->is_over = true;
	if (stage->show)
		stage->show(run, stage->data);
}

static int open_run(struct run *run, const char *mailbox)
{
	static const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_READ_ONLY };
	int r;

	if (crew_init(&run->crew, run->plan, mailbox) < 0)
		return report("out of memory: there is no room for the ledger");
	r = pabal_mailbox_open(mailbox, &opts, &run->observer);
	return r < 0 ? report_call(r) : STATUS_DONE;
}

static int run_in(struct run *run, const struct sandbox *sandbox, struct stage *stage)
{
	int status = open_run(run, sandbox->name);

	if (status == STATUS_DONE) {
		do_run(stage);
		progress_clear();
		status = stop_requests() > 1 ? STATUS_FAILED : tally_print(&run->crew.tally, run->plan);
	}
	run->observer = pabal_mailbox_close(run->observer);
	crew_deinit(&run->crew);
	return status;
}

int run_plan(const struct plan *plan, void (*show)(const struct run *run, void *data), void *data)
{
	struct run *run = calloc(1, sizeof(*run));
	struct stage stage = { .run = run, .show = show, .data = data };
	struct sandbox sandbox;
	int status;

	if (!run)
		return report("out of memory");
	run->plan = plan;
	stop_on_signals(NULL);
	status = sandbox_open(&sandbox, plan);
	if (status == STATUS_DONE)
		status = run_in(run, &sandbox, &stage);
	sandbox_close(&sandbox);
	free(run);
	if (stop_requests() > 1)
		stop_die();
	return status;
}
