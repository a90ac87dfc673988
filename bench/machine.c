/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/machine.c - processor, kernel, compiler. Names of hosts and of people stay out.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <pabal/pabal.h>

#ifndef BENCH_FLAGS
#define BENCH_FLAGS "flags unknown"
#endif
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static double load_before;

void machine_begin(void)
{
	if (getloadavg(&load_before, 1) != 1)
		load_before = 0;
}

void machine_look(struct machine *ret_machine)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	struct utsname name;
	char line[4096];

	memset(ret_machine, 0, sizeof *ret_machine);
	snprintf(ret_machine->processor, sizeof ret_machine->processor, "unknown processor");
	while (file && fgets(line, sizeof line, file)) {
		if (strncmp(line, "model name", 10) == 0 && strchr(line, ':'))
			sscanf(strchr(line, ':') + 1, " %127[^\n]", ret_machine->processor);
		if (strncmp(line, "flags", 5) == 0) {
			ret_machine->is_virtual = strstr(line, " hypervisor");
			break;
		}
	}
	if (file)
		fclose(file);
	if (uname(&name) == 0)
		snprintf(ret_machine->kernel, sizeof ret_machine->kernel, "%.100s", name.release);
	ret_machine->compiler = COMPILER;
	ret_machine->flags = BENCH_FLAGS;
	ret_machine->version = pabal_version();
	ret_machine->cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	ret_machine->load = load_before;
}
