/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_ls.c - pabal ls: a line for each object, or with --json all that is known about each.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pabal/base.h>

#include "arguments.h"
#include "grow.h"
#include "json.h"
#include "object.h"
#include "options.h"
#include "report.h"
#include "text.h"
#include "units.h"
#include "verb.h"

struct entry {
	struct pabal_object_info info;
	char name[TEXT_NAME_SIZE]; /* as it can be printed */
	char *error;               /* why it could not be looked into, as a sentence; NULL: out of memory, or it could be */
};

struct listing {
	struct entry *entries;
	uint32_t count;
	uint32_t room;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		usage_error(state, "all objects are listed: what is '%s'? (\"pabal show %s\" tells about one)", text, text);
		return 0;
	default:
		return option_look(key, state->input);
	}
}

/* They are collected first: what the table needs is not known until the last one, and no call may be made in the middle of a listing. */
static int collect(const struct pabal_object_info *info, void *data)
{
	struct listing *listing = data;
	struct entry *entries = grow(listing->entries, listing->count, &listing->room, sizeof(*entries)), *entry;

	if (!entries)
		return -ENOMEM;
	listing->entries = entries;
	entry = &entries[listing->count++];
	entry->info = *info;
	entry->error = info->error < 0 ? strdup(call_detail(info->error)) : NULL; /* the sentence is there during this call */
	text_printable(entry->name, sizeof(entry->name), info->name);
	return 0;
}

/* A process: who holds the name, and whom it is linked with. */
static void print_process(const struct entry *entry, int width)
{
	const struct pabal_object_info *info = &entry->info;
	struct object object;

	printf("%-8s  %-*s  %14s  %10s  ", object_kind(info->kind), width, entry->name, "-", "-");
	if (object_read(&object, info) < 0 || object.participant_count == 0 || !object.participants[0].alive)
		printf("dead");
	else
		printf("%d", (int)object.participants[0].claimed_pid);
	for (uint32_t i = 0; i < object.link_count; i++)
		printf("%s@%s", i ? ", " : ", linked with ", object.links[i].peer);
	putchar('\n');
	object_free(&object);
}

static void print_row(const struct entry *entry, int width)
{
	const struct pabal_object_info *info = &entry->info;
	char depth[2 * UNITS_TEXT_SIZE], memory[UNITS_TEXT_SIZE], participants[UNITS_TEXT_SIZE];

	if (info->error < 0) {
		printf("%-8s  %-*s  %s\n", object_kind(info->kind), width, entry->name, entry->error ? entry->error : pabal_strerror(info->error));
		return;
	}
	if (info->kind == PABAL_KIND_PROCESS) {
		print_process(entry, width);
		return;
	}
	if (info->kind == PABAL_KIND_REGION)
		snprintf(depth, sizeof(depth), "-"); /* nothing waits in a region */
	else
		snprintf(depth, sizeof(depth), "%" PRIu64 "/%" PRIu64, info->depth, info->capacity);
	if (info->alive == info->participants)
		snprintf(participants, sizeof(participants), "%" PRIu32, info->alive);
	else
		snprintf(participants, sizeof(participants), "%" PRIu32 " and %" PRIu32 " dead", info->alive, info->participants - info->alive);
	printf("%-8s  %-*s  %14s  %10s  %s\n", object_kind(info->kind), width, entry->name, depth, format_size(memory, info->memory), participants);
}

static void print_table(const struct listing *listing)
{
	int width = (int)strlen("NAME");

	if (listing->count == 0)
		return;
	for (uint32_t i = 0; i < listing->count; i++)
		if ((int)strlen(listing->entries[i].name) > width)
			width = (int)strlen(listing->entries[i].name);
	printf("%-8s  %-*s  %14s  %10s  %s\n", "KIND", width, "NAME", "DEPTH/CAPACITY", "MEMORY", "PARTICIPANTS");
	for (uint32_t i = 0; i < listing->count; i++)
		print_row(&listing->entries[i], width);
}

static int print_json(const struct listing *listing)
{
	struct json_object *list = json_object_new_array();
	struct object object;

	for (uint32_t i = 0; i < listing->count; i++) {
		/* One that went away in between is no longer there to be listed. */
		if (object_read(&object, &listing->entries[i].info) != -ENOENT)
			json_object_array_add(list, object_json(&object, listing->entries[i].error));
		object_free(&object);
	}
	return json_print(list);
}

int verb_ls(int argc, char **argv)
{
	static const struct argp argp = {
		look_options,
		parse,
		NULL,
		"List the objects in $PABAL_DIR, or in your own directory under /dev/shm; with --json with the statistics, participants and links of each.",
		NULL,
		NULL,
		NULL
	};
	struct listing listing = { 0 };
	bool json = false;
	int r, status = STATUS_DONE;

	arguments_parse(&argp, argc, argv, 0, &json);
	r = pabal_list(NULL, collect, &listing);
	if (r < 0)
		status = report_call(r);
	else if (json)
		status = print_json(&listing);
	else
		print_table(&listing);
	for (uint32_t i = 0; i < listing.count; i++)
		free(listing.entries[i].error);
	free(listing.entries);
	return status;
}
