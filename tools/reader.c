/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.c - whoever reads our standard output: has it gone?
 *
 * "pabal recv --lines q | head -2" writes nothing while it waits for a message, so no write tells it that head has ended. A thread sleeps in poll(2) on standard output, and
 * sends the main thread the signal that a write would have brought. A descriptor of the mailbox in the same poll would do without the thread, but from then on all who send
 * would pay for it with a system call a message.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader.h"

static pthread_t main_thread;

/* Nothing is asked for: errors and hang-ups are always told. */
static void *run_watch(void *argument)
{
	struct pollfd item = { .fd = STDOUT_FILENO };

	(void)argument;
	while (poll(&item, 1, -1) < 0 && errno == EINTR)
		;
	if (item.revents & (POLLERR | POLLHUP))
		pthread_kill(main_thread, SIGPIPE);
	return NULL;
}

void reader_watch(void)
{
	static bool is_watched;
	sigset_t all, old;
	pthread_t thread;
	struct stat st;

	if (is_watched || fstat(STDOUT_FILENO, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
		return;
	is_watched = true;
	main_thread = pthread_self();
	sigfillset(&all); /* signals are for the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&thread, NULL, run_watch, NULL) == 0) /* without it the next write tells */
		pthread_detach(thread);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}
