/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat/chat ME PEER - two people, two terminals: "chat ann bob" in one, "chat bob ann" in the other, whichever comes first.
 *
 * Both announce themselves and ask for the link; there is one link for the two of them, even when both ask at once. Then each waits for two things: for what is typed
 * here, and for what comes from there.
 */
#include <pabal/pabal.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Print all messages that are there. Returns -EAGAIN, or how it ended. */
static int print_messages(pabal_link *link, const char *peer)
{
	char text[4096];
	size_t size;
	int r;

	while ((r = pabal_link_receive(link, text, sizeof(text), &size, PABAL_NOWAIT)) == 0)
		printf("%s: %.*s", peer, (int)size, text);
	fflush(stdout);
	return r;
}

/* Send a line as it was typed. Returns 0, or -ECANCELED at the end of input. */
static int send_line(pabal_link *link)
{
	char text[4096];
	ssize_t size = read(STDIN_FILENO, text, sizeof(text));

	return size > 0 ? pabal_link_send(link, text, (size_t)size, PABAL_FOREVER) : -ECANCELED;
}

static int talk(pabal_link *link, const char *peer)
{
	struct pollfd items[] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = pabal_link_fd(link, PABAL_READABLE), .events = POLLIN } };
	int r = 0;

	if (items[1].fd < 0)
		return items[1].fd;
	while (r == 0 || r == -EAGAIN) {
		if (poll(items, 2, -1) < 0)
			return -errno;
		r = items[1].revents ? print_messages(link, peer) : 0;
		if (items[0].revents && (r == 0 || r == -EAGAIN))
			r = send_line(link);
	}
	return r;
}

int main(int argc, char **argv)
{
	pabal_process *self = NULL;
	pabal_link *link = NULL;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: chat ME PEER\n");
		return 2;
	}
	r = pabal_process_announce(argv[1], NULL, &self);
	if (r == 0)
		r = pabal_process_link(self, argv[2], &link, PABAL_FOREVER);
	if (r == 0) {
		printf("you are linked with %s\n", argv[2]);
		fflush(stdout);
		r = talk(link, argv[2]);
	}
	if (r == -EPIPE)
		printf("%s has left\n", argv[2]);
	else if (r < 0 && r != -ECANCELED)
		fprintf(stderr, "chat: %s\n", pabal_error_detail());
	pabal_link_close(link);
	pabal_process_close(self);
	return r != -EPIPE && r != -ECANCELED;
}
