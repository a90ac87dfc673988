/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tally.c - the numbers at the end of a run, and how they are told. The exit status follows from them alone.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "json.h"
#include "plan.h"
#include "report.h"
#include "tally.h"
#include "verb.h"

void tally_find(struct tally *tally, const char *format, ...)
{
	va_list arguments;

	if (tally->finding[0])
		return;
	va_start(arguments, format);
	vsnprintf(tally->finding, sizeof(tally->finding), format, arguments);
	va_end(arguments);
}

bool tally_is_sound(const struct tally *tally)
{
	return tally->sent == tally->received && tally->lost == 0 && tally->doubled == 0 && tally->stuck == 0 && tally->invented == 0 &&
	       tally->damaged == 0 && tally->disordered == 0 && tally->failed == 0 && tally->finding[0] == '\0';
}

static int print_json(const struct tally *tally, const struct plan *plan)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "sound", json_object_new_boolean(tally_is_sound(tally)));
	json_add_count(json, "sent", tally->sent);
	json_add_count(json, "received", tally->received);
	json_add_count(json, "lost", tally->lost);
	json_add_count(json, "doubled", tally->doubled);
	json_add_count(json, "stuck", tally->stuck);
	json_add_count(json, "redelivered", tally->redelivered);
	json_add_count(json, "invented", tally->invented);
	json_add_count(json, "damaged", tally->damaged);
	json_add_count(json, "disordered", tally->disordered);
	json_add_count(json, "failed", tally->failed);
	json_add_count(json, "killed", tally->killed_senders + tally->killed_receivers);
	json_add_count(json, "killed_senders", tally->killed_senders);
	json_add_count(json, "killed_receivers", tally->killed_receivers);
	json_add_count(json, "run_ns", (uint64_t)tally->run_ns);
	json_add_count(json, "senders", plan->senders);
	json_add_count(json, "receivers", plan->receivers);
	json_add_count(json, "capacity", plan->capacity);
	json_add_count(json, "memory_max", plan->memory_max);
	json_add_count(json, "size_max", plan->size_max);
	json_add_count(json, "seed", plan->seed);
	if (tally->finding[0])
		json_add_text(json, "finding", tally->finding);
	return json_print(json);
}

static void print_text(const struct tally *tally)
{
	const struct {
		const char *label;
		uint64_t count;
	} rarities[] = {
		{ "invented", tally->invented },
		{ "damaged", tally->damaged },
		{ "out of order", tally->disordered },
		{ "workers failed", tally->failed },
	};

	printf("sent %" PRIu64 " %s received %" PRIu64 ", %" PRIu64 " lost, %" PRIu64 " doubled, %" PRIu64 " stuck\n", tally->sent,
	       tally->sent == tally->received ? "=" : "!=", tally->received, tally->lost, tally->doubled, tally->stuck);
	printf("%" PRIu64 " redelivered, %" PRIu64 " processes killed (%" PRIu64 " senders, %" PRIu64 " receivers)\n", tally->redelivered,
	       tally->killed_senders + tally->killed_receivers, tally->killed_senders, tally->killed_receivers);
	for (size_t i = 0; i < sizeof(rarities) / sizeof(*rarities); i++)
		if (rarities[i].count > 0)
			printf("%" PRIu64 " %s\n", rarities[i].count, rarities[i].label);
}

int tally_print(const struct tally *tally, const struct plan *plan)
{
	int status = STATUS_DONE;

	if (plan->json)
		status = print_json(tally, plan);
	else
		print_text(tally);
	if (tally_is_sound(tally))
		return status;
	fflush(stdout);
	return report("%s (seed %" PRIu64 ")", tally->finding[0] ? tally->finding : "the tally does not add up", plan->seed);
}
