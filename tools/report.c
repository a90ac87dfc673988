/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - how the command says that something failed.
 *
 * The library has the facts: pabal_error_detail() is what failed, on what, and what to do next. This adds the name of the program and
 * finds the exit status. It is the only place that writes errors, so that each failure is exactly one line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <pabal/base.h>

#include "progress.h"
#include "report.h"
#include "stop.h"
#include "text.h"
#include "verb.h"

int report(const char *format, ...)
{
	char said[1024], line[4 * sizeof(said)];
	va_list arguments;

	va_start(arguments, format); /* first of all: there may be a %m in it */
	vsnprintf(said, sizeof(said), format, arguments);
	va_end(arguments);
	progress_clear();
	fprintf(stderr, "pabal: %s\n", text_printable(line, sizeof(line), said));
	return STATUS_FAILED;
}

static bool output_was_reported;

int report_output(int error)
{
	output_was_reported = true;
	return error ? report("standard output could not be written: %s", strerror(error)) : report("standard output could not be written");
}

void report_unwritten(void)
{
	bool failed = ferror(stdout);

	errno = 0;
	if (fflush(stdout) == 0 && !failed)
		return;
	if (!output_was_reported)
		report_output(errno);
	_exit(STATUS_FAILED);
}

const char *call_detail(int error)
{
	const char *detail = pabal_error_detail();

	return *detail ? detail : pabal_strerror(error);
}

/* Time that ran out is -ETIMEDOUT, or -EAGAIN where there was none to begin with. */
static int status_of(int error)
{
	return error == -ETIMEDOUT || error == -EAGAIN ? STATUS_TIMEOUT : STATUS_FAILED;
}

/* Who pressed Ctrl-C knows why it ended. */
static bool is_asked_for(int error)
{
	return error == -ECANCELED && stop_requests() > 0;
}

int report_call(int error)
{
	if (!is_asked_for(error))
		report("%s", call_detail(error));
	return status_of(error);
}

int report_call_at(const char *place, int error)
{
	if (!is_asked_for(error))
		report("%s%s", place, call_detail(error));
	return status_of(error);
}
