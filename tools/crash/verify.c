/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/verify.c - what must hold after a death, asked through the public interface.
 *
 * The invariants have names, which the tests of the deliberate faults ask for: lost, doubled, invented, torn, order, count, over_capacity,
 * false_full, false_empty, leaked, corrupt, refused, half_made. Nothing is timed: what a death leaves behind is repaired when pabal_gc() has
 * returned.
 */
#include "crash/crash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct crash_expected *crash_find(struct crash_scene *scene, uint32_t id)
{
	for (uint32_t i = 0; i < scene->expected_count; i++)
		if (scene->expected[i].id == id)
			return &scene->expected[i];
	return NULL;
}

static void compare(struct crash_scene *scene, const struct pabal_message *message, const struct crash_expected **last)
{
	struct crash_expected *expected = crash_find(scene, message->tag);

	if (!expected) {
		crash_broken(scene, "invented", "a message with tag %u, which nobody sent", message->tag);
		return;
	}
	if (message->size != scene->size || !crash_is_content(expected->id, message->data, message->size))
		crash_broken(scene, "torn", "message %u is not whole: %zu bytes", expected->id, message->size);
	if (expected->seen)
		crash_broken(scene, "doubled", "message %u was delivered twice", expected->id);
	if (message->delivery_count < 1)
		crash_broken(scene, "count", "message %u says that it was delivered %u times", expected->id, message->delivery_count);
	if (message->delivery_count > expected->deliveries_max)
		crash_broken(scene, "count", "message %u says that it was delivered %u times, not %u at most", expected->id, message->delivery_count,
			     expected->deliveries_max);
	if (*last && expected < *last && !expected->out_of_order && message->delivery_count == 1)
		crash_broken(scene, "order", "message %u came after message %u", expected->id, (*last)->id);
	expected->seen = true;
	if (!expected->out_of_order)
		*last = expected;
}

/* What was not there must have a reason: it was not committed, or a victim has it, whole; and each victim took one. */
static void account_for_missing(struct crash_scene *scene)
{
	uint32_t gone = 0;

	for (uint32_t i = 0; i < scene->expected_count; i++) {
		struct crash_expected *expected = &scene->expected[i];

		if (expected->seen || expected->may_be_missing)
			continue;
		gone++;
		if (!expected->may_be_gone)
			crash_broken(scene, "lost", "message %u is gone, and no dead one had a whole copy of it", expected->id);
	}
	if (gone > scene->takers)
		crash_broken(scene, "lost", "%u messages are gone, %u takers died", gone, scene->takers);
}

void crash_drain(struct crash_scene *scene)
{
	const struct crash_expected *last = NULL;
	struct pabal_message message;
	char refusal[200] = "";
	uint32_t count = 0, corrupt = 0;
	int r, refused = 0;

	for (;;) {
		r = pabal_mailbox_take(scene->mailbox, NULL, &message, PABAL_NOWAIT);
		if (r == -EBADMSG && corrupt++ < CRASH_RING)
			continue;
		if (r < 0)
			break;
		count++;
		compare(scene, &message, &last);
		if (count > CRASH_EXPECTED_MAX + CRASH_RING)
			break;
		r = pabal_mailbox_release(scene->mailbox, &message);
		refused = r < 0 ? r : refused;
	}
	if (refused)
		r = refused;
	if (r != -EAGAIN && r != -ESHUTDOWN)
		snprintf(refusal, sizeof refusal, "taking everything out ended with %d: %s", r, pabal_error_detail());
	account_for_missing(scene);
	if (refusal[0])
		crash_broken(scene, "refused", "%s", refusal);
	if (corrupt)
		crash_broken(scene, "corrupt", "%u takes said -EBADMSG", corrupt);
	for (uint32_t i = 0; i < scene->expected_count; i++)
		if (scene->expected[i].may_be_missing)
			scene->sent = scene->expected[i].seen;
	scene->expected_count = 0;
}

void crash_refill(struct crash_scene *scene)
{
	uint8_t content[CRASH_SIZE_MAX];
	struct pabal_message_opts opts = { .struct_size = sizeof opts };
	uint32_t first = scene->next_id, sent = 0;
	int r = 0;

	while (sent <= CRASH_CAPACITY) {
		opts.tag = first + sent;
		crash_content(opts.tag, content, scene->size);
		r = pabal_mailbox_send_with(scene->mailbox, &opts, content, scene->size, PABAL_NOWAIT);
		if (r < 0)
			break;
		scene->expected[sent++] = (struct crash_expected){ .id = opts.tag, .deliveries_max = 1 };
	}
	scene->expected_count = sent;
	scene->next_id += sent;
	if (sent > CRASH_CAPACITY)
		crash_broken(scene, "over_capacity", "%u messages went in where %d are the limit", sent, CRASH_CAPACITY);
	else if (r != -EAGAIN)
		crash_broken(scene, "refused", "filling ended with %d: %s", r, pabal_error_detail());
	else if (sent < CRASH_CAPACITY)
		crash_broken(scene, "false_full", "full with %u messages", sent);
	crash_drain(scene);
}

void crash_account(struct crash_scene *scene)
{
	struct pabal_check_result check;
	int r = pabal_gc(NULL);

	if (r < 0)
		crash_broken(scene, "refused", "pabal_gc() said %d: %s", r, pabal_error_detail());
	memset(&check, 0, sizeof check);
	r = pabal_check(scene->name, &check);
	if (check.lost || check.held_by_dead || check.loaned || check.leased || check.queued || check.redeliver)
		crash_broken(scene, "leaked",
			     "of %llu blocks %llu lost, %llu the dead's, %llu loaned, %llu leased, %llu queued, %llu to deliver again",
			     (unsigned long long)check.blocks, (unsigned long long)check.lost, (unsigned long long)check.held_by_dead,
			     (unsigned long long)check.loaned, (unsigned long long)check.leased, (unsigned long long)check.queued,
			     (unsigned long long)check.redeliver);
	if (check.corrupt)
		crash_broken(scene, "corrupt", "%llu words make no sense", (unsigned long long)check.corrupt);
	if (r < 0)
		crash_broken(scene, "refused", "pabal_check() said %d: %s", r, pabal_error_detail());
}

/* The handle that has slept since the beginning must find what there is. */
static void wake_sleepy(struct crash_scene *scene)
{
	struct pabal_message_opts opts = { .struct_size = sizeof opts, .tag = scene->next_id };
	struct pabal_message message = { 0 };
	uint8_t content[CRASH_SIZE_MAX];
	int r;

	crash_content(opts.tag, content, scene->size);
	r = pabal_mailbox_send_with(scene->mailbox, &opts, content, scene->size, PABAL_NOWAIT);
	if (r == 0)
		r = pabal_mailbox_take(scene->sleepy, NULL, &message, PABAL_NOWAIT);
	if (r == -EAGAIN)
		crash_broken(scene, "false_empty", "a handle that has not looked for long does not see the message");
	else if (r < 0)
		crash_broken(scene, "refused", "a handle that has not looked for long said %d: %s", r, pabal_error_detail());
	else if (message.tag != opts.tag)
		crash_broken(scene, "order", "a handle that has not looked for long took message %u, not %u", message.tag, opts.tag);
	if (r == 0)
		pabal_mailbox_release(scene->sleepy, &message);
	scene->next_id++;
}

static int count_one(const struct pabal_participant_info *info, void *data)
{
	(void)info;
	(void)data;
	return 0;
}

/* Nobody is left: neither is any memory. */
static void nothing_left(struct crash_scene *scene)
{
	struct pabal_check_result check;
	int participants;

	scene->mailbox = pabal_mailbox_close(scene->mailbox);
	scene->sleepy = pabal_mailbox_close(scene->sleepy);
	pabal_gc(NULL);
	memset(&check, 0, sizeof check);
	pabal_check(scene->name, &check);
	participants = pabal_participants(scene->name, count_one, NULL);
	if (participants != 0)
		crash_broken(scene, "leaked", "%d participants of an empty mailbox that nobody has open", participants);
	if (check.blocks || check.bytes)
		crash_broken(scene, "leaked", "an empty mailbox that nobody has open keeps %llu blocks, %llu bytes", (unsigned long long)check.blocks,
			     (unsigned long long)check.bytes);
}

/* The mailbox that the victim was creating is there, whole, or not at all; and in either case it can be had. */
static void half_made(struct crash_scene *scene)
{
	struct crash_scene other = *scene;
	struct pabal_mailbox_opts opts = { .struct_size = sizeof opts, .capacity = CRASH_CAPACITY, .memory_max = 1 << 20 };
	int r = pabal_mailbox_open("crash-new", NULL, &other.mailbox);

	if (r == -ENOENT)
		r = pabal_mailbox_create("crash-new", &opts, &other.mailbox);
	if (r < 0) {
		crash_broken(scene, "half_made", "a mailbox that was being created: %d, %s", r, pabal_error_detail());
		return;
	}
	other.name = "crash-new";
	other.expected_count = 0;
	crash_refill(&other);
	crash_account(&other);
	if (other.broken)
		crash_broken(scene, other.broken, "in the mailbox that was being created: %s", other.detail);
	pabal_mailbox_close(other.mailbox);
	pabal_mailbox_destroy("crash-new");
}

/* The mailbox may have ended. It can be ended again, and made anew. */
static void ended(struct crash_scene *scene)
{
	struct pabal_mailbox_opts opts = { .struct_size = sizeof opts, .capacity = CRASH_CAPACITY, .memory_max = 1 << 20 };
	int r;

	crash_drain(scene);
	crash_scene_drop(scene);
	r = pabal_mailbox_create(scene->name, &opts, &scene->mailbox);
	if (r < 0) {
		crash_broken(scene, "half_made", "after a destroy was killed and another came: %d, %s", r, pabal_error_detail());
		return;
	}
	crash_refill(scene);
	crash_account(scene);
}

void crash_scene_verify(struct crash_scene *scene)
{
	if (scene->operation->effects & CRASH_DESTROYS) {
		ended(scene);
	} else {
		int r = pabal_gc(NULL);

		if (r < 0)
			crash_broken(scene, "refused", "pabal_gc() said %d: %s", r, pabal_error_detail());
		crash_drain(scene);
		crash_account(scene);
		crash_refill(scene);
		crash_refill(scene);
		wake_sleepy(scene);
		crash_account(scene);
		if (scene->operation->effects & CRASH_CREATES)
			half_made(scene);
		nothing_left(scene);
	}
	crash_scene_drop(scene);
}
