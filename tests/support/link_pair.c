/* SPDX-License-Identifier: Apache-2.0 */
/*
 * support/link_pair.c - memfds and socket pairs, as a handshake would have made them.
 */
#include "support/link_pair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/file.h"

static void make_half(struct link_pair *pair, int side, uint64_t memory_max)
{
	struct pabal__link_parts *owner = &pair->parts[side], *peer = &pair->parts[!side];
	uint64_t size = pabal__stream_size(memory_max);
	int fd = memfd_create("half", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)size) || pabal__file_back(fd, 0, sizeof(struct pabal__half)) < 0)
		fail_msg("no memory for a half: %s", strerror(errno));
	owner->memory = fd;
	owner->mine_max = peer->peer_max = memory_max;
	owner->mine = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	peer->peer = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (owner->mine == MAP_FAILED || peer->peer == MAP_FAILED)
		fail_msg("mmap: %s", strerror(errno));
	pabal__stream_format(owner->mine, memory_max);
	assert_true(pabal__stream_fits(peer->peer, memory_max));
}

static void make_sockets(int sockets[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		fail_msg("socketpair: %s", strerror(errno));
}

void link_pair_make(struct link_pair *pair, uint64_t max_first, uint64_t max_second)
{
	struct pabal__link_parts *one = &pair->parts[0], *two = &pair->parts[1];
	int sockets[2];

	memset(pair, 0, sizeof *pair);
	one->pidfd = two->pidfd = -1;
	make_half(pair, 0, max_first);
	make_half(pair, 1, max_second);
	make_sockets(sockets);
	one->socket = sockets[0];
	two->socket = sockets[1];
	make_sockets(sockets);
	one->fds_out = sockets[0];
	two->fds_in = sockets[1];
	make_sockets(sockets);
	two->fds_out = sockets[0];
	one->fds_in = sockets[1];
}

static pabal_link *open_parts(const struct pabal__link_parts *parts, uint32_t flags)
{
	pabal_link *link = aligned_alloc(128, (sizeof *link + 127) / 128 * 128);
	int r = pabal__link_init(link, parts, flags);

	if (r < 0) { /* also used in children, where an assertion would go astray */
		abort();
	}
	return link;
}

pabal_link *link_pair_open(struct link_pair *pair, int side, pid_t peer, uint32_t flags)
{
	struct pabal__link_parts *mine = &pair->parts[side], *other = &pair->parts[!side];

	close(other->socket);
	close(other->fds_out);
	close(other->fds_in);
	close(other->memory);
	munmap(other->mine, pabal__stream_size(other->mine_max));
	munmap((void *)other->peer, pabal__stream_size(other->peer_max));
	mine->pidfd = (int)syscall(SYS_pidfd_open, peer, 0);
	return open_parts(mine, flags);
}

void link_pair_both(struct link_pair *pair, uint32_t flags, pabal_link *ret_links[2])
{
	for (int i = 0; i < 2; i++) {
		pair->parts[i].pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
		ret_links[i] = open_parts(&pair->parts[i], flags);
	}
}

void link_pair_shared(struct link_pair *pair, uint32_t flags, pabal_link *ret_links[2])
{
	for (int i = 0; i < 2; i++) {
		munmap((void *)pair->parts[i].peer, pabal__stream_size(pair->parts[i].peer_max));
		pair->parts[i].peer = pair->parts[!i].mine;
	}
	link_pair_both(pair, flags, ret_links);
}

void link_pair_close_shared(struct link_pair *pair, pabal_link *links[2])
{
	for (int i = 0; i < 2; i++) /* close unmaps what it has: give it a mapping of its own for that */
		links[i]->peer = mmap(NULL, pabal__stream_size(links[i]->peer_max), PROT_READ, MAP_SHARED, pair->parts[!i].memory, 0);
	for (int i = 0; i < 2; i++)
		links[i]->bell.peer = links[i]->peer;
	pabal_link_close(links[0]);
	pabal_link_close(links[1]);
}

const _Atomic uint64_t *link_pair_life(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	return page;
}

void link_pair_default(uint32_t flags, pabal_link *ret_links[2])
{
	struct link_pair pair;

	link_pair_make(&pair, 1 << 20, 1 << 20);
	link_pair_both(&pair, flags, ret_links);
}

struct pabal_link_stats link_stats_of(pabal_link *link)
{
	struct pabal_link_stats stats = { .struct_size = sizeof stats };

	if (pabal_link_stat(link, &stats) < 0)
		fail_msg("pabal_link_stat: %s", pabal_error_detail());
	return stats;
}
