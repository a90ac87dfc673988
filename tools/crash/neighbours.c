/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/neighbours.c - what the others do while somebody is stopped in the middle of an operation, and what they may see.
 *
 * A stopped process is alive: what it holds stays with it. But nobody may see the queue full while there is room, or empty while there is a
 * message. One exception is documented: who is stopped in the middle of a take makes senders wait once the queue has gone round to its slot.
 */
#include "crash/crash.h"

#include <errno.h>
#include <string.h>

struct seen {
	uint32_t least, most; /* messages that wait, with and without what the stopped one may have put in or taken out */
};

/* Forget what was seen long ago, so that laps fit into the table. */
static void compact(struct crash_scene *scene)
{
	uint32_t kept = 0;

	if (scene->expected_count < CRASH_EXPECTED_MAX - 2)
		return;
	for (uint32_t i = 0; i < scene->expected_count; i++)
		if (!scene->expected[i].seen || scene->expected[i].out_of_order)
			scene->expected[kept++] = scene->expected[i];
	scene->expected_count = kept;
}

static struct seen waiting(const struct crash_scene *scene, const struct crash_operation *operation)
{
	struct seen seen = { 0, 0 };
	uint32_t held = operation->effects & CRASH_HOLDS ? 2 : scene->takers;

	for (uint32_t i = 0; i < scene->expected_count; i++) {
		const struct crash_expected *expected = &scene->expected[i];

		if (expected->seen)
			continue;
		seen.most++;
		if (!expected->may_be_missing)
			seen.least++;
	}
	seen.least -= seen.least < held ? seen.least : held;
	return seen;
}

static int send_one(struct crash_scene *scene)
{
	uint8_t content[CRASH_SIZE_MAX];
	struct pabal_message_opts opts = { .struct_size = sizeof opts, .tag = scene->next_id };
	int r;

	compact(scene);
	crash_content(opts.tag, content, scene->size);
	r = pabal_mailbox_send_with(scene->mailbox, &opts, content, scene->size, PABAL_NOWAIT);
	if (r == 0)
		scene->expected[scene->expected_count++] = (struct crash_expected){ .id = scene->next_id++, .deliveries_max = 1 };
	else if (r != -EAGAIN)
		crash_broken(scene, "refused", "beside a stopped one, a send said %d: %s", r, pabal_error_detail());
	return r;
}

static int take_one(struct crash_scene *scene)
{
	struct crash_expected *expected;
	struct pabal_message message;
	int r = pabal_mailbox_take(scene->mailbox, NULL, &message, PABAL_NOWAIT);

	if (r == -EAGAIN)
		return r;
	if (r < 0) {
		crash_broken(scene, r == -EBADMSG ? "corrupt" : "refused", "beside a stopped one, a take said %d: %s", r, pabal_error_detail());
		return r;
	}
	expected = crash_find(scene, message.tag);
	if (!expected)
		crash_broken(scene, message.tag < scene->next_id ? "doubled" : "invented", "message %u came, beside a stopped one", message.tag);
	else if (expected->seen)
		crash_broken(scene, "doubled", "message %u was delivered twice, beside a stopped one", message.tag);
	else if (message.size != scene->size || !crash_is_content(message.tag, message.data, message.size))
		crash_broken(scene, "torn", "message %u is not whole", message.tag);
	if (expected)
		expected->seen = true;
	return pabal_mailbox_release(scene->mailbox, &message);
}

static void fill(struct crash_scene *scene, const struct crash_operation *operation)
{
	struct seen seen;

	for (uint32_t i = 0; i <= CRASH_CAPACITY && send_one(scene) == 0; i++)
		;
	seen = waiting(scene, operation);
	if (seen.most < CRASH_CAPACITY)
		crash_broken(scene, "false_full", "full with %u messages at most, beside a stopped one", seen.most);
	if (seen.least > CRASH_CAPACITY)
		crash_broken(scene, "over_capacity", "%u messages at least, beside a stopped one", seen.least);
}

static void drain(struct crash_scene *scene, const struct crash_operation *operation)
{
	struct seen seen;

	for (uint32_t i = 0; i <= CRASH_EXPECTED_MAX && take_one(scene) == 0; i++)
		;
	seen = waiting(scene, operation);
	if (seen.least)
		crash_broken(scene, "false_empty", "empty with %u messages at least, beside a stopped one", seen.least);
}

static void laps(struct crash_scene *scene, const struct crash_operation *operation)
{
	bool takes = operation->effects & (CRASH_RECEIVES | CRASH_TAKES | CRASH_HOLDS);

	drain(scene, operation);
	for (uint32_t i = 0; i < 2 * CRASH_RING && !scene->broken; i++) {
		int r = send_one(scene);

		if (r == -EAGAIN && takes && i >= CRASH_RING - 2 * CRASH_CAPACITY)
			return; /* the documented exception */
		if (r == -EAGAIN)
			crash_broken(scene, "false_full", "message %u of two laps beside a stopped one", i);
		else if (take_one(scene) == -EAGAIN)
			crash_broken(scene, "false_empty", "message %u of two laps beside a stopped one", i);
	}
}

void crash_neighbours(struct crash_scene *scene, const struct crash_operation *operation)
{
	switch (scene->activity % 5) {
	case 0:
		if (waiting(scene, operation).most < CRASH_CAPACITY && send_one(scene) < 0)
			crash_broken(scene, "false_full", "one message beside a stopped one");
		if (waiting(scene, operation).least && take_one(scene) == -EAGAIN)
			crash_broken(scene, "false_empty", "one message beside a stopped one");
		break;
	case 1:
		fill(scene, operation);
		break;
	case 2:
		drain(scene, operation);
		break;
	case 3:
		laps(scene, operation);
		break;
	default:
		pabal_gc(NULL);
		drain(scene, operation);
		fill(scene, operation);
	}
}

void crash_settle(struct crash_scene *scene, const struct crash_operation *operation)
{
	const struct crash_shared *shared = scene->shared;

	if (shared->result == 1)
		crash_broken(scene, "stuck", "the stopped one did not go on to its end");
	if (!operation->effects && shared->result < 0 && shared->result != -EAGAIN)
		crash_broken(scene, "refused", "the stopped one, which changes nothing, said %d", shared->result);
	for (uint32_t i = 0; i < scene->expected_count; i++) {
		struct crash_expected *expected = &scene->expected[i];

		if (expected->may_be_missing && operation->effects & CRASH_SENDS) {
			expected->may_be_missing = shared->result < 0;
			if (shared->result < 0 && expected->seen)
				crash_broken(scene, "invented", "message %u came, and its send said %d", expected->id, shared->result);
		}
		if (operation->effects & CRASH_HOLDS && shared->result >= 0)
			expected->deliveries_max++; /* it may have taken this one, sent while it stood still, and have given it back */
		if (!(operation->effects & (CRASH_RECEIVES | CRASH_TAKES)) || shared->result < 0 || !scene->size)
			continue;
		if (shared->got_size != scene->size || !crash_is_content(expected->id, shared->buffer, scene->size))
			continue;
		if (expected->seen)
			crash_broken(scene, "doubled", "the stopped one and another have message %u", expected->id);
		expected->seen = true;
	}
}
