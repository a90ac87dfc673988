/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/crew.c - a ledger in shared memory, one sender and one receiver that wait as programs do, and victims by the thousand.
 *
 * The crew never dies, so what it has sent it must have received, once; but for what a dead receiver had copied whole.
 */
#include "crash/crew.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IDS = 1 << 24, VICTIM_IDS = 1 << 23, SLICE_NS = 20000000, NAP_NS = 20000000, SIZE = 64, ENOUGH = 20 };

struct ledger {
	_Atomic uint32_t stop_sending, stop_receiving;
	_Atomic uint32_t sent; /* ids 1 .. sent are committed */
	_Atomic uint64_t received, redelivered;
	_Atomic uint32_t broken;
	char complaint[200];
	_Atomic uint8_t got[IDS];
	uint8_t copied[IDS]; /* the driver's */
};

static void complain(struct ledger *ledger, const char *what, uint32_t id, int r)
{
	if (!atomic_exchange(&ledger->broken, 1))
		snprintf(ledger->complaint, sizeof ledger->complaint, "%s: message %u, %d, %s", what, id, r, pabal_error_detail());
}

static void be_sender(struct ledger *ledger, const char *name)
{
	uint8_t content[SIZE];
	pabal_mailbox *mailbox;
	int r = pabal_mailbox_open(name, NULL, &mailbox);

	for (uint32_t id = 1; r == 0 && id < VICTIM_IDS && !atomic_load(&ledger->stop_sending); id++) {
		struct pabal_message_opts opts = { .struct_size = sizeof opts, .tag = id };

		crash_content(id, content, sizeof content);
		do
			r = pabal_mailbox_send_with(mailbox, &opts, content, sizeof content, SLICE_NS);
		while (r == -ETIMEDOUT);
		if (r == 0)
			atomic_store(&ledger->sent, id);
	}
	if (r < 0)
		complain(ledger, "the sender", 0, r);
	pabal_mailbox_close(mailbox);
	_exit(r ? 1 : 0);
}

static void got(struct ledger *ledger, const struct pabal_message *message, uint32_t *last)
{
	if (message->tag == 0 || message->tag >= IDS || message->size != SIZE || !crash_is_content(message->tag, message->data, SIZE)) {
		complain(ledger, "torn or invented", message->tag, 0);
		return;
	}
	if (atomic_fetch_add(&ledger->got[message->tag], 1))
		complain(ledger, "doubled", message->tag, 0);
	if (message->delivery_count > 1)
		atomic_fetch_add(&ledger->redelivered, 1);
	else if (message->tag < VICTIM_IDS && message->tag <= *last)
		complain(ledger, "order", message->tag, 0);
	else if (message->tag < VICTIM_IDS)
		*last = message->tag;
	atomic_fetch_add(&ledger->received, 1);
}

/* One of the crew, which ends when the driver does. */
static pid_t fork_crew(void)
{
	pid_t pid = fork();

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/*
 * @nap_ns: after each message: a victim is slow when it is stepped. Not optimised it takes some milliseconds from its look at a slot to its CAS, and if there were no pause so long it would never win.
 */
static void be_receiver(struct ledger *ledger, const char *name, long nap_ns)
{
	struct pabal_message message;
	uint32_t last = 0;
	pabal_mailbox *mailbox;
	int r = pabal_mailbox_open(name, NULL, &mailbox);

	while (r == 0) {
		r = pabal_mailbox_take(mailbox, NULL, &message, SLICE_NS);
		if (r == 0) {
			got(ledger, &message, &last);
			r = pabal_mailbox_release(mailbox, &message);
			if (nap_ns)
				nanosleep(&(struct timespec){ .tv_nsec = nap_ns }, NULL);
		} else if (r == -ETIMEDOUT && !atomic_load(&ledger->stop_receiving)) {
			r = 0;
		}
	}
	if (r != -ETIMEDOUT)
		complain(ledger, "the receiver", 0, r);
	pabal_mailbox_close(mailbox);
	_exit(r == -ETIMEDOUT ? 0 : 1);
}

/* Which message is this the content of? The first four bytes are its number, multiplied. */
static uint32_t whose_content(const uint8_t *data)
{
	uint32_t product = 0, inverse = 2654435761u;

	for (uint32_t i = 0; i < 4; i++)
		product |= (uint32_t)(uint8_t)(data[i] - i * 7) << i * 8;
	for (int i = 0; i < 5; i++) /* Newton: each round doubles the bits that are right */
		inverse *= 2 - 2654435761u * inverse;
	return product * inverse;
}

/* One death. true: in the middle of the operation. */
static bool kill_one(struct crash_scene *scene, const struct crash_operation *operation, uint32_t k, struct ledger *ledger,
		     struct crew_report *report)
{
	static const struct crash_trace no_trace;
	uint64_t before;
	uint32_t id;
	bool there;

	alarm(30);
	scene->victim = crash_scene_victim(scene, operation);
	if (scene->victim < 0)
		return false;
	before = atomic_load(&ledger->received);
	there = crash_run_to(scene->victim, &no_trace, k);
	report->during += atomic_load(&ledger->received) - before;
	crash_kill(scene->victim);
	scene->next_id++;
	id = whose_content(scene->shared->buffer);
	if (id && id < IDS && crash_is_content(id, scene->shared->buffer, SIZE)) {
		report->copies++;
		ledger->copied[id] = 1;
	}
	if (there)
		report->kills++;
	else
		report->ended++;
	alarm(0);
	return there;
}

/* On a busy machine the victims may find the queue empty for long: then nobody dies with a message, and the run goes on. */
static bool proves_nothing(const struct crash_operation *operation, const struct ledger *ledger)
{
	return operation->effects & (CRASH_TAKES | CRASH_HOLDS | CRASH_RECEIVES) && !atomic_load(&ledger->redelivered);
}

static void judge(struct crash_scene *scene, struct ledger *ledger, struct crew_report *report)
{
	uint32_t sent = atomic_load(&ledger->sent);

	report->sent = sent;
	report->received = atomic_load(&ledger->received);
	report->redelivered = atomic_load(&ledger->redelivered);
	if (atomic_load(&ledger->broken))
		crash_broken(scene, "crew", "%s", ledger->complaint);
	for (uint32_t id = 1; id <= sent; id++)
		if (!atomic_load(&ledger->got[id]) && !ledger->copied[id])
			crash_broken(scene, "lost", "message %u of %u, which the sender had committed", id, sent);
	if (proves_nothing(scene->operation, ledger))
		crash_broken(scene, "nothing", "no message came again after %llu kills: this run proves nothing", (unsigned long long)report->kills);
	if (!report->kills || !report->during)
		crash_broken(scene, "nothing", "%llu kills, %llu messages moved meanwhile: this run proves nothing",
			     (unsigned long long)report->kills, (unsigned long long)report->during);
}

static void end_crew(struct crash_scene *scene, struct ledger *ledger, pid_t sender, pid_t receiver)
{
	int status;

	alarm(60);
	atomic_store(&ledger->stop_sending, 1);
	waitpid(sender, &status, 0);
	pabal_gc(NULL); /* what the last victims held comes back before the receiver is told to stop */
	atomic_store(&ledger->stop_receiving, 1);
	waitpid(receiver, &status, 0);
	alarm(0);
	scene->size = SIZE;
	crash_account(scene);
}

int crew_run(struct crash_scene *scene, const struct crash_operation *operation, uint32_t kills, uint32_t stride, struct crew_report *ret_report)
{
	struct crew_report report = { 0 };
	struct ledger *ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pid_t sender, receiver;
	uint32_t k = 0;
	int r;

	if (ledger == MAP_FAILED)
		return -errno;
	scene->operation = operation;
	scene->fill = CRASH_EMPTY;
	scene->size = SIZE;
	r = crash_scene_build(scene);
	if (r < 0)
		return r;
	fflush(NULL);
	sender = fork_crew();
	if (sender == 0)
		be_sender(ledger, scene->name);
	receiver = fork_crew();
	if (receiver == 0)
		be_receiver(ledger, scene->name, operation->effects & (CRASH_RECEIVES | CRASH_TAKES | CRASH_HOLDS) ? NAP_NS : 0);
	scene->next_id = VICTIM_IDS;
	for (uint32_t i = 0; (i < kills || (i < ENOUGH * kills && proves_nothing(operation, ledger))) && !atomic_load(&ledger->broken); i++)
		k = kill_one(scene, operation, k, ledger, &report) ? k + stride : i % stride;
	end_crew(scene, ledger, sender, receiver);
	judge(scene, ledger, &report);
	scene->expected_count = 0;
	crash_refill(scene);
	crash_account(scene);
	crash_scene_drop(scene);
	munmap(ledger, sizeof *ledger);
	*ret_report = report;
	return scene->broken ? 1 : 0;
}
