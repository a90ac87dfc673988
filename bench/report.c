/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/report.c - the table, the Markdown page and the JSON.
 */
#include "report.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

void report_add(struct report *report, const struct figure *figure)
{
	if (report->count < FIGURES_MAX)
		report->figures[report->count++] = *figure;
}

void report_progress(const struct report *report, const char *section, const char *placement, uint32_t done, uint32_t all)
{
	if (!report->progress)
		return;
	fprintf(stderr, "\r\033[K%3u %% of %s%s%s", done * 100 / (all ? all : 1), section, placement ? ", " : "", placement ? placement : "");
	fflush(stderr);
}

static void size_text(char text[32], size_t size)
{
	if (!size)
		snprintf(text, 32, "%s", "");
	else if (size < 1024)
		snprintf(text, 32, "%zu B", size);
	else if (size < (size_t)1024 * 1024)
		snprintf(text, 32, "%zu KiB", size / 1024);
	else
		snprintf(text, 32, "%zu MiB", size / 1024 / 1024);
}

static void value_text(char text[32], const struct figure *figure)
{
	if (strcmp(figure->unit, "ns") == 0 && figure->value >= 10000)
		snprintf(text, 32, "%.1f us", figure->value / 1000);
	else if (strcmp(figure->unit, "ns") == 0)
		snprintf(text, 32, "%.0f ns", figure->value);
	else if (strcmp(figure->unit, "M/s") == 0)
		snprintf(text, 32, "%.2f M/s", figure->value / 1e6);
	else
		snprintf(text, 32, "%.*f %s", figure->value < 10 && figure->value != 0 ? 3 : 0, figure->value, figure->unit);
}

static void ratio_text(char text[48], const struct figure *figure)
{
	if (figure->ratio > 0)
		snprintf(text, 48, "%.2f x %s", figure->ratio, figure->ratio_to);
	else
		text[0] = 0;
}

static void remark_text(char text[160], const struct figure *figure)
{
	bool met = figure->goal_is_least ? figure->ratio >= figure->goal : figure->ratio <= figure->goal;
	int n = 0;

	text[0] = 0;
	if (figure->fairness > 0)
		n += snprintf(text + n, 160 - (size_t)n, "fairness %.2f  ", figure->fairness);
	if (figure->cpu_ns > 0)
		n += snprintf(text + n, 160 - (size_t)n, "CPU %.0f ns  ", figure->cpu_ns);
	if (figure->bursts && !figure->kept)
		n += snprintf(text + n, 160 - (size_t)n, "UNSTEADY: the probes of every burst disagree  ");
	else if (figure->kept < figure->bursts)
		n += snprintf(text + n, 160 - (size_t)n, "%u of %u bursts  ", figure->kept, figure->bursts);
	if (figure->goal > 0)
		n += snprintf(text + n, 160 - (size_t)n, "wanted: at %s %.2f, %s  ", figure->goal_is_least ? "least" : "most", figure->goal,
			      met ? "met" : "MISSED");
	snprintf(text + n, 160 - (size_t)n, "%s", figure->note);
}

/* @markdown: the same rows between bars. */
static void rows(const struct report *report, bool markdown)
{
	const char *section = "", *placement = "";

	for (uint32_t i = 0; i < report->count; i++) {
		const struct figure *figure = &report->figures[i];
		const char *place = figure->placement ? figure->placement : "";
		char size[32], value[32], ratio[48], remark[160];

		if (strcmp(section, figure->section) != 0 || strcmp(placement, place) != 0) {
			section = figure->section;
			placement = place;
			printf(markdown ? "\n### %s%s%s\n\n| | waiting | size | | ratio | |\n|---|---|---|---|---|---|\n" : "\n%s%s%s\n", section,
			       *place ? ", " : "", place);
		}
		size_text(size, figure->size);
		value_text(value, figure);
		ratio_text(ratio, figure);
		remark_text(remark, figure);
		printf(markdown ? "| %s | %s | %s | %s | %s | %s |\n" : "  %-22s %-9s %8s %14s  %-18s %s\n", figure->name,
		       figure->waiting ? figure->waiting : "", size, value, ratio, remark);
	}
}

void report_table(const struct report *report)
{
	struct machine machine;

	machine_look(&machine);
	printf("pabal %s; %s; %u CPUs%s; Linux %s; %s; %s\n", machine.version, machine.processor, machine.cpus, machine.is_virtual ? ", virtual" : "",
	       machine.kernel, machine.compiler, machine.flags);
	rows(report, false);
}

void report_markdown(const struct report *report)
{
	struct machine machine;

	machine_look(&machine);
	printf("| | |\n|---|---|\n| pabal | %s |\n| processor | %s, %u CPUs%s |\n| load when it began | %.2f |\n| kernel | Linux %s |\n| compiler | %s, `%s` |\n",
	       machine.version, machine.processor, machine.cpus, machine.is_virtual ? " of a virtual machine" : "", machine.load, machine.kernel,
	       machine.compiler, machine.flags);
	rows(report, true);
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
	if (text && *text)
		json_object_object_add(to, key, json_object_new_string(text));
}

static struct json_object *figure_json(const struct figure *figure)
{
	struct json_object *item = json_object_new_object();

	add_text(item, "section", figure->section);
	add_text(item, "name", figure->name);
	add_text(item, "waiting", figure->waiting);
	add_text(item, "placement", figure->placement);
	if (figure->size)
		json_object_object_add(item, "size", json_object_new_int64((int64_t)figure->size));
	if (figure->pairs)
		json_object_object_add(item, "pairs", json_object_new_int64(figure->pairs));
	json_object_object_add(item, "value", json_object_new_double(figure->value));
	add_text(item, "unit", strcmp(figure->unit, "M/s") == 0 ? "1/s" : figure->unit);
	if (figure->ratio > 0) {
		json_object_object_add(item, "ratio", json_object_new_double(figure->ratio));
		add_text(item, "ratio_to", figure->ratio_to);
	}
	if (figure->goal > 0)
		json_object_object_add(item, figure->goal_is_least ? "ratio_wanted_least" : "ratio_wanted_most",
				       json_object_new_double(figure->goal));
	if (figure->fairness > 0)
		json_object_object_add(item, "fairness", json_object_new_double(figure->fairness));
	if (figure->cpu_ns > 0)
		json_object_object_add(item, "cpu_ns", json_object_new_double(figure->cpu_ns));
	json_object_object_add(item, "bursts", json_object_new_int64(figure->bursts));
	json_object_object_add(item, "bursts_kept", json_object_new_int64(figure->kept));
	add_text(item, "note", figure->note);
	return item;
}

void report_json(const struct report *report)
{
	struct json_object *document = json_object_new_object(), *on = json_object_new_object(), *figures = json_object_new_array();
	struct machine machine;

	machine_look(&machine);
	add_text(on, "processor", machine.processor);
	json_object_object_add(on, "cpus", json_object_new_int64(machine.cpus));
	json_object_object_add(on, "virtual", json_object_new_boolean(machine.is_virtual));
	json_object_object_add(on, "load", json_object_new_double(machine.load));
	add_text(on, "kernel", machine.kernel);
	add_text(on, "compiler", machine.compiler);
	add_text(on, "flags", machine.flags);
	add_text(document, "version", machine.version);
	json_object_object_add(document, "machine", on);
	for (uint32_t i = 0; i < report->count; i++)
		json_object_array_add(figures, figure_json(&report->figures[i]));
	json_object_object_add(document, "figures", figures);
	puts(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY));
	json_object_put(document);
}
