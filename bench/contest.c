/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/contest.c - the rounds of a contest and its figures.
 */
#include "contest.h"

#include <errno.h>
#include <string.h>

#include "floor.h"
#include "tools.h"

static const double probes_agree = 1.25; /* a guess: "near" and "far" differ by a factor of four, and noise by a tenth */

void contest_add(struct contest *contest, const struct channel_kind *kind, size_t size)
{
	struct entry *entry = &contest->entries[contest->entry_count++];

	memset(entry, 0, sizeof *entry);
	entry->kind = kind;
	entry->size = size;
}

static void play(const struct contest *contest, struct entry *entry, struct burst *burst)
{
	const struct settings *settings = contest->settings;
	double before = 0, after = 0;
	int r;

	if (contest->probed)
		before = floor_probe(settings->first, settings->second);
	r = entry->absent ? -ENOTSUP : contest->play(contest, entry, burst);
	if (r == -ENOTSUP) { /* a peer that this user may not have */
		entry->absent = true;
		return;
	}
	if (r < 0)
		die(r, entry->kind->name);
	if (contest->probed) {
		after = floor_probe(settings->first, settings->second);
		burst->floor = (before + after) / 2;
		burst->rejected = before > after * probes_agree || after > before * probes_agree;
	}
}

static const struct entry *reference(const struct contest *contest)
{
	for (uint32_t i = 0; contest->against && i < contest->entry_count; i++) {
		if (strcmp(contest->entries[i].kind->name, contest->against) == 0)
			return &contest->entries[i];
	}
	return NULL;
}

static bool is_rejected(const struct entry *peer, const struct entry *entry, uint32_t round)
{
	return entry->bursts[round].rejected || (peer && peer->bursts[round].rejected);
}

/* The medians of the bursts that are not rejected, or of all, if none is left. */
static void take_medians(const struct contest *contest, const struct entry *entry, struct figure *figure)
{
	const struct entry *peer = reference(contest);
	double values[BURSTS_MAX], ratios[BURSTS_MAX], fairness[BURSTS_MAX], cpu_ns[BURSTS_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < figure->bursts; i++)
		figure->kept += !is_rejected(peer, entry, i);
	for (uint32_t i = 0; i < figure->bursts; i++) {
		const struct burst *burst = &entry->bursts[i];
		double beside = peer ? peer->bursts[i].value : burst->floor;

		if (is_rejected(peer, entry, i) && figure->kept)
			continue;
		values[count] = burst->value;
		ratios[count] = beside > 0 ? burst->value / beside : 0;
		cpu_ns[count] = burst->cpu_ns;
		fairness[count++] = burst->fairness;
	}
	figure->value = median(values, count);
	figure->ratio = entry == peer ? 0 : median(ratios, count);
	figure->cpu_ns = median(cpu_ns, count);
	figure->fairness = median(fairness, count);
}

static void judge(const struct contest *contest, const struct entry *entry)
{
	struct figure figure = { .section = contest->section,
				 .name = entry->kind->name,
				 .waiting = entry->kind->waiting,
				 .placement = contest->placement,
				 .unit = contest->unit,
				 .size = entry->size,
				 .pairs = contest->pairs,
				 .bursts = contest->settings->bursts,
				 .ratio_to = contest->against ? contest->against : "floor",
				 .goal_is_least = contest->goal_is_least };

	take_medians(contest, entry, &figure);
	if (strcmp(entry->kind->name, "pabal") == 0 && figure.ratio > 0)
		figure.goal = contest->goal;
	memcpy(figure.note, entry->note, sizeof figure.note);
	report_add(contest->settings->report, &figure);
}

void contest_run(struct contest *contest)
{
	const struct settings *settings = contest->settings;

	for (uint32_t round = 0; round < settings->bursts; round++) {
		for (uint32_t i = 0; i < contest->entry_count; i++) {
			report_progress(settings->report, contest->section, contest->placement, round * contest->entry_count + i,
					settings->bursts * contest->entry_count);
			play(contest, &contest->entries[i], &contest->entries[i].bursts[round]);
		}
	}
	for (uint32_t i = 0; i < contest->entry_count; i++) {
		if (contest->entries[i].absent)
			continue;
		judge(contest, &contest->entries[i]);
	}
}
