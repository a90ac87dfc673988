/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server/server NAME - one process, any number of clients, one epoll loop: what a client sends comes back in capital letters.
 *
 * The descriptor of the process says that somebody wants to link, that of a link that there is a message, or that the client has gone. "chat ann NAME" is a client.
 */
#include <pabal/pabal.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

static int watch(int epoll, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Let in all who have knocked. */
static int let_in(pabal_process *self, int epoll)
{
	pabal_link *link;
	int r;

	while ((r = pabal_process_accept(self, &link, PABAL_NOWAIT)) == 0) {
		struct pabal_peer peer;

		pabal_link_peer(link, &peer);
		printf("%s is here, process %d of user %u\n", peer.name, (int)peer.pid, (unsigned)peer.uid);
		if (watch(epoll, pabal_link_fd(link, PABAL_READABLE), link) < 0)
			pabal_link_close(link);
	}
	return r;
}

/* Answer one message. Returns -EAGAIN when there is none. */
static int answer(pabal_link *link)
{
	char text[4096];
	size_t size;
	int r = pabal_link_receive(link, text, sizeof(text), &size, PABAL_NOWAIT);

	for (size_t i = 0; r == 0 && i < size; i++)
		text[i] = (char)toupper((unsigned char)text[i]);
	if (r == 0 && pabal_link_send(link, text, size, PABAL_NOWAIT) < 0)
		r = -EPIPE; /* who does not read its answers is not waited for: the others would wait, too */
	return r;
}

/* Answer all that a client has sent, and part with it when it has gone. */
static void serve(pabal_link *link)
{
	struct pabal_peer peer;
	int r;

	while ((r = answer(link)) == 0)
		;
	if (r == -EAGAIN)
		return;
	pabal_link_peer(link, &peer);
	printf("%s has gone: %s\n", peer.name, pabal_strerror(r));
	pabal_link_close(link); /* its descriptor goes with it, and leaves the epoll */
}

static int run(pabal_process *self, int epoll)
{
	struct epoll_event event;
	int r = watch(epoll, pabal_process_fd(self, PABAL_READABLE), NULL);

	while (r == 0 || r == -EAGAIN) {
		fflush(stdout);
		if (epoll_wait(epoll, &event, 1, -1) < 0)
			r = errno == EINTR ? 0 : -errno;
		else if (event.data.ptr)
			serve(event.data.ptr);
		else
			r = let_in(self, epoll);
	}
	return r;
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), r;
	pabal_process *self = NULL;

	if (argc != 2) {
		fprintf(stderr, "usage: server NAME\n");
		return 2;
	}
	r = pabal_process_announce(argv[1], NULL, &self);
	if (r == 0)
		run(self, epoll);
	fprintf(stderr, "server: %s\n", pabal_error_detail());
	pabal_process_close(self); /* and all links */
	return 1;
}
