/* SPDX-License-Identifier: Apache-2.0 */
/* hello/send - send each argument as one message to the mailbox "hello". */
#include <pabal/pabal.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_EXIST_OK };
	pabal_mailbox *mailbox = NULL;
	int r = pabal_mailbox_create("hello", &opts, &mailbox); /* or open it, if it exists */

	for (int i = 1; i < argc && r == 0; i++)
		r = pabal_mailbox_send(mailbox, argv[i], strlen(argv[i]), PABAL_FOREVER);
	if (r < 0)
		fprintf(stderr, "hello/send: %s\n", pabal_error_detail());
	pabal_mailbox_close(mailbox);
	return r < 0;
}
