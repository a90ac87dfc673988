/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.h - how the command says that something failed: one line on standard error, and the exit status that goes with it.
 */
#ifndef PABAL_TOOLS_REPORT_H
#define PABAL_TOOLS_REPORT_H

/** report() - print "pabal: ..." as one line. Return: STATUS_FAILED. */
int report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * report_call() - print why a pabal call failed, in the library's own words.
 * @error: what the call returned. No pabal call may stand between it and this.
 *
 * A wait that a signal ended is told nobody.
 *
 * Return: STATUS_TIMEOUT if time ran out, else STATUS_FAILED.
 */
int report_call(int error);

/** report_call_at() - report_call() with the place in the input in front of it. @place: "line 7: ", say, or "". */
int report_call_at(const char *place, int error);

/** report_output() - standard output could not be written. @error: an errno value, or 0: nobody knows any more why. Return: STATUS_FAILED. */
int report_output(int error);

/** report_unwritten() - for atexit(3): write what stdio still has. If that fails, or something failed before, say so unless report_output() did, and exit with STATUS_FAILED. */
void report_unwritten(void);

/** call_detail() - the library's sentence about the last failed call, or the code's meaning where it has none. */
const char *call_detail(int error);

#endif
