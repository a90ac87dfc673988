/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_hostile_hello - forged letters, wrong descriptors and memory that is not sealed, to the one who answers.
 *
 * The enemy speaks the protocol by hand, with a name of its own that it rightly holds, and gets one thing wrong at a time. After each attempt the victim must have said so, have no link, and have no
 * descriptor more than before. Then each check is left out once (base/fault.h), to see that the very attempt which is to find that succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/enemy.h"
#include "queue/stream.h"

static pabal_process *victim;

static void size_less(struct attempt *attempt)
{
	attempt->size--;
}
static void size_one(struct attempt *attempt)
{
	attempt->size = 1;
}
static void size_more(struct attempt *attempt)
{
	attempt->size++;
}
static void size_much(struct attempt *attempt)
{
	attempt->size = 65536;
}
static void size_none(struct attempt *attempt)
{
	attempt->size = 0;
}
static void magic(struct attempt *attempt)
{
	attempt->letter.magic ^= 1;
}
static void kind_none(struct attempt *attempt)
{
	attempt->letter.kind = 0;
}
static void kind_unknown(struct attempt *attempt)
{
	attempt->letter.kind = 99;
}
static void kind_refuse(struct attempt *attempt)
{
	attempt_refuse(attempt, 0);
}
static void version_later(struct attempt *attempt)
{
	attempt->letter.version_min = attempt->letter.version_max = PABAL__LINK_VERSION + 1;
}
static void version_earlier(struct attempt *attempt)
{
	attempt->letter.version_min = attempt->letter.version_max = PABAL__LINK_VERSION - 1;
}
static void version_crossed(struct attempt *attempt)
{
	attempt->letter.version_min = 2;
	attempt->letter.version_max = 1;
}
static void name_empty(struct attempt *attempt)
{
	attempt->letter.name[0] = 0;
}
static void name_endless(struct attempt *attempt)
{
	memset(attempt->letter.name, 'e', sizeof attempt->letter.name);
}
static void name_path(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "../evil");
}
static void name_hidden(struct attempt *attempt)
{
	strcpy(attempt->letter.name, ".evil");
}
static void name_nobodys(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "nobody");
}
static void name_anothers(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "honest");
}
static void name_the_victims(struct attempt *attempt)
{
	strcpy(attempt->letter.name, "victim");
}
static void instance_other(struct attempt *attempt)
{
	attempt->letter.from[3] ^= 1;
}
static void addressee_other(struct attempt *attempt)
{
	attempt->letter.to[3] ^= 1;
}
static void memory_max_none(struct attempt *attempt)
{
	attempt->letter.memory_max = 0;
}
static void memory_max_huge(struct attempt *attempt)
{
	attempt->letter.memory_max = UINT64_MAX;
}
static void memory_max_more(struct attempt *attempt)
{
	attempt->letter.memory_max = UINT64_C(2) * ENEMY_MEMORY;
}
static void memory_short(struct attempt *attempt)
{
	attempt->memory_size -= PABAL__PAGE;
}
static void memory_long(struct attempt *attempt)
{
	attempt->memory_size += 4096;
}
static void memory_empty(struct attempt *attempt)
{
	attempt->memory_size = 0;
}
static void memory_unsealed(struct attempt *attempt)
{
	attempt->seals = 0;
}
static void memory_may_shrink(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_SHRINK;
}
static void memory_may_grow(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_GROW;
}
static void memory_may_be_written(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_FUTURE_WRITE;
}
static void memory_may_be_sealed(struct attempt *attempt)
{
	attempt->seals &= ~F_SEAL_SEAL;
}
static void memory_is_no_stream(struct attempt *attempt)
{
	attempt->no_format = true;
}
static void no_descriptor(struct attempt *attempt)
{
	attempt->fds[0] = -2;
	attempt->fd_count = 1;
}

static void a_file(struct attempt *attempt)
{
	int fd = open(path_of("."), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_int_equal(ftruncate(fd, (off_t)pabal__stream_size(ENEMY_MEMORY)), 0);
	attempt_give(attempt, fd);
}
static void a_directory(struct attempt *attempt)
{
	attempt_give(attempt, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}
static void a_device(struct attempt *attempt)
{
	attempt_give(attempt, open("/dev/zero", O_RDWR | O_CLOEXEC));
}
static void a_socket(struct attempt *attempt)
{
	attempt_give(attempt, socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}
static void two_memories(struct attempt *attempt)
{
	attempt->fds[0] = -1;
	attempt->fd_count = 1;
	attempt_give(attempt, attempt_memory(attempt));
}
static void life_page_unsealed(struct attempt *attempt)
{
	int page = memfd_create("enemy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(page, 4096), 0);
	attempt->fds[0] = -1;
	attempt->fd_count = 1;
	attempt_give(attempt, page);
}
static void three_descriptors(struct attempt *attempt)
{
	two_memories(attempt);
	attempt_give(attempt, dup(0));
}
static void a_flood_of_descriptors(struct attempt *attempt)
{
	attempt->fds[0] = -1;
	attempt->fd_count = 1;
	while (attempt->fd_count < PABAL__PACKET_FDS)
		attempt_give(attempt, dup(0));
}

struct hostile_case {
	const char *name;
	void (*spoil)(struct attempt *attempt);
	uint32_t refusal;        /* 0: hung up on without a word */
	enum pabal__fault fault; /* the check that finds it */
};

#define CASE(spoil, refusal, fault)                                          \
	{                                                                    \
#spoil, spoil, PABAL__REFUSE_##refusal, PABAL__FAULT_##fault \
	}

static const struct hostile_case hello_cases[] = {
	CASE(size_less, NONSENSE, NONE),
	CASE(size_one, NONSENSE, NONE),
	CASE(size_more, NONSENSE, NONE),
	CASE(size_much, NONSENSE, NONE),
	{ "size_none", size_none, 0, PABAL__FAULT_NONE },
	CASE(magic, NONSENSE, NO_MAGIC_CHECK),
	CASE(kind_none, NONSENSE, NONE),
	CASE(kind_unknown, NONSENSE, NONE),
	CASE(kind_refuse, NONSENSE, NONE),
	CASE(version_later, VERSION, NONE),
	CASE(version_earlier, VERSION, NONE),
	CASE(version_crossed, VERSION, NONE),
	CASE(name_empty, NONSENSE, NONE),
	CASE(name_endless, NONSENSE, NONE),
	CASE(name_path, NONSENSE, NONE),
	CASE(name_hidden, NONSENSE, NONE),
	CASE(name_nobodys, STRANGER, NO_STRANGER_CHECK),
	CASE(name_anothers, STRANGER, NO_STRANGER_CHECK),
	CASE(name_the_victims, STRANGER, NONE),
	CASE(instance_other, STRANGER, NO_STRANGER_CHECK),
	CASE(addressee_other, STRANGER, NONE),
	CASE(memory_max_none, NONSENSE, NONE),
	CASE(memory_max_huge, NONSENSE, NONE),
	CASE(memory_max_more, NONSENSE, NONE),
	CASE(memory_short, NONSENSE, NO_SIZE_CHECK),
	CASE(memory_long, NONSENSE, NO_SIZE_CHECK),
	CASE(memory_empty, NONSENSE, NONE),
	CASE(memory_unsealed, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_shrink, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_grow, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_be_written, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_may_be_sealed, NONSENSE, NO_SEAL_CHECK),
	CASE(memory_is_no_stream, NONSENSE, NONE),
	CASE(no_descriptor, NONSENSE, NONE),
	CASE(a_file, NONSENSE, NONE),
	CASE(a_directory, NONSENSE, NONE),
	CASE(a_device, NONSENSE, NONE),
	CASE(a_socket, NONSENSE, NONE),
	CASE(two_memories, NONSENSE, NONE),
	CASE(life_page_unsealed, NONSENSE, NO_SEAL_CHECK),
	CASE(three_descriptors, NONSENSE, NONE),
	CASE(a_flood_of_descriptors, NONSENSE, NONE),
};

/* Say a spoilt HELLO to the victim. What it answered: a refusal, 0: nothing, or UINT32_MAX: WELCOME. */
static uint32_t say_hello(const pabal_process *enemy, const struct hostile_case *hostile)
{
	struct attempt attempt;
	struct pabal__post post;
	uint32_t answer = 0;
	int socket, r;

	attempt_begin(&attempt, &enemy->holder, PABAL__HELLO, victim->holder.instance);
	if (hostile)
		hostile->spoil(&attempt);
	assert_int_equal(pabal__socket_connect(victim->directory.fd, victim->holder.socket_name, &socket), 0);
	attempt_send(socket, &attempt);
	goes_on(victim);
	r = pabal__letter_receive(socket, &post);
	if (r == 0) {
		answer = post.letter.kind == PABAL__WELCOME ? UINT32_MAX : post.letter.reason;
		pabal__post_close(&post);
	} else {
		assert_int_equal(r, -EPIPE);
	}
	close(socket);
	goes_on(victim);
	return answer;
}

static void a_spoilt_hello_is_refused_and_leaves_nothing(void **state)
{
	pabal_process *enemy = announce("enemy"), *honest = announce("honest");
	int before;

	(void)state;
	victim = announce("victim");
	before = open_fds();
	for (size_t i = 0; i < sizeof hello_cases / sizeof *hello_cases; i++) {
		uint32_t answer = say_hello(enemy, &hello_cases[i]);

		if (answer != hello_cases[i].refusal)
			fail_msg("%s: answered %u, not %u", hello_cases[i].name, answer, hello_cases[i].refusal);
		if (victim->party_count || open_fds() != before)
			fail_msg("%s: %u links, %d descriptors more", hello_cases[i].name, victim->party_count, open_fds() - before);
	}
	/* And the enemy, once it behaves, is as welcome as anybody. */
	assert_int_equal(say_hello(enemy, NULL), UINT32_MAX);
	assert_int_equal(open_fds(), before); /* it hung up, all is received: the link is gone as well */
	pabal_process_close(victim);
	pabal_process_close(enemy);
	pabal_process_close(honest);
}

static void each_check_is_what_refuses(void **state)
{
	pabal_process *enemy = announce("enemy"), *honest = announce("honest");

	(void)state;
	for (size_t i = 0; i < sizeof hello_cases / sizeof *hello_cases; i++) {
		const struct hostile_case *hostile = &hello_cases[i];

		if (hostile->fault == PABAL__FAULT_NONE)
			continue;
		victim = announce("victim");
		pabal__fault_hits = 0;
		pabal__fault_on = hostile->fault;
		if (say_hello(enemy, hostile) != UINT32_MAX || !pabal__fault_hits)
			fail_msg("%s is refused without its check, too", hostile->name);
		pabal__fault_on = PABAL__FAULT_NONE;
		pabal_process_close(victim);
	}
	pabal_process_close(enemy);
	pabal_process_close(honest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spoilt_hello_is_refused_and_leaves_nothing),
		cmocka_unit_test(each_check_is_what_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
