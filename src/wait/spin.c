/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait/spin.c - how long to spin before a sleep, and whether to yield.
 *
 * On how many CPUs we may run does not matter: one who is pinned to a CPU waits for one who is pinned to another, and where both are on the same, spinning never pays and is given up after 7.5 microseconds, but for
 * one wait in RETRY. There a yield brings what is waited for, so that nobody sleeps, and there is no trial.
 */
#include "wait/spin.h"

#include "platform/cpu.h"

enum {
	MAX_NS =
		20000, /* measured: a sleeping core takes 20 to 25 microseconds to wake, on a virtual machine up to 100 and more; but for a trial, more spinning never pays */
	START_NS = 4000,
	LEAST_NS = 500, /* below this, spinning is given up */
	RETRY = 64,     /* waits after which it is given another chance; a guess */
	RETRY_NS =
		2000, /* an answer comes within 0.1 to 1 microsecond. More would be felt where both are on one core: there a wait takes 3 microseconds */
	/*
	 * Sleeps that are longer are no answers that spinning could wait for. A trial lasts until the other one is sure to have had its own chance, so longer than RETRY; one that
	 * brings nothing costs the processor time of as many short sleeps, and in the long run the part of TRIAL_WAITS in INTERVAL_MAX, which is less than a hundredth.
	 */
	SHORT_NS = 300000,
	TRIAL_WAITS = 2 * RETRY,
	TRIAL_MISS = RETRY / 4, /* waits that are taken off it for one in which even that was not enough: wake-ups do not all take the same time */
	RELAPSE_WAITS = 8,      /* a guess: to be answered quickly again takes one */
	/* So many waits in a row for which spinning was enough are no chance: where each second message comes quickly, one row in 2^64 is as long. A guess: anything from a dozen on would do. */
	STEADY = 64,
	INTERVAL_MIN = 32,
	INTERVAL_MAX = 32768,
	/*
	 * A yield that took longer gave the core to somebody who keeps it: a slice is 0.7 ms at least. A peer on this core that fills the whole mailbox, or empties
	 * it, is done in 0.1 to 0.2 ms, and letting it saves a sleep and a wake-up. Measured, as is the next.
	 */
	YIELD_LONG_NS = 250000,
	/*
	 * It is not repeated for this many times as long: at most a hundredth of the time goes to hogs. That holds for yields after which what was waited for was there too:
	 * a sleeper is woken in the middle of the hog's slice, who has yielded waits for the end of it.
	 */
	YIELD_BAN = 100,
};

static int64_t time_of(const _Atomic int64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed); /* alone, as all that follow: tuning only */
}

static void set_time(_Atomic int64_t *value, int64_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

static uint32_t count_of(const _Atomic uint32_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void set_count(_Atomic uint32_t *value, uint32_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

void pabal__spin_init(struct pabal__spin *spin)
{
	set_time(&spin->budget_ns, START_NS);
	set_count(&spin->interval, INTERVAL_MIN);
}

int64_t pabal__spin_begin(struct pabal__spin *spin)
{
	int64_t budget = time_of(&spin->budget_ns);
	uint32_t trial = count_of(&spin->trial), waits;

	if (trial) {
		set_count(&spin->trial, trial - 1);
		return time_of(&spin->trial_ns);
	}
	if (budget >= LEAST_NS)
		return budget;
	waits = count_of(&spin->waits);
	set_count(&spin->waits, waits + 1);
	return waits % RETRY == 0 ? RETRY_NS : 0;
}

/* A wait of a trial is over. */
static void judge(struct pabal__spin *spin, int64_t took, bool came)
{
	uint32_t interval = count_of(&spin->interval), left = count_of(&spin->trial);
	bool faster = came && took < MAX_NS;

	if (!came)
		left = left > TRIAL_MISS ? left - TRIAL_MISS : 0;
	set_count(&spin->trial, faster ? 0 : left);
	if (left && !faster)
		return;
	set_count(&spin->interval, interval < INTERVAL_MAX ? interval * 4 : INTERVAL_MAX); /* one quick answer proves nothing: see count_quick() */
	set_time(&spin->budget_ns, faster ? MAX_NS : 0);
}

/* Spinning was enough, up to the most that it may cost. Whom that befalls often enough in a row need not be afraid of trials. */
static void count_quick(struct pabal__spin *spin)
{
	uint32_t quick = count_of(&spin->quick);

	if (quick == STEADY) /* no store in each wait: another thread may have the line */
		return;
	set_count(&spin->quick, quick + 1);
	if (quick + 1 == STEADY)
		set_count(&spin->interval, INTERVAL_MIN);
}

static void count_slow(struct pabal__spin *spin)
{
	if (count_of(&spin->quick) == STEADY)
		atomic_store_explicit(&spin->relapsed, true, memory_order_relaxed);
	set_count(&spin->quick, 0);
}

void pabal__spin_learn(struct pabal__spin *spin, int64_t budget, int64_t took, bool came)
{
	int64_t known = time_of(&spin->budget_ns);

	if (came && (budget <= MAX_NS || took < MAX_NS))
		count_quick(spin);
	else
		count_slow(spin);
	if (budget > MAX_NS)
		judge(spin, took, came);
	else if (!came) /* a try in between leaves it given up */
		set_time(&spin->budget_ns, (known < budget ? known : budget) / 2);
	else if (known < MAX_NS) /* no store in each wait, as in count_quick() */
		set_time(&spin->budget_ns, budget * 2 < MAX_NS ? budget * 2 : MAX_NS);
}

static void begin_trial(struct pabal__spin *spin, int64_t slept, uint32_t waits)
{
	set_time(&spin->trial_ns, MAX_NS + 2 * slept);
	set_count(&spin->trial, waits);
	set_count(&spin->sleeps, 0);
}

void pabal__spin_slept(struct pabal__spin *spin, int64_t took)
{
	uint32_t sleeps = count_of(&spin->sleeps) + 1;
	bool relapsed = atomic_load_explicit(&spin->relapsed, memory_order_relaxed);

	if (relapsed)
		atomic_store_explicit(&spin->relapsed, false, memory_order_relaxed);
	if (took > SHORT_NS)
		return;
	if (relapsed)
		begin_trial(spin, took, RELAPSE_WAITS);
	else if (sleeps >= count_of(&spin->interval))
		begin_trial(spin, took, TRIAL_WAITS);
	else
		set_count(&spin->sleeps, sleeps);
}

bool pabal__spin_may_yield(const struct pabal__spin *spin)
{
	return pabal__clock_now() >= time_of(&spin->yield_after);
}

void pabal__spin_yield(struct pabal__spin *spin)
{
	int64_t before = pabal__clock_now(), took;

	pabal__cpu_yield();
	took = pabal__clock_now() - before;
	if (took > YIELD_LONG_NS)
		set_time(&spin->yield_after, before + took * YIELD_BAN);
}
