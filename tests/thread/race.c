/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race - a race that is there on purpose, which ThreadSanitizer must report: else the tests beside this one mean nothing.
 *
 * Two threads, each with a handle on one mapping; the sender writes into the message after its commit, while the receiver reads.
 */
#include <pthread.h>
#include <unistd.h>

#include "model/attach.h"
#include "support/support.h"

enum { SIZE = 64 };

static pabal_mailbox *one, *other;

static void *receive_some(void *data)
{
	char got[SIZE];

	(void)data;
	for (int i = 0; i < 20000; i++)
		if (pabal_mailbox_receive(other, got, SIZE, NULL, HANG) < 0)
			break;
	return NULL;
}

int main(void)
{
	pthread_t thread;

	if (pabal_mailbox_create("a", OPTS(.capacity = 1), &one) < 0 || pabal__mailbox_attach_shared(one, 0, &other) < 0)
		return 3;
	unlink(path_of("a")); /* ThreadSanitizer ends this process at the first report: leave nothing behind */
	pthread_create(&thread, NULL, receive_some, NULL);
	for (int i = 0; i < 20000; i++) {
		struct pabal_loan loan;
		char *place;

		if (pabal_mailbox_loan(one, SIZE, &loan, HANG) < 0)
			break;
		place = loan.data;
		if (pabal_mailbox_commit(one, &loan, SIZE, HANG) < 0)
			break;
		place[0] = (char)i;
	}
	pthread_join(thread, NULL);
	return 0;
}
