/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_show.c - pabal show NAME: everything about one object, and who has it open.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pabal/mailbox.h>

#include "absent.h"
#include "arguments.h"
#include "json.h"
#include "object.h"
#include "options.h"
#include "report.h"
#include "units.h"
#include "verb.h"

struct search {
	const char *name;
	struct pabal_object_info info;
	bool found;
};

static int match(const struct pabal_object_info *info, void *data)
{
	struct search *search = data;

	if (strcmp(info->name, search->name) != 0)
		return 0;
	search->info = *info;
	search->found = true;
	return 1;
}

static void print_line(const char *label, const char *value)
{
	printf("%-14s %s\n", label, value);
}

static void print_count(const char *label, uint64_t count)
{
	char text[UNITS_TEXT_SIZE];

	print_line(label, format_count(text, count));
}

static void print_object(const struct object *object)
{
	char line[64];

	print_line("name", object->info.name);
	print_line("kind", object_kind(object->info.kind));
	snprintf(line, sizeof(line), "uid %u, mode %04o", (unsigned)object->info.uid, (unsigned)object->info.mode);
	print_line("owner", line);
}

static void print_process(const struct object *object)
{
	char size[UNITS_TEXT_SIZE], line[64] = "nobody: it has died";

	if (object->participant_count > 0 && object->participants[0].alive)
		snprintf(line, sizeof(line), "process %d, uid %u", (int)object->participants[0].claimed_pid,
			 (unsigned)object->participants[0].claimed_uid);
	print_line("held by", line);
	snprintf(line, sizeof(line), "up to %s a link and direction", format_size(size, object->info.memory_max));
	print_line("memory", line);
	print_count("links", object->link_count);
	if (object->link_count > 0)
		printf("\n%10s  %10s  %s\n", "PID", "UID", "PEER");
	for (uint32_t i = 0; i < object->link_count; i++)
		printf("%10d  %10u  @%s\n", (int)object->links[i].claimed_pid, (unsigned)object->links[i].claimed_uid, object->links[i].peer);
}

static void print_region(const struct object *object)
{
	const struct pabal_region_stats *stats = &object->region;
	char text[UNITS_TEXT_SIZE];

	print_line("size", format_size(text, stats->size));
	print_line("memory", format_size(text, stats->memory));
	print_count("locks", stats->locks);
	print_count("events", stats->events);
	print_count("locks held", stats->locks_held);
	print_count("inherited", stats->inherited);
	print_count("late wakes", stats->late_wakes);
}

static void print_locks(const struct object *object)
{
	if (object->lock_count == 0)
		return;
	printf("\n%10s  %10s  %-5s  %s\n", "LOCK", "HELD BY", "STATE", "DATA");
	for (uint32_t i = 0; i < object->lock_count; i++) {
		const struct pabal_lock_info *lock = &object->locks[i];
		char pid[UNITS_TEXT_SIZE] = "-";

		if (lock->id)
			snprintf(pid, sizeof(pid), "%d", (int)lock->claimed_pid);
		printf("%10" PRIu32 "  %10s  %-5s  %s\n", lock->index, pid,
		       !lock->id     ? "free"
		       : lock->alive ? "alive"
				     : "dead",
		       lock->inherited || (lock->id && !lock->alive) ? "left by a dead holder" : "in order");
	}
}

static void print_mailbox(const struct object *object)
{
	const struct pabal_mailbox_stats *stats = &object->stats;
	char used[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE], line[128];

	if (object->buffer.item_size) {
		print_count("item size", object->buffer.item_size);
		print_line("form", object_form(object));
	}
	snprintf(line, sizeof(line), "%s of %s", format_count(used, stats->depth), format_count(most, stats->capacity));
	print_line("depth", line);
	snprintf(line, sizeof(line), "%s of %s", format_size(used, stats->memory), format_size(most, stats->memory_max));
	print_line("memory", line);
	print_count("sent", stats->sent);
	print_count("received", stats->received);
	print_count("leases", stats->leases);
	print_count("redelivered", stats->redelivered);
	print_count("dropped", stats->dropped);
	print_count("expired", stats->expired);
	print_count("dead letters", stats->dead_letters);
	print_count("late wakes", stats->late_wakes);
}

static void print_participants(const struct object *object)
{
	print_count("participants", object->participant_count);
	if (object->participant_count == 0)
		return;
	printf("\n%10s  %-5s  %-8s  %15s  %15s\n", "PID", "STATE", "ROLE", "SENT", "RECEIVED");
	for (uint32_t i = 0; i < object->participant_count; i++) {
		const struct pabal_participant_info *participant = &object->participants[i];

		printf("%10d  %-5s  %-8s  %15" PRIu64 "  %15" PRIu64 "\n", (int)participant->claimed_pid, participant->alive ? "alive" : "dead",
		       object_role(object, participant), participant->sent, participant->received);
	}
}

int verb_show(int argc, char **argv)
{
	static const struct argp argp = { look_options, parse_look,
					  "NAME|@NAME", "Tell everything about one object, and who has it open; about a process, its links.",
					  NULL,         NULL,
					  NULL };
	struct look arguments = { 0 };
	struct search search;
	struct object object;
	int r, status = STATUS_DONE;
	bool is_process;

	arguments_parse(&argp, argc, argv, 0, &arguments);
	is_process = process_name(arguments.name);
	arguments.name = plain_name(arguments.name);
	search = (struct search){ .name = arguments.name };
	r = pabal_list(NULL, match, &search);
	if (r < 0 && r != -ENOENT)
		return report_call(r);
	if (is_process && (!search.found || search.info.kind != PABAL_KIND_PROCESS))
		return report_no_process(arguments.name, "show");
	if (!search.found)
		return report_absent(arguments.name);
	r = object_read(&object, &search.info);
	if (r < 0 && search.info.error < 0) {
		status = report_absent(arguments.name);
	} else if (r < 0) {
		status = report_call(r);
	} else if (arguments.json) {
		status = json_print(object_json(&object, NULL));
	} else {
		print_object(&object);
		if (object.info.kind == PABAL_KIND_PROCESS) {
			print_process(&object);
		} else {
			if (object.info.kind == PABAL_KIND_REGION)
				print_region(&object);
			else
				print_mailbox(&object);
			print_participants(&object);
			print_locks(&object);
		}
	}
	object_free(&object);
	return status;
}
