/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verb_announce.c - pabal announce NAME [-- COMMAND...]: a process with a name, for a command that knows nothing of pabal.
 *
 * We stay as the parent of the command, with a pipe to its standard input and one from its standard output; bridge.c stands between these and the links. Without a command, what
 * arrives is printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pabal/process.h>

#include "arguments.h"
#include "bridge.h"
#include "options.h"
#include "reader.h"
#include "report.h"
#include "stop.h"
#include "verb.h"

enum { KEY_WITH = OPTION_KEY(0), KEY_NAMES, KEY_MODE, STATUS_CANNOT_RUN = 126, STATUS_NOT_FOUND = 127, STATUS_SIGNAL = 128 };

#define MEMORY_DEFAULT ((size_t)16 << 20) /* the library's, as pabal/process.h says */

static const struct argp_option options[] = {
	{ "with", KEY_WITH, "PEER", 0, "Talk with this process alone, until it ends; without a command, also send it the lines of standard input",
	  0 },
	{ "names", KEY_NAMES, NULL, 0, "Each line begins with a name and a tab: the process that it comes from, or goes to", 0 },
	{ "count", 'n', "N", 0, "Until N messages were received", 0 },
	{ "memory", 'm', "SIZE", 0, "Memory of each link in our direction, and the largest message we send (default 16M)", 0 },
	{ "mode", KEY_MODE, "OCTAL", 0, "Permission bits of the name: who may link (default 0600)", 0 },
	{ 0 },
};

struct arguments {
	const char *name;
	char **command; /* ends with NULL, as argv does; NULL: there is none */
	const char *with;
	bool names;
	uint64_t count;
	struct pabal_process_opts process;
};

static error_t parse(int key, char *text, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case KEY_WITH:
		arguments->with = plain_name(text);
		return 0;
	case KEY_NAMES:
		arguments->names = true;
		return 0;
	case 'n':
		arguments->count = option_count(state, "--count", text, 1, UINT64_MAX);
		return 0;
	case 'm':
		arguments->process.memory_max = option_size(state, "--memory", text, 1);
		return 0;
	case KEY_MODE:
		arguments->process.mode = option_mode(state, "--mode", text);
		return 0;
	case ARGP_KEY_ARG:
		if (!arguments->name) {
			arguments->name = plain_name(text);
			return 0;
		}
		arguments->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* In the child: become the command. */
static _Noreturn void become(char **command, int in, int out)
{
	int error;

	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(STATUS_CANNOT_RUN);
	execvp(command[0], command);
	error = errno;
	report("'%s' cannot be run: %s", command[0], strerror(error));
	_exit(error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN);
}

/* Start the command. @ret_to: its standard input; @ret_from: its standard output. */
static int start(char **command, int *ret_to, int *ret_from, pid_t *ret_pid)
{
	int to[2], from[2], error;
	pid_t pid;

	if (pipe2(to, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(from, O_CLOEXEC) < 0) {
		error = errno;
		close(to[0]);
		close(to[1]);
		return -error;
	}
	pid = fork();
	if (pid == 0)
		become(command, to[0], from[1]);
	error = errno;
	close(to[0]);
	close(from[1]);
	*ret_to = to[1];
	*ret_from = from[0];
	*ret_pid = pid;
	return pid < 0 ? -error : 0;
}

/*
 * Wait for the end of the command, whose standard input is @to. A signal that ends us goes on to it; the second one as one that it cannot ignore. The signals are blocked but
 * for the sleep itself, so none is slept through.
 */
static int await(pid_t pid, int to)
{
	struct pollfd item = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int told = 0, status = 0;
	sigset_t old;
	pid_t ended;

	if (item.fd < 0)
		return report("the command cannot be waited for: %m");
	stop_block(&old);
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		for (; told < stop_requests(); told++)
			kill(pid, told ? SIGKILL : stop_signal());
		if (to >= 0)
			close(to);
		to = -1;
		ppoll(&item, 1, NULL, &old);
	}
	stop_unblock(&old);
	if (to >= 0)
		close(to);
	close(item.fd);
	if (ended < 0)
		return report("the command was lost: %m");
	return WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SIGNAL + WTERMSIG(status);
}

static int conclude(const struct bridge *bridge, int r, int write_error)
{
	const char *peer = bridge->inbox.peer;

	if (r == 0 || r == -EPIPE)
		return STATUS_DONE;
	if (r == -EOWNERDEAD)
		return report("'%s' has died; all that it had sent was received", peer);
	if (r == -EIO && write_error == -EPIPE)
		return report("nobody reads what arrives; a message of '%s' is lost", peer);
	if (r == -EIO)
		return report("what arrives could not be written: %s; a message of '%s' is lost", strerror(-write_error), peer);
	if (r == -ENOMEM)
		return report("out of memory");
	return report_call(r);
}

/* With a command: its end is the end, and its status ours, unless something is wrong here. */
static int run_command(struct bridge *bridge, char **command)
{
	int r, write_error = 0, status, own;
	pid_t pid = -1;

	signal(SIGPIPE, SIG_IGN); /* a command that reads no more is its own affair */
	r = start(command, &bridge->out, &bridge->in, &pid);
	if (r < 0)
		return report("'%s' cannot be started: %s", command[0], strerror(-r));
	bridge->ends_with_in = true;
	r = bridge_begin(bridge);
	if (r == 0)
		r = bridge_run(bridge, &write_error);
	own = conclude(bridge, r == -EIO && write_error == -EPIPE ? 0 : r, write_error);
	status = await(pid, bridge->out);
	bridge_end(bridge, true);
	close(bridge->in);
	return status ? status : own;
}

static int run_alone(struct bridge *bridge)
{
	int r, write_error = 0, status;

	stop_on_gone_reader();
	reader_watch();
	bridge->out = STDOUT_FILENO;
	bridge->in = bridge->inbox.from || bridge->names ? STDIN_FILENO : -1;
	r = bridge_begin(bridge);
	if (r == 0)
		r = bridge_run(bridge, &write_error);
	status = conclude(bridge, r, write_error);
	bridge_end(bridge, false);
	return status;
}

int verb_announce(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"NAME [-- COMMAND...]",
		"Announce a process under a name. Each message that arrives is a line of the command's standard input, and each line of its standard output is a message, to the process whose "
		"message came last. Without a command, what arrives is printed until interrupted.\v"
		"The name is free again when this ends. What has arrived and was not read by then is lost. The exit status is that of the command.",
		NULL,
		NULL,
		NULL,
	};
	struct arguments arguments = { .process.struct_size = sizeof(arguments.process), .process.flags = PABAL_RESTART };
	struct bridge bridge = { .in = -1 };
	int r, status;

	arguments_parse(&argp, argc, argv, ARGP_IN_ORDER, &arguments);
	r = pabal_process_announce(arguments.name, &arguments.process, &bridge.inbox.self);
	if (r < 0)
		return report_call(r);
	bridge.inbox.from = arguments.with;
	bridge.names = arguments.names;
	bridge.count = arguments.count;
	bridge.line_max = (arguments.process.memory_max ? arguments.process.memory_max : MEMORY_DEFAULT) + (arguments.names ? PABAL_NAME_SIZE : 0);
	stop_on_signals(NULL);
	stop_interrupts(bridge.inbox.self, NULL);
	status = arguments.command ? run_command(&bridge, arguments.command) : run_alone(&bridge);
	stop_forget();
	pabal_process_close(bridge.inbox.self);
	if (!arguments.command && status == STATUS_DONE && stop_cuts_short(bridge.count && bridge.received >= bridge.count, true))
		stop_die();
	return status;
}
