/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench/machine.h - on what it was measured.
 */
#ifndef PABAL_BENCH_MACHINE_H
#define PABAL_BENCH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct machine {
	char processor[128], kernel[128];
	const char *compiler, *flags, *version;
	uint32_t cpus;
	bool is_virtual;
	double load; /* of the last minute before the program began */
};

/* At the start of the program, before it loads the machine itself. */
void machine_begin(void);
void machine_look(struct machine *ret_machine);

#endif
