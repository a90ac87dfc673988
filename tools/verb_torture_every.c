/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_torture_every.c - pabal torture --every-instruction: kill a process before each instruction of a call, and see what is left.
 *
 * A first process runs the whole call and its way is recorded; then one process after the other is killed, each a bit further on that way. The
 * mailbox that it leaves behind must hold exactly what it may hold, and still work to its last block. An instruction in a loop is killed at the
 * first time that it is passed. The driver is crash/crash.h.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crash/crash.h"
#include "json.h"
#include "plan.h"
#include "progress.h"
#include "report.h"
#include "sandbox.h"
#include "stepping.h"
#include "stop.h"
#include "units.h"
#include "verb.h"
#include "verb_torture_every.h"

#define SHOW_NS (INT64_C(200) * 1000000)
static const char *const usual[] = { "send", "receive", "loan-commit", "take-release", "take-requeue" };

enum { ROWS_MAX = 32, MESSAGE_SIZE = 64 };

struct row {
	const char *name; /* of an operation, in all states of the queue */
	uint32_t longest; /* way, in instructions */
	uint64_t killed;
	bool sound;
};

struct hunt {
	const struct every *every;
	struct crash_scene scene;
	struct row rows[ROWS_MAX];
	uint32_t count, runs;
	int64_t shown_ns;
	char finding[512];
};

static const char *left_in = "";
static char place[160]; /* where the run is, for whoever reads that it hangs */

/* What repairs is no operation here: it needs somebody who died before. */
static bool is_ours(const struct crash_operation *operation)
{
	return !(operation->effects & CRASH_REPAIRS);
}

const char *every_names(char *text, uint32_t size)
{
	size_t length = 0;

	for (const struct crash_operation *operation = crash_operations; operation->name && length < size; operation++)
		if (is_ours(operation))
			length += (size_t)snprintf(text + length, size - length, "%s, ", operation->name);
	if (length < size)
		snprintf(text + length, size - length, "all");
	return text;
}

bool every_is_name(const char *name)
{
	const struct crash_operation *operation = crash_operation_find(name);

	return strcmp(name, "all") == 0 || (operation && is_ours(operation));
}

static bool is_wanted(const struct every *every, const struct crash_operation *operation)
{
	if (every->operation)
		return is_ours(operation) && (strcmp(every->operation, "all") == 0 || strcmp(every->operation, operation->name) == 0);
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (strcmp(usual[i], operation->name) == 0)
			return true;
	return false;
}

/* The driver's own hang detector, set anew for each kill. Nobody can tidy up behind a call that does not return; the mailbox stays for a look. */
static void on_hang(int number)
{
	const char *parts[] = { "pabal: broken: hang: the mailbox in ", left_in, " does not come to rest: ", place, "\n" };

	(void)number;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			break;
	_exit(STATUS_FAILED);
}

static void show(struct hunt *hunt, const struct row *row, const struct crash_death *death)
{
	int64_t now_ns = clock_now();
	char killed[UNITS_TEXT_SIZE], line[256];

	snprintf(place, sizeof(place), "%s, queue %s, killed before instruction %" PRIu32 " of %" PRIu32, row->name,
		 crash_fill_names[hunt->scene.fill], death->k, death->trace.count);
	if (now_ns - hunt->shown_ns < SHOW_NS || !terminal_is_useful(STDERR_FILENO))
		return;
	hunt->shown_ns = now_ns;
	snprintf(line, sizeof(line), "%s; %s kills so far", place, format_count(killed, row->killed));
	progress_line(line);
}

static int conclude(struct hunt *hunt, const struct crash_death *death, int r)
{
	struct crash_scene *scene = &hunt->scene;

	if (r < 0) {
		snprintf(hunt->finding, sizeof(hunt->finding), "%s: the mailbox could not be made ready: %s, %s", death->operation->name,
			 strerror(-r), pabal_error_detail());
		crash_scene_drop(scene);
		return r;
	}
	snprintf(hunt->finding, sizeof(hunt->finding), "broken: %s: %s (%s, queue %s, killed before instruction %" PRIu32 " of %" PRIu32 ")",
		 scene->broken, scene->detail, death->operation->name, crash_fill_names[scene->fill], death->k, death->trace.count);
	return -1;
}

/* All kills in one state of the queue. Negative: hunt->finding says why. */
static int kill_at_each(struct hunt *hunt, struct row *row, struct crash_death *death)
{
	struct crash_scene *scene = &hunt->scene;
	uint32_t number = hunt->runs++ * 7 % hunt->every->stride; /* elsewhere in each state */
	bool sent = false;
	int r = crash_measure(scene, death, 1, NULL);

	death->k = death->trace.count; /* it was not killed on its way */
	if (r < 0 || scene->broken)
		return conclude(hunt, death, r);
	row->longest = death->trace.count > row->longest ? death->trace.count : row->longest;
	for (uint32_t k = 0; k < death->trace.count && stop_requests() == 0; k++) {
		if (death->trace.visit[k] > 1 || number++ % hunt->every->stride != 0)
			continue;
		death->k = k;
		show(hunt, row, death);
		r = crash_once(scene, death, 1, NULL);
		if (r < 0)
			return conclude(hunt, death, r);
		if (sent && !scene->sent)
			crash_broken(scene, "lost", "the message that was there when the sender was killed earlier is not");
		if (scene->broken)
			return conclude(hunt, death, 0);
		row->killed++;
		sent |= scene->sent;
	}
	return 0;
}

static void hunt_operation(struct hunt *hunt, const struct crash_operation *operation)
{
	struct row *row = &hunt->rows[hunt->count++];
	int r = 0;

	*row = (struct row){ .name = operation->name };
	hunt->scene.operation = operation;
	for (hunt->scene.fill = CRASH_EMPTY; r == 0 && hunt->scene.fill < CRASH_LAST && stop_requests() == 0; hunt->scene.fill++) {
		struct crash_death death = { .operation = operation };

		r = kill_at_each(hunt, row, &death);
		crash_trace_free(&death.trace);
	}
	if (r == 0 && row->killed == 0 && stop_requests() == 0)
		snprintf(hunt->finding, sizeof(hunt->finding), "%s: nobody was killed at all; a smaller --stride finds instructions", row->name);
	row->sound = hunt->finding[0] == '\0';
}

static int print_json(const struct hunt *hunt, bool sound)
{
	struct json_object *json = json_object_new_object(), *rows = json_object_new_array();

	json_object_object_add(json, "sound", json_object_new_boolean(sound));
	json_add_count(json, "stride", hunt->every->stride);
	for (const struct row *row = hunt->rows; row < hunt->rows + hunt->count; row++) {
		struct json_object *member = json_object_new_object();

		json_add_text(member, "operation", row->name);
		json_add_count(member, "longest", row->longest);
		json_add_count(member, "killed", row->killed);
		json_object_object_add(member, "sound", json_object_new_boolean(row->sound));
		json_object_array_add(rows, member);
	}
	json_object_object_add(json, "operations", rows);
	if (hunt->finding[0])
		json_add_text(json, "finding", hunt->finding);
	return json_print(json);
}

static int print_result(const struct hunt *hunt)
{
	bool sound = !hunt->finding[0] && stop_requests() == 0;
	int status = STATUS_DONE;

	progress_clear();
	if (hunt->every->json) {
		status = print_json(hunt, sound);
	} else {
		printf("%-16s %12s %22s  %s\n", "operation", "longest way", "instructions killed at", "verdict");
		for (const struct row *row = hunt->rows; row < hunt->rows + hunt->count; row++)
			printf("%-16s %12" PRIu32 " %22" PRIu64 "  %s\n", row->name, row->longest, row->killed, row->sound ? "sound" : "BROKEN");
		if (sound)
			puts("verdict: sound");
	}
	fflush(stdout);
	return hunt->finding[0] ? report("%s", hunt->finding) : status;
}

static int hunt_in_sandbox(struct hunt *hunt)
{
	static const struct plan plan = { .capacity = 1, .memory_max = 1 << 16 };
	struct sandbox sandbox;
	int status;

	signal(SIGALRM, on_hang);
	stop_on_signals(NULL);
	status = sandbox_open(&sandbox, &plan);
	if (status == STATUS_DONE) {
		left_in = sandbox.directory;
		for (const struct crash_operation *operation = crash_operations; operation->name; operation++)
			if (is_wanted(hunt->every, operation) && hunt->count < ROWS_MAX && !hunt->finding[0] && stop_requests() == 0)
				hunt_operation(hunt, operation);
		status = print_result(hunt);
	}
	sandbox_close(&sandbox);
	if (stop_requests() > 0)
		stop_die();
	return status;
}

int every_run(const struct every *every, int argc, char **argv)
{
	static struct hunt hunt;

	if (stepping_begin(argc, argv) != STATUS_DONE)
		return STATUS_FAILED;
	hunt = (struct hunt){ .every = every, .scene = { .name = "crash", .size = MESSAGE_SIZE } };
	hunt.scene.shared = mmap(NULL, CRASH_DEATHS * sizeof(*hunt.scene.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (hunt.scene.shared == MAP_FAILED)
		return report("no memory to share with the victims: %m");
	return hunt_in_sandbox(&hunt);
}
