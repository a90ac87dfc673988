/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/scene.c - a small mailbox in a known state, the victims that die in it, and one whole round of it.
 */
#include "crash/crash.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
	crash_trace_me();
	crash_begin();
	r = operation->run(&victim);
	crash_end();
	scene->shared->result = r;
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

/* One that dies before the last one does. */
static int die_early(struct crash_scene *scene, struct crash_death *death)
{
	pid_t pid = crash_scene_victim(scene, death->operation);

	if (pid < 0)
		return pid;
	crash_run_to(pid, &death->trace, death->k);
	crash_kill(pid);
	crash_scene_expect(scene, death->operation);
	return 0;
}

/*
 * The mailbox, the dead, and the last victim. One that has a handle opens it before the others die: opening buries the dead, and that is what
 * it is to do while it is stepped.
 */
static pid_t stage(struct crash_scene *scene, struct crash_death *deaths, uint32_t count)
{
	const struct crash_operation *last = deaths[count - 1].operation;
	struct crash_shared *areas = scene->shared;
	bool early = !(last->effects & CRASH_OPENS);
	pid_t pid = 0;
	int r = crash_scene_build(scene);

	if (r == 0 && early)
		pid = crash_scene_victim(scene, last);
	for (uint32_t i = 0; r == 0 && pid >= 0 && i < count - 1; i++) {
		scene->shared = &areas[i + 1];
		r = die_early(scene, &deaths[i]);
	}
	scene->shared = areas;
	if (r < 0)
		return r;
	if (last->effects & CRASH_STUCK) /* as far as the ring goes without meeting the dead one's slot; what waits is in it already */
		crash_scene_pump(scene, CRASH_RING - 1);
	return early ? pid : crash_scene_victim(scene, last);
}

/* The last victim at instruction k. false: its operation ended before that. */
static bool bring_to(struct crash_scene *scene, struct crash_death *last, const struct crash_watch *watch)
{
	bool there;

	if (watch && watch->begin)
		watch->begin(watch->data, scene);
	there = crash_run_to(scene->victim, &last->trace, last->k);
	if (there && watch && watch->at)
		watch->at(watch->data, scene, last->k);
	return there;
}

int crash_once(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch)
{
	struct crash_death *last = &deaths[count - 1];
	bool there;

	alarm(30); /* a hang detector, nothing else */
	scene->victim = stage(scene, deaths, count);
	if (scene->victim < 0)
		return scene->victim;
	there = bring_to(scene, last, watch);
	crash_kill(scene->victim);
	crash_scene_expect(scene, last->operation);
	crash_scene_verify(scene);
	alarm(0);
	return there ? 0 : 1;
}

int crash_stop(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch)
{
	struct crash_death *last = &deaths[count - 1];
	bool there;

	alarm(30);
	scene->victim = stage(scene, deaths, count);
	if (scene->victim < 0)
		return scene->victim;
	there = bring_to(scene, last, watch);
	crash_scene_expect(scene, last->operation);
	crash_neighbours(scene, last->operation);
	if (crash_run_to_end(scene->victim) && watch && watch->end)
		watch->end(watch->data, scene);
	crash_let_go(scene->victim);
	crash_settle(scene, last->operation);
	crash_scene_verify(scene);
	alarm(0);
	return there ? 0 : 1;
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

int crash_measure(struct crash_scene *scene, struct crash_death *deaths, uint32_t count, const struct crash_watch *watch)
{
	struct crash_death *last = &deaths[count - 1];
	struct each each = { .scene = scene, .watch = watch };
	pid_t pid;
	bool done;

	alarm(120);
	pid = stage(scene, deaths, count);
	if (pid < 0)
		return pid;
	if (watch && watch->begin)
		watch->begin(watch->data, scene);
	crash_trace_free(&last->trace);
	done = crash_record(pid, &last->trace, watch && watch->at ? each_instruction : NULL, &each);
	if (done)
		crash_let_go(pid);
	else
		crash_kill(pid);
	crash_scene_expect(scene, last->operation);
	crash_scene_verify(scene);
	alarm(0);
	return done ? 0 : -ECHILD;
}
