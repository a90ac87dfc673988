/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file/take NAME - be given an open file, and copy it to standard output.
 */
#include <pabal/pabal.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int copy(int fd)
{
	char bytes[65536];
	ssize_t size;

	while ((size = read(fd, bytes, sizeof(bytes))) > 0)
		if (fwrite(bytes, 1, (size_t)size, stdout) != (size_t)size)
			return -errno;
	return size < 0 || fflush(stdout) != 0 ? -errno : 0;
}

/* A message and the descriptor that came with it. */
static int take_file(pabal_link *link)
{
	struct pabal_message message;
	struct pabal_peer peer;
	int fd, r = pabal_link_take(link, NULL, &message, PABAL_FOREVER);

	if (r < 0)
		return r;
	pabal_link_peer(link, &peer);
	fprintf(stderr, "%.*s, from process %d of user %u\n", (int)message.size, (const char *)message.data, (int)peer.pid, (unsigned)peer.uid);
	r = pabal_link_message_fd(link, &message, 0, &fd); /* now it is ours */
	if (r == 0) {
		r = copy(fd);
		close(fd);
	}
	pabal_link_release(link, &message);
	return r;
}

int main(int argc, char **argv)
{
	pabal_process *self = NULL;
	pabal_link *link = NULL;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: take NAME\n");
		return 2;
	}
	r = pabal_process_announce(argv[1], NULL, &self);
	if (r == 0)
		r = pabal_process_accept(self, &link, PABAL_FOREVER);
	if (r == 0)
		r = take_file(link);
	if (r < 0)
		fprintf(stderr, "take: %s\n", *pabal_error_detail() ? pabal_error_detail() : pabal_strerror(r));
	pabal_link_close(link);
	pabal_process_close(self);
	return r < 0;
}
