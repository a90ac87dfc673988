/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stepping.c - make this process fit to run others one instruction at a time.
 */
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "stepping.h"
#include "verb.h"

/* A child that asks to be traced, and is stepped once. */
static bool may_step(void)
{
	int status = 0;
	bool may;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			raise(SIGSTOP);
		_exit(STATUS_FAILED);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return false;
	if (!WIFSTOPPED(status))
		return false; /* it was not let, and ended */
	may = ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return may;
}

/* What the dynamic linker does late would be stepped through as well. */
static int start_again(int argc, char **argv)
{
	char **again = calloc((size_t)argc + 2, sizeof(*again));
	char command[] = "pabal", verb[] = "torture";

	if (!again || setenv("LD_BIND_NOW", "1", 1) < 0) {
		free(again);
		return report("out of memory");
	}
	again[0] = command;
	again[1] = verb;
	for (int i = 1; i < argc; i++)
		again[i + 1] = argv[i];
	execv("/proc/self/exe", again);
	free(again); /* free() leaves errno alone since glibc 2.33 */
	return report("the command could not be started again: %m; is /proc mounted?");
}

int stepping_begin(int argc, char **argv)
{
	if (!getenv("LD_BIND_NOW"))
		return start_again(argc, argv);
	if (!may_step())
		return report("this process may not trace its children (ptrace): in a container allow it with --cap-add=SYS_PTRACE, "
			      "elsewhere set kernel.yama.ptrace_scope below 3; and do not run it in a debugger or strace");
	mallopt(M_MMAP_THRESHOLD, 1 << 16); /* large tables fresh from the kernel: zero already, and nothing for fork to copy */
	return STATUS_DONE;
}
