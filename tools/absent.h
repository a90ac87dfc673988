/* SPDX-License-Identifier: Apache-2.0 */
/*
 * absent.h - saying why there is no such object, or no such process, and what to type instead.
 */
#ifndef PABAL_TOOLS_ABSENT_H
#define PABAL_TOOLS_ABSENT_H

/** report_absent() - @name is not listed, or not as an object that can be looked into: say why. Return: the exit status. */
int report_absent(const char *name);

/** report_no_process() - no living process has @name, or none that can be seen. @verb: what to call the object by that name with, if there is one. Return: the exit status. */
int report_no_process(const char *name, const char *verb);

#endif
