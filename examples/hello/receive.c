/* SPDX-License-Identifier: Apache-2.0 */
/* hello/receive - print the messages of the mailbox "hello" until one of them is "bye". */
#include <pabal/pabal.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
	const struct pabal_mailbox_opts opts = { .struct_size = sizeof(opts), .flags = PABAL_EXIST_OK };
	pabal_mailbox *mailbox = NULL;
	char text[100] = "";
	size_t size;
	int r = pabal_mailbox_create("hello", &opts, &mailbox); /* or open it, if it exists */

	while (r == 0 && strcmp(text, "bye") != 0) {
		r = pabal_mailbox_receive(mailbox, text, sizeof(text) - 1, &size, PABAL_FOREVER);
		if (r == 0) {
			text[size] = '\0';
			printf("%s\n", text);
		}
	}
	if (r < 0)
		fprintf(stderr, "hello/receive: %s\n", pabal_error_detail());
	pabal_mailbox_close(mailbox);
	return r < 0;
}
