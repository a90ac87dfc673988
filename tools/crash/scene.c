/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/scene.c - a small mailbox in a known state, the victims that die in it, and one whole round of it.
 */
#include "crash/crash.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept; /* whatever was allocated last in order to be used up */

enum { TRIES = 8 }; /* to bring a victim to its instruction; a guess: a second one was needed in one of a thousand */

const char *const crash_fill_names[CRASH_FILLS] = { "empty", "one", "half", "full", "wrapped", "last" };

static const uint32_t fill_counts[CRASH_FILLS] = { 0, 1, CRASH_CAPACITY / 2, CRASH_CAPACITY, 3, CRASH_CAPACITY - 1 };

static uint8_t content_byte(uint32_t id, size_t i)
{
	return (uint8_t)((id * 2654435761u >> (i & 3) * 8) + i * 7 + (i >> 8));
}

void crash_content(uint32_t id, void *data, size_t size)
{
	uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		bytes[i] = content_byte(id, i);
}

bool crash_is_content(uint32_t id, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		if (bytes[i] != content_byte(id, i))
			return false;
	return true;
}

void crash_broken(struct crash_scene *scene, const char *invariant, const char *format, ...)
{
	va_list arguments;

	if (scene->broken)
		return;
	scene->broken = invariant;
	va_start(arguments, format);
	vsnprintf(scene->detail, sizeof scene->detail, format, arguments);
	va_end(arguments);
}

static int send_one(struct crash_scene *scene, pabal_mailbox *mailbox)
{
	uint8_t content[CRASH_SIZE_MAX];
	struct pabal_message_opts opts = { .struct_size = sizeof opts, .tag = scene->next_id };
	int r;

	crash_content(scene->next_id, content, scene->size);
	r = pabal_mailbox_send_with(mailbox, &opts, content, scene->size, PABAL_NOWAIT);
	if (r == 0)
		scene->expected[scene->expected_count++] = (struct crash_expected){ .id = scene->next_id++, .deliveries_max = 1 };
	return r;
}

void crash_scene_pump(struct crash_scene *scene, uint32_t count)
{
	uint8_t content[64];
	size_t size;

	for (uint32_t i = 0; i < count; i++) {
		crash_content(i, content, sizeof content);
		if (pabal_mailbox_send(scene->mailbox, content, sizeof content, PABAL_NOWAIT) < 0 ||
		    pabal_mailbox_receive(scene->mailbox, content, sizeof content, &size, PABAL_NOWAIT) < 0) {
			crash_broken(scene, "stuck", "message %u of a lap: %s", i, pabal_error_detail());
			return;
		}
		if (size != sizeof content || !crash_is_content(i, content, size))
			crash_broken(scene, "order", "message %u of a lap came back as another", i);
	}
}

int crash_scene_build(struct crash_scene *scene)
{
	struct pabal_mailbox_opts opts = { .struct_size = sizeof opts, .capacity = CRASH_CAPACITY, .memory_max = 1 << 20 };
	int r;

	scene->next_id = 1;
	scene->expected_count = 0;
	scene->broken = NULL;
	scene->sent = false;
	scene->takers = 0;
	r = pabal_mailbox_create(scene->name, &opts, &scene->mailbox);
	if (r < 0)
		return r;
	r = pabal_mailbox_open(scene->name, NULL, &scene->sleepy);
	if (r < 0)
		return r;
	crash_scene_pump(scene, scene->laps + (scene->fill == CRASH_WRAPPED ? CRASH_RING - 2 : 0));
	for (uint32_t i = 0; r == 0 && i < fill_counts[scene->fill] - fill_counts[scene->fill] / 2; i++)
		r = send_one(scene, scene->mailbox);
	return r;
}

/*
 * The victim has the driver's heap, and what lies free in it depends on what the driver did for the victims before: malloc() would take another way in each. So
 * the victim uses up all that is free below the top, and from there on gets the same in each.
 */
static void use_up_heap(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	enum { CACHED_MAX = 1032, CACHED = 7, LARGE = 1 << 15, TOP = 3 << 14 }; /* glibc's thread cache; less than the driver's M_MMAP_THRESHOLD */

	mallopt(M_MXFAST, 0);
	mallopt(M_TOP_PAD, 4 * LARGE);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	for (size_t size = 24; size <= CACHED_MAX; size += 16)
		for (int i = 0; i < CACHED; i++)
			kept = malloc(size);
	for (size_t size = LARGE; size >= 24; size = size > 48 || size == 24 ? size / 2 : 24)
		for (size_t top = mallinfo2().keepcost; mallinfo2().ordblks > 1 && mallinfo2().keepcost == top;)
			kept = malloc(size); /* from below the top, until one had to come from there */
	kept = malloc(24);                   /* looks through all bins, and forgets those that only were not empty once */
	while (mallinfo2().keepcost < TOP + 64)
		kept = malloc(LARGE);
	kept = malloc(mallinfo2().keepcost - TOP - sizeof(size_t));
#endif
}

/*
 * The stack, too, is where it is by how deep in the driver the fork was, and libc's string functions ask where in a page they are: so it begins anew at a multiple
 * of STACK_STEP.
 */
static __attribute__((noinline)) void run_stepped(const struct crash_operation *operation, struct crash_victim *victim)
{
	enum { STACK_STEP = 1 << 14 };

	kept = __builtin_alloca(STACK_STEP + (uintptr_t)__builtin_frame_address(0) % STACK_STEP);
	crash_trace_me();
	crash_begin();
	victim->result = operation->run(victim);
	crash_end();
}

/* In the child: everything before the operation, then the operation. */
static void be_victim(struct crash_scene *scene, const struct crash_operation *operation, uint32_t sends)
{
	static struct crash_victim victim;
	int r = 0;

	victim = (struct crash_victim){ .shared = scene->shared, .name = scene->name, .size = scene->size };
	if (!(operation->effects & CRASH_OPENS))
		r = pabal_mailbox_open(scene->name, NULL, &victim.mailbox);
	for (; r == 0 && sends; sends--)
		r = send_one(scene, victim.mailbox);
	victim.id = scene->next_id;
	crash_content(victim.id, victim.buffer, victim.size);
	if (r == 0 && operation->prepare)
		r = operation->prepare(&victim);
	scene->shared->ready = r;
	if (r < 0) {
		fprintf(stderr, "%s: the victim is not ready: %s\n", operation->name, pabal_error_detail());
		_exit(1);
	}
	use_up_heap();
	run_stepped(operation, &victim);
	scene->shared->result = victim.result;
	_exit(0);
}

pid_t crash_scene_victim(struct crash_scene *scene, const struct crash_operation *operation)
{
	uint32_t wanted = fill_counts[scene->fill], sends = 0;
	pid_t pid;

	/* The second half of the messages is the victim's own. */
	if (scene->expected_count < wanted && !(operation->effects & CRASH_OPENS))
		sends = wanted - scene->expected_count;
	while (scene->expected_count + sends < wanted)
		if (send_one(scene, scene->mailbox) < 0)
			return -EIO;
	memset(scene->shared, 0, sizeof *scene->shared);
	scene->shared->ready = scene->shared->result = 1;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		be_victim(scene, operation, sends);
	if (pid < 0)
		return -errno;
	if (!crash_attach(pid))
		return -ECHILD;
	for (; sends; sends--)
		scene->expected[scene->expected_count++] = (struct crash_expected){ .id = scene->next_id++, .deliveries_max = 1 };
	return pid;
}

void crash_scene_expect(struct crash_scene *scene, const struct crash_operation *operation)
{
	uint32_t count = scene->expected_count;

	if (operation->effects & (CRASH_RECEIVES | CRASH_TAKES)) {
		bool gave = operation->effects & CRASH_RECEIVES || scene->shared->releasing;

		scene->takers++;
		for (uint32_t i = 0; i < count && i < scene->takers; i++) {
			scene->expected[i].deliveries_max++;
			if (gave && crash_is_content(scene->expected[i].id, scene->shared->buffer, scene->size))
				scene->expected[i].may_be_gone = true;
		}
	}
	for (uint32_t i = 0; i < 2 && i < count && (operation->effects & CRASH_HOLDS); i++)
		scene->expected[i].deliveries_max++;
	if (operation->effects & CRASH_SENDS)
		scene->expected[scene->expected_count++] =
			(struct crash_expected){ .id = scene->next_id++, .deliveries_max = 1, .may_be_missing = true, .out_of_order = true };
}

void crash_scene_drop(struct crash_scene *scene)
{
	scene->mailbox = pabal_mailbox_close(scene->mailbox);
	scene->sleepy = pabal_mailbox_close(scene->sleepy);
	pabal_mailbox_destroy(scene->name);
	pabal_mailbox_destroy("crash-new");
}

/* One that dies before the last one does. 1: it went astray. @laps: messages that go through before it dies, while it stands where it is. */
static int die_early(struct crash_scene *scene, struct crash_death *death, uint32_t laps, bool step_all)
{
	pid_t pid = crash_scene_victim(scene, death->operation);
	bool there;

	if (pid < 0)
		return pid;
	there = crash_follow(pid, &death->trace, death->k, step_all);
	if (there)
		crash_scene_pump(scene, laps);
	crash_kill(pid);
	crash_scene_expect(scene, death->operation);
	return there ? 0 : 1;
}

/*
 * The mailbox, the dead, and the last victim. One that has a handle opens it before the others die: opening buries the dead, and that is what
 * it is to do while it is stepped. The queue goes round before they die, as far as it goes without meeting the dead one's slot (what waits is in it
 * already): whoever sends and receives looks for the dead now and then, by the clock, and must find them alive.
 */
static int stage(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, bool step_all)
{
	const struct crash_operation *last = deaths[count - 1].operation;
	struct crash_shared *areas = scene->shared;
	bool early = !(last->effects & CRASH_OPENS);
	int r = crash_scene_build(scene);

	scene->victim = 0;
	if (r == 0 && early)
		scene->victim = crash_scene_victim(scene, last);
	for (uint32_t i = 0; r == 0 && scene->victim >= 0 && i < count - 1; i++) {
		scene->shared = &areas[i + 1];
		r = die_early(scene, &deaths[i], i == 0 && last->effects & CRASH_STUCK ? CRASH_RING - 1 : 0, step_all);
	}
	scene->shared = areas;
	if (r == 0 && !early)
		scene->victim = crash_scene_victim(scene, last);
	if (r == 0)
		return scene->victim < 0 ? scene->victim : 0;
	if (scene->victim > 0)
		crash_kill(scene->victim);
	return r;
}

/* What happens to the last victim before its instruction k, and after that. */
typedef void end_of(struct crash_scene *scene, const struct crash_operation *operation, const struct crash_watch *watch, bool there);

/* One try. 1: somebody went astray. He died all the same, and what must hold after a death must hold. */
static int try_once(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch, bool step_all,
		    end_of *end)
{
	struct crash_death *last = &deaths[count - 1];
	bool there;
	int r;

	alarm(30); /* a hang detector, nothing else */
	r = stage(scene, deaths, count, step_all);
	if (r == 0) {
		if (watch && watch->begin)
			watch->begin(watch->data, scene);
		there = crash_follow(scene->victim, &last->trace, last->k, step_all);
		if (there && watch && watch->at)
			watch->at(watch->data, scene, last->k);
		end(scene, last->operation, watch, there);
		crash_scene_verify(scene);
		r = there ? 0 : 1;
	} else if (r > 0) {
		crash_scene_drop(scene);
	}
	alarm(0);
	return r;
}

/*
 * A victim has to come to its instruction by the way that was recorded: else nobody knows where it was killed, and what was seen of two of them cannot be
 * compared. What is not ours may differ from run to run: libc's clock begins again when the kernel changes the time under it, and a virtual processor may lose
 * a breakpoint. So whoever goes astray is counted and tried again, step by step. A way that is another each time is an error: something in it depends on time.
 */
static int repeat(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch, end_of *end)
{
	int r = 1;

	for (uint32_t tries = 0; tries < TRIES; tries++) {
		r = try_once(scene, deaths, count, watch, tries > 0, end);
		if (r <= 0 || scene->broken)
			return r < 0 ? r : 0;
		scene->astray++;
	}
	crash_broken(scene, "another_way", "in %d tries it did not come by the recorded way to this instruction", TRIES);
	return 0;
}

static void end_killed(struct crash_scene *scene, const struct crash_operation *operation, const struct crash_watch *watch, bool there)
{
	(void)watch;
	(void)there;
	crash_kill(scene->victim);
	crash_scene_expect(scene, operation);
}

int crash_once(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch)
{
	return repeat(scene, deaths, count, watch, end_killed);
}

static void end_stopped(struct crash_scene *scene, const struct crash_operation *operation, const struct crash_watch *watch, bool there)
{
	crash_scene_expect(scene, operation);
	if (there)
		crash_neighbours(scene, operation);
	if (crash_run_to_end(scene->victim) && watch && watch->end)
		watch->end(watch->data, scene);
	crash_let_go(scene->victim);
	crash_settle(scene, operation);
}

int crash_stop(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch)
{
	return repeat(scene, deaths, count, watch, end_stopped);
}

struct each {
	struct crash_scene *scene;
	const struct crash_watch *watch;
};

static void each_instruction(void *data, uint32_t k)
{
	const struct each *each = data;

	each->watch->at(each->watch->data, each->scene, k);
}

/* Run the last victim to its end and record its way. 1: one of the dead before it went astray. */
static int record_once(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch, bool step_all)
{
	struct crash_death *last = &deaths[count - 1];
	struct each each = { .scene = scene, .watch = watch };
	bool done;
	int r;

	alarm(120);
	r = stage(scene, deaths, count, step_all);
	if (r == 0) {
		if (watch && watch->begin)
			watch->begin(watch->data, scene);
		done = crash_record(scene->victim, &last->trace, watch && watch->at ? each_instruction : NULL, &each);
		if (done)
			crash_let_go(scene->victim);
		else
			crash_kill(scene->victim);
		crash_scene_expect(scene, last->operation);
		crash_scene_verify(scene);
		r = done ? 0 : -ECHILD;
	} else if (r > 0) {
		scene->astray++;
		crash_scene_drop(scene);
	}
	alarm(0);
	return r;
}

/*
 * The first way of an operation counts when two victims one after the other have gone it: libc still does some things for the first time. After that one recording
 * will do, since whoever is killed has to go the same way.
 */
int crash_measure(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch)
{
	static const struct crash_operation *warm_for;
	bool warm = warm_for == deaths[count - 1].operation;
	struct crash_trace *way = &deaths[count - 1].trace, before = { 0 };
	bool same = false;
	int r = 0;

	crash_trace_free(way);
	scene->broken = NULL;
	for (uint32_t tries = 0; r >= 0 && !same && !scene->broken && tries < TRIES; tries++) {
		crash_trace_free(&before);
		before = *way;
		memset(way, 0, sizeof *way);
		r = record_once(scene, deaths, count, watch, tries > 0);
		same = r == 0 && (warm || crash_trace_same(way, &before));
	}
	if (same)
		warm_for = deaths[count - 1].operation;
	crash_trace_free(&before);
	if (r >= 0 && !same)
		crash_broken(scene, "another_way", "%d victims that nobody killed went no way twice running", TRIES);
	return r < 0 ? r : 0;
}
