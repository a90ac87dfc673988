/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_fds.c - lots of descriptors, a packet each: the lot's number, and the descriptors beside it.
 *
 * A sender killed after the packet and before its message leaves a lot that nobody fetches; it goes with the socket. What a hostile peer sends instead, or besides, is closed: no more than
 * a bounded number of packets is looked at for one message.
 */
#include "model/link_fds.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <pabal/process.h>

#include "base/error.h"

enum { PACKETS_MAX = 16 /* lots of messages that were never committed: there is one at most, of an honest peer */ };

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(PABAL_LINK_FDS_MAX * sizeof(int))];
};

int pabal__link_fds_send(int socket, uint32_t number, const int *fds, uint32_t count)
{
	union control control;
	struct iovec piece = { .iov_base = &number, .iov_len = sizeof number };
	struct msghdr packet = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof *fds) };
	struct cmsghdr *header;

	if (socket < 0)
		return -ENOTSUP;
	memset(&control, 0, sizeof control);
	header = CMSG_FIRSTHDR(&packet);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof *fds);
	memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
	if (sendmsg(socket, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	switch (errno) {
	case EAGAIN:
		return 1;
	case ENOBUFS:
	case ETOOMANYREFS: /* this user has as many under way as it may, on whatever links */
		return 2;
	case EPIPE:
	case ECONNRESET: /* what was on its way there was thrown away */
	case ENOTCONN:
		return -EPIPE;
	default:
		return pabal__errno();
	}
}

static void close_all(const int *fds, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		close(fds[i]);
}

/* One packet. How many descriptors came, or a negative error; @ret_number: 0 if it is no lot. */
static int receive_packet(int socket, uint32_t *ret_number, int *ret_fds, bool *ret_cut)
{
	union control control;
	struct iovec piece = { .iov_base = ret_number, .iov_len = sizeof *ret_number };
	struct msghdr packet = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	uint32_t count = 0;
	ssize_t size = recvmsg(socket, &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (size < 0)
		return -EBADMSG; /* whatever it is, what was promised is not there */
	*ret_cut = packet.msg_flags & MSG_CTRUNC;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(&packet); header; header = CMSG_NXTHDR(&packet, header)) {
		uint32_t more = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(ret_fds + count, CMSG_DATA(header), more * sizeof(int)); /* all of them together fit into control */
		count += more;
	}
	if (size == 0)
		return count ? (int)count : -EBADMSG;
	if (size != sizeof *ret_number)
		*ret_number = 0;
	return (int)count;
}

int pabal__link_fds_receive(int socket, uint32_t number, uint32_t count, int *ret_fds)
{
	for (int i = 0; i < PACKETS_MAX && socket >= 0; i++) {
		int fds[PABAL_LINK_FDS_MAX + 1], came;
		uint32_t got = 0;
		bool cut = false;

		came = receive_packet(socket, &got, fds, &cut);
		if (came < 0)
			return -EBADMSG;
		if (got != number) {
			close_all(fds, (uint32_t)came);
			continue;
		}
		for (uint32_t j = 0; j < (uint32_t)came; j++) {
			if (j < count)
				ret_fds[j] = fds[j];
			else
				close(fds[j]);
		}
		if ((uint32_t)came == count)
			return 0;
		if (cut)
			return -EMFILE;
		return -EBADMSG;
	}
	return -EBADMSG;
}
