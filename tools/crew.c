/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crew.c - the worker processes of a run.
 *
 * Only our own children are ever killed, by their pid, and only while they have not been waited for: a pid cannot be somebody else's
 * until then. A worker that ends in any other way than it was told to is a finding.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "progress.h"

int crew_init(struct crew *crew, const struct plan *plan, const char *mailbox)
{
	*crew = (struct crew){ .plan = plan, .mailbox = mailbox, .random.state = plan->seed, .count = plan->senders + plan->receivers };
	for (unsigned i = 0; i < crew->count; i++) {
		crew->workers[i].role = i < plan->senders ? ROLE_SENDER : ROLE_RECEIVER;
		crew->workers[i].number = i < plan->senders ? 0 : i - plan->senders;
	}
	crew->ledger = ledger_new();
	if (!crew->ledger)
		return -ENOMEM;
	return audit_init(&crew->audit, crew->ledger, &crew->tally, plan->receivers);
}

void crew_deinit(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->workers[i].pid > 0)
			kill(crew->workers[i].pid, SIGKILL);
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->workers[i].pid > 0)
			while (waitpid(crew->workers[i].pid, NULL, 0) < 0 && errno == EINTR)
				;
	audit_deinit(&crew->audit);
	ledger_free(crew->ledger);
}

static const char *role_name(enum role role)
{
	return role == ROLE_SENDER ? "sender" : "receiver";
}

static void fail(struct crew *crew, const struct worker *worker, pid_t pid, int status)
{
	const char *note = crew->ledger->notes[worker - crew->workers].text;

	crew->tally.failed++;
	crew->is_failed = true;
	if (WIFSIGNALED(status))
		tally_find(&crew->tally, "%s %d was ended by signal %d (%s), which we did not send", role_name(worker->role), (int)pid,
			   WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		tally_find(&crew->tally, "%s %d gave up: %s", role_name(worker->role), (int)pid, *note ? note : "it did not say why");
}

static void bring_in(struct crew *crew, struct worker *worker, int status)
{
	pid_t pid = worker->pid;

	worker->pid = 0;
	worker->died_ns = clock_now();
	if (worker->is_doomed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		if (worker->role == ROLE_SENDER)
			crew->tally.killed_senders++;
		else
			crew->tally.killed_receivers++;
	} else if (crew->is_ending && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		worker->is_finished = true;
	} else {
		fail(crew, worker, pid, status);
	}
}

static void start(struct crew *crew, struct worker *worker)
{
	struct post post = { .role = worker->role, .mailbox = crew->mailbox, .plan = crew->plan, .ledger = crew->ledger };
	pid_t pid;

	if (worker->role == ROLE_SENDER) {
		if (crew->audit.senders == LEDGER_SENDERS_MAX)
			return; /* the run is so long that no number is left; it ends with those who are there */
		worker->number = crew->audit.senders++;
	} else {
		audit_new_receiver(&crew->audit, worker->number);
	}
	post.number = worker->number;
	post.note = &crew->ledger->notes[worker - crew->workers];
	post.seed = random_next(&crew->random);
	pid = worker_start(&post);
	if (pid < 0) {
		crew->is_failed = true;
		tally_find(&crew->tally, "a %s could not be started: %s", role_name(worker->role), strerror(-pid));
		return;
	}
	worker->pid = pid;
	worker->is_doomed = false;
}

static bool is_due(const struct crew *crew, const struct worker *worker, bool is_replacing, int64_t now_ns)
{
	if (worker->pid > 0 || worker->is_finished || crew->is_failed || (worker->role == ROLE_SENDER && !is_replacing))
		return false;
	return worker->died_ns == 0 || now_ns - worker->died_ns >= crew->plan->replace_after_ns;
}

void crew_tend(struct crew *crew, bool is_replacing)
{
	int64_t now_ns = clock_now();
	bool has_ended;
	int status;

	for (unsigned i = 0; i < crew->count; i++) {
		struct worker *worker = &crew->workers[i];

		has_ended = worker->pid > 0 && waitpid(worker->pid, &status, WNOHANG) == worker->pid;
		/* After its end was seen, so that a replacement finds an empty log; and before it is told, since the log may say why. */
		if (worker->role == ROLE_RECEIVER && audit_read(&crew->audit, worker->number) < 0) {
			crew->is_failed = true;
			tally_find(&crew->tally, "out of memory: the ledger of so many messages does not fit");
		}
		if (has_ended)
			bring_in(crew, worker, status);
		if (is_due(crew, worker, is_replacing, now_ns))
			start(crew, worker);
	}
}

void crew_kill_one(struct crew *crew)
{
	unsigned first = (unsigned)random_below(&crew->random, crew->count);

	for (unsigned i = 0; i < crew->count; i++) {
		struct worker *worker = &crew->workers[(first + i) % crew->count];

		if (worker->pid > 0 && !worker->is_doomed) {
			worker->is_doomed = true;
			kill(worker->pid, SIGKILL);
			return;
		}
	}
}

void crew_stop_senders(struct crew *crew)
{
	crew->is_ending = true;
	atomic_store(&crew->ledger->stop, 1);
}

void crew_stop_receivers(struct crew *crew)
{
	for (unsigned i = 0; i < crew->count; i++)
		if (crew->workers[i].role == ROLE_RECEIVER && crew->workers[i].pid > 0)
			kill(crew->workers[i].pid, WORKER_SIGNAL);
}

unsigned crew_running(const struct crew *crew, enum role role)
{
	unsigned running = 0;

	for (unsigned i = 0; i < crew->count; i++)
		running += crew->workers[i].role == role && crew->workers[i].pid > 0;
	return running;
}

uint64_t crew_progress(const struct crew *crew, const struct worker *worker)
{
	return worker->role == ROLE_SENDER ? atomic_load(&crew->ledger->senders[worker->number].committed) : crew->audit.taken[worker->number];
}

uint64_t crew_sent(const struct crew *crew)
{
	uint64_t sent = 0;

	for (uint32_t i = 0; i < crew->audit.senders; i++)
		sent += atomic_load(&crew->ledger->senders[i].committed);
	return sent;
}

uint64_t crew_received(const struct crew *crew)
{
	uint64_t received = 0;

	for (uint32_t i = 0; i < crew->audit.senders; i++)
		received += crew->audit.by_sender[i].received;
	return received;
}
