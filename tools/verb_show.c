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

static void print_mailbox(const struct object *object)
{
	const struct pabal_mailbox_stats *stats = &object->stats;
	char used[UNITS_TEXT_SIZE], most[UNITS_TEXT_SIZE], line[128];

	print_line("name", object->info.name);
	print_line("kind", object_kind(object->info.kind));
	snprintf(line, sizeof(line), "uid %u, mode %04o", (unsigned)object->info.uid, (unsigned)object->info.mode);
	print_line("owner", line);
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
		       object_role(participant), participant->sent, participant->received);
	}
}

/* A name that is not listed: let the library say why, it knows whether there is no such file or one that is not ours. */
static int report_absent(const char *name)
{
	static const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_READ_ONLY };
	pabal_mailbox *mailbox;
	int r;

	r = pabal_mailbox_open(name, &opts, &mailbox);
	if (r < 0)
		return report_call(r);
	pabal_mailbox_close(mailbox); /* made in this very moment */
	return report("'%s' is there only now; try again", name);
}

int verb_show(int argc, char **argv)
{
	static const struct argp argp = {
		look_options, parse_look, "NAME", "Tell everything about one object, and who has it open.", NULL, NULL, NULL
	};
	struct look arguments = { 0 };
	struct search search;
	struct object object;
	int r, status = STATUS_DONE;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	search = (struct search){ .name = arguments.name };
	r = pabal_list(NULL, match, &search);
	if (r < 0)
		return report_call(r);
	if (!search.found)
		return report_absent(arguments.name);
	r = object_read(&object, &search.info);
	if (r < 0 && search.info.error < 0) {
		status = report_absent(arguments.name);
	} else if (r < 0) {
		status = report_call(r);
	} else if (arguments.json) {
		status = json_print(object_json(&object));
	} else {
		print_mailbox(&object);
		print_participants(&object);
	}
	object_free(&object);
	return status;
}
