/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/link_scene.c - one round: two processes with a link, one of them killed or stopped at an instruction, and what must hold afterwards.
 */
#include "crash/link_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const link_fill_names[LINK_FILLS] = { "empty", "some", "full", "wrap" };
const char *const link_peer_names[LINK_PEERS] = { "receives", "takes", "polls", "sends", "calls", "late", "works" };

static void broken(struct link_scene *scene, const char *invariant, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void broken(struct link_scene *scene, const char *invariant, const char *format, ...)
{
	va_list arguments;

	if (scene->broken)
		return;
	scene->broken = invariant;
	va_start(arguments, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): a mistake of the analyser's: va_start() is a line above */
	vsnprintf(scene->detail, sizeof scene->detail, format, arguments);
	va_end(arguments);
}

void link_census_begin(struct link_scene *scene)
{
	struct link_census *census = &scene->census;
	uint32_t header;

	memset(census->shadow, 0, sizeof(struct pabal__half));
	pabal__reader_init(&census->reader, census->shadow, census->victim);
	/* What was published before; the ring was not gone round yet. */
	while ((header = pabal__reader_look(&census->reader)))
		pabal__reader_consume(&census->reader, header);
	census->position = census->victim->position;
	census->arm = census->victim->arm;
	census->ring_word = census->victim->ring_word;
	memcpy(census->released, (const void *)census->victim->released, sizeof census->released);
	memcpy(census->ring, census->victim->ring, sizeof census->ring);
	memcpy(census->arena, census->victim->arena, sizeof census->arena);
}

unsigned link_census_look(struct link_scene *scene)
{
	struct link_census *census = &scene->census;
	const struct pabal__half *victim = census->victim;
	size_t content = pabal__stream_offset(census->reader.next) + 8;
	unsigned seen = 0;

	if (memcmp(census->ring + content, victim->ring + content, 16) != 0 || memcmp(census->arena, victim->arena, sizeof census->arena) != 0)
		seen |= LINK_FILLED;
	if (pabal__reader_look(&census->reader))
		seen |= LINK_PUBLISHED;
	if (census->ring_word != victim->ring_word)
		seen |= LINK_RUNG;
	if (census->position != victim->position)
		seen |= LINK_MOVED;
	if (memcmp(census->released, (const void *)victim->released, sizeof census->released) != 0)
		seen |= LINK_RELEASED;
	if (census->arm != victim->arm)
		seen |= LINK_ARMED;
	if (victim->state & PABAL__HALF_CLOSED)
		seen |= LINK_CLOSED;
	return seen;
}

static void close_pair(struct link_scene *scene)
{
	for (int i = 0; i < 2; i++) {
		struct pabal__link_parts *part = &scene->pair.parts[i];

		close(part->socket);
		close(part->fds_out);
		close(part->fds_in);
		close(part->memory);
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): munmap() takes no const */
		munmap((void *)(uintptr_t)part->peer, pabal__stream_size(part->peer_max));
	}
	munmap(scene->pair.parts[1].mine, pabal__stream_size(LINK_MEMORY));
}

/* Both processes, the victim at crash_begin(). */
static int stage(struct link_scene *scene)
{
	struct link_shared *shared = scene->shared;
	int before = link_count_fds();

	memset(shared, 0, sizeof *shared);
	shared->result = shared->receive_end = shared->send_end = shared->call_end = 1;
	shared->fds_before = before;
	scene->broken = NULL;
	link_pair_make(&scene->pair, LINK_MEMORY, LINK_MEMORY);
	scene->census.victim = scene->pair.parts[0].mine;
	scene->peer_pid = fork();
	if (scene->peer_pid == 0)
		link_be_peer(scene);
	scene->victim = fork();
	if (scene->victim == 0)
		link_be_victim(scene);
	close_pair(scene);
	shared->victim_pid = scene->victim;
	if (scene->peer_pid < 0 || scene->victim < 0 || !crash_attach(scene->victim))
		return -ECHILD;
	return 0;
}

static bool is_asleep(pid_t pid)
{
	char path[64], text[256] = "";
	int fd, size;
	const char *end;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = (int)read(fd, text, sizeof text - 1);
	close(fd);
	end = strrchr(text, ')');
	return size > 0 && end && strchr("SZ", end[2]);
}

/* The other side begins; if it is to sleep, it sleeps before the victim goes on. It may be awake again any time: that is no fault. */
static void let_peer_begin(struct link_scene *scene)
{
	scene->shared->go = 1;
	scene->slept = false;
	if (scene->peer == LINK_LATE || scene->peer == LINK_WORKS)
		return;
	for (int i = 0; i < 1000 && !scene->slept; i++) {
		usleep(30);
		scene->slept = is_asleep(scene->peer_pid);
	}
	scene->asleep += scene->slept;
}

static void check_counts(struct link_scene *scene, unsigned seen)
{
	const struct link_shared *shared = scene->shared;
	uint32_t wanted = shared->victim_sent;

	/* A reply is published, and goes to its call. */
	if (seen & LINK_PUBLISHED && !(scene->operation->effects & LINK_ANSWERS))
		wanted++;
	if (shared->peer_received < wanted)
		broken(scene, "lost", "%u messages were committed, %u received", wanted, shared->peer_received);
	if (shared->peer_received > wanted)
		broken(scene, "invented", "%u messages were committed, %u received", wanted, shared->peer_received);
	if (scene->operation->effects & LINK_ANSWERS && (shared->call_end == 0) != !!(seen & LINK_PUBLISHED))
		broken(scene, "lost", "the reply was %scommitted, the call says %d", seen & LINK_PUBLISHED ? "" : "not ", shared->call_end);
}

static void check_ends(struct link_scene *scene, int wanted)
{
	const struct link_shared *shared = scene->shared;

	if (shared->receive_end != wanted)
		broken(scene, "wrong_end", "receive says %d at the end, not %d", shared->receive_end, wanted);
	if (shared->send_end < 0 && shared->send_end != wanted)
		broken(scene, "wrong_end", "send says %d at the end, not %d", shared->send_end, wanted);
	if (shared->call_end < 0 && shared->call_end != wanted)
		broken(scene, "wrong_end", "a call says %d at the end, not %d", shared->call_end, wanted);
}

static pid_t watched;

static void end_watched(int signal)
{
	kill(watched, signal);
}

/* Wait for a process that comes to its end by itself: 30 s, as a hang detector and nothing else. */
static int await_end(pid_t pid)
{
	int status = 0;

	watched = pid;
	signal(SIGALRM, end_watched);
	alarm(30);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	return status;
}

/* The other side comes to its end by itself. */
static void verify(struct link_scene *scene, unsigned seen, int wanted_end)
{
	const struct link_shared *shared = scene->shared;
	int status = await_end(scene->peer_pid);

	if (WIFSIGNALED(status))
		broken(scene, WTERMSIG(status) == SIGALRM ? "hang" : "crash", "the other side was ended by signal %d", WTERMSIG(status));
	else if (status)
		broken(scene, "refused", "the other side was not ready: %d", shared->peer_ready);
	if (shared->broken)
		broken(scene, shared->broken, "%s", shared->detail);
	check_counts(scene, seen);
	check_ends(scene, wanted_end);
	if (shared->fds_after != shared->fds_before)
		broken(scene, "leaked", "the other side has %d descriptors, it had %d", shared->fds_after, shared->fds_before);
}

/* What the victim has counted dies with it. */
static void note_hits(struct link_scene *scene)
{
#ifdef PABAL_TEST
	scene->hits += (unsigned long)ptrace(PTRACE_PEEKDATA, scene->victim, &pabal__fault_hits, NULL);
#else
	(void)scene;
#endif
}

static void drop(struct link_scene *scene)
{
	scene->hits += scene->shared->hits;
	munmap(scene->census.victim, pabal__stream_size(LINK_MEMORY));
	scene->runs++;
}

static int give_up(struct link_scene *scene)
{
	fprintf(stderr, "%s: the scene could not be built: the victim says %d, the other side %d\n", scene->operation->name,
		scene->shared->victim_ready, scene->shared->peer_ready);
	crash_kill(scene->victim);
	kill(scene->peer_pid, SIGKILL);
	waitpid(scene->peer_pid, NULL, 0);
	drop(scene);
	return -ECHILD;
}

/* What an operation that came to its end must have said. */
static void check_result(struct link_scene *scene)
{
	int result = scene->shared->result, full = scene->operation->effects & LINK_WAITS ? -ETIMEDOUT : -EAGAIN;

	if (result == 0 || (result == full && (scene->fill == LINK_FULL || scene->fill == LINK_EMPTY)))
		return;
	broken(scene, "refused", "%s says %d", scene->operation->name, result);
}

static void let_peer_work(struct link_scene *scene)
{
	if (scene->peer != LINK_WORKS)
		return;
	scene->shared->work = 1;
	for (int i = 0; i < 1000000 && !scene->shared->worked && !scene->shared->broken; i++)
		usleep(20);
}

/* Stopped at k: the other side works; then it goes on to its end, and closes. */
static void stop_there(struct link_scene *scene)
{
	uint32_t wanted;

	let_peer_work(scene);
	crash_run_to_end(scene->victim);
	crash_let_go(scene->victim);
	check_result(scene);
	wanted = scene->shared->victim_sent + (scene->operation->effects & LINK_COMMITS && scene->shared->result == 0);
	if (!(scene->operation->effects & LINK_CLOSES))
		wanted++; /* its last message */
	scene->shared->victim_sent = wanted;
	verify(scene, scene->operation->effects & LINK_ANSWERS ? LINK_PUBLISHED : 0, -EPIPE);
}

/* To instruction k: quickly, if @trace is given and it is the way again, else step by step. */
static bool bring_to(struct link_scene *scene, const struct crash_trace *trace, uint32_t k)
{
	if (trace)
		return crash_run_to(scene->victim, trace, k);
	for (uint32_t i = 0; i < k; i++)
		if (!crash_step(scene->victim))
			return false;
	return true;
}

int link_once(struct link_scene *scene, const struct crash_trace *trace, uint32_t k)
{
	unsigned seen;
	bool there;

	if (stage(scene) < 0)
		return give_up(scene);
	link_census_begin(scene);
	let_peer_begin(scene);
	there = bring_to(scene, trace, k);
	if (scene->stop) {
		scene->kills[link_census_look(scene)]++;
		stop_there(scene);
	} else {
		seen = link_census_look(scene);
		note_hits(scene);
		crash_kill(scene->victim);
		scene->shared->late = 1;
		scene->kills[seen] += there;
		scene->published = seen & LINK_PUBLISHED;
		verify(scene, seen, seen & LINK_CLOSED ? -EPIPE : -EOWNERDEAD);
	}
	scene->ended += !there;
	drop(scene);
	return there ? 0 : 1;
}

int link_measure(struct link_scene *scene, struct crash_trace *trace)
{
	bool stop = scene->stop;
	unsigned seen;

	if (stage(scene) < 0)
		return give_up(scene);
	link_census_begin(scene);
	let_peer_begin(scene);
	if (stop)
		let_peer_work(scene);
	if (!crash_record(scene->victim, trace, NULL, NULL))
		return give_up(scene);
	seen = link_census_look(scene);
	if (stop) {
		stop_there(scene);
	} else {
		note_hits(scene);
		crash_kill(scene->victim);
		scene->shared->late = 1;
		verify(scene, seen, seen & LINK_CLOSED ? -EPIPE : -EOWNERDEAD);
	}
	drop(scene);
	return 0;
}
