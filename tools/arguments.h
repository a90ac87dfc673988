/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arguments.h - reading the arguments of a verb: argp, but that nothing it prints can command a terminal.
 */
#ifndef PABAL_TOOLS_ARGUMENTS_H
#define PABAL_TOOLS_ARGUMENTS_H

#include <argp.h>

/** arguments_parse() - argp_parse(). With ARGP_IN_ORDER the second word that is no option, and what follows it, are another program's. */
void arguments_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);

#endif
