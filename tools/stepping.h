/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepping.h - make this process fit to run others one instruction at a time.
 */
#ifndef PABAL_TOOLS_STEPPING_H
#define PABAL_TOOLS_STEPPING_H

/**
 * stepping_begin() - find out whether stepping is allowed. The first time it starts the command again, with the arguments of "pabal torture",
 * so that the dynamic linker binds everything at once.
 *
 * Return: STATUS_DONE, or STATUS_FAILED with the reason reported.
 */
int stepping_begin(int argc, char **argv);

#endif
