/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/step.h - run another process one instruction at a time, by ptrace.
 *
 * What is stepped lies between two marks in the tracee's code, crash_begin() and crash_end(). A first, whole pass records the address of each
 * instruction (struct crash_trace); later passes use it to run at full speed, on a breakpoint, to a place near the
 * wanted instruction that was seldom passed before, and step from there. A string instruction that the processor repeats (a copy, say) counts as one,
 * and so does a visit to the kernel's own code in user space (the clock).
 */
#ifndef PABAL_CRASH_STEP_H
#define PABAL_CRASH_STEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct crash_trace {
	uint64_t *pc;    /* where instruction k lies */
	uint32_t *visit; /* how often its address had been passed by then, this time included */
	uint32_t *from;  /* from which instruction at or before k it is the least work to step on to k */
	uint32_t count, room;
};

/* The marks. The tracee calls them around its operation. */
void crash_begin(void);
void crash_end(void);

/* In the child: be traced, and stop until the driver has attached to us. */
void crash_trace_me(void);

/* Wait for the child to stop, and run it up to crash_begin(). false: it ended instead. */
bool crash_attach(pid_t pid);

/* Step to the end and remember the way, in an empty trace. @each: called before each instruction; may be NULL. false: the process ended, or no memory. */
bool crash_record(pid_t pid, struct crash_trace *trace, void (*each)(void *data, uint32_t k), void *data);
void crash_trace_free(struct crash_trace *trace);
bool crash_trace_same(const struct crash_trace *one, const struct crash_trace *other);

/* Step one instruction. false: the operation has ended (the tracee stands at crash_end()), or the process has. */
bool crash_step(pid_t pid);

/* From crash_begin() to just before instruction k. false: the operation ended before that, as with others at work it may. */
bool crash_run_to(pid_t pid, const struct crash_trace *trace, uint32_t k);

/*
 * The same by the way that was recorded and no other. false: it went another. @step_all: one instruction after the other, without a breakpoint.
 * @k: less than trace->count.
 */
bool crash_follow(pid_t pid, const struct crash_trace *trace, uint32_t k, bool step_all);

/* From wherever it is to crash_end(). false: the process ended instead. */
bool crash_run_to_end(pid_t pid);

/* SIGKILL, and wait until the process is gone. */
void crash_kill(pid_t pid);

/* Let it run on and wait for its end. Returns the wait status. */
int crash_let_go(pid_t pid);

#endif
