/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crash/work - take one message from the mailbox "hello", work on it for as many seconds as the argument says, and release it.
 *
 * Made to be killed: until the release the message is leased to this process, and if the process dies it is delivered again.
 */
#include <pabal/pabal.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	struct pabal_message message;
	pabal_mailbox *mailbox = NULL;
	int r = pabal_mailbox_open("hello", NULL, &mailbox);

	if (r == 0)
		r = pabal_mailbox_take(mailbox, NULL, &message, PABAL_FOREVER);
	if (r == 0) {
		printf("working on \"%.*s\", delivery %u\n", (int)message.size, (const char *)message.data, message.delivery_count);
		fflush(stdout);
		sleep(seconds);
		r = pabal_mailbox_release(mailbox, &message);
	}
	if (r < 0)
		fprintf(stderr, "crash/work: %s\n", pabal_error_detail());
	else
		printf("done\n");
	pabal_mailbox_close(mailbox);
	return r < 0;
}
