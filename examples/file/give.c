/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file/give PEER FILE - open a file and hand it, open as it is, to another process. That one need not be allowed to open it itself.
 */
#include <pabal/pabal.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct pabal_message_opts message = { .struct_size = sizeof(message), .fd_count = 1 };
	pabal_process *self = NULL;
	pabal_link *link = NULL;
	int fd, r;

	if (argc != 3) {
		fprintf(stderr, "usage: give PEER FILE\n");
		return 2;
	}
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	message.fds = &fd;
	r = pabal_process_announce(NULL, NULL, &self);
	if (r == 0)
		r = pabal_process_link(self, argv[1], &link, PABAL_FOREVER);
	if (r == 0)
		r = pabal_link_send_with(link, &message, argv[2], strlen(argv[2]), PABAL_FOREVER);
	if (r < 0)
		fprintf(stderr, "give: %s\n", pabal_error_detail());
	close(fd); /* the other side has its own */
	pabal_link_close(link);
	pabal_process_close(self);
	return r < 0;
}
