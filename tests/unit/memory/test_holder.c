/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_holder - the file of a name: taking it, telling in it, burying it; and what would happen without the second look at whose name it is.
 */
#include "memory/holder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "memory/telling.h"
#include "platform/file.h"
#include "platform/fork.h"
#include "platform/socket.h"
#include "support/support.h"

static struct pabal__directory directory;

static int open_directory(void **state)
{
	(void)state;
	return pabal__fork_init() < 0 || pabal__directory_open(true, &directory) < 0;
}

static int close_directory(void **state)
{
	(void)state;
	pabal__directory_close(&directory);
	return 0;
}

static int take(const char *name, struct pabal__holder *holder)
{
	int r = pabal__holder_make(&directory, 0640, 1234, holder);

	if (r == 0)
		r = pabal__holder_name(&directory, holder, name);
	return r;
}

static void a_name_is_taken_told_and_given_up(void **state)
{
	struct pabal__holder_info info;
	struct pabal__holder holder, other;

	(void)state;
	assert_int_equal(pabal__holder_look(&directory, "a", &info, NULL), -ENOENT);
	assert_int_equal(take("a", &holder), 0);
	assert_int_equal(pabal__holder_look(&directory, "a", &info, NULL), 0);
	assert_true(info.alive);
	assert_int_equal(info.claimed_pid, getpid());
	assert_int_equal(info.memory_max, 1234);
	assert_int_equal(info.mode, 0640);
	assert_memory_equal(info.instance, holder.instance, PABAL__INSTANCE_SIZE);
	assert_string_equal(info.socket_name, holder.socket_name);
	assert_int_equal(take("a", &other), -EADDRINUSE);
	pabal__holder_close(&directory, &other, true);
	assert_int_equal(pabal__holder_bury(&directory, "a"), 0);
	pabal__holder_close(&directory, &holder, true);
	assert_int_equal(pabal__holder_look(&directory, "a", &info, NULL), -ENOENT);
}

static void links_and_waits_are_told(void **state)
{
	struct pabal__holder_entry entry;
	struct pabal__holder_info info;
	struct pabal__holder holder;
	uint32_t entries[PABAL__HOLDER_ENTRIES], what, whom;
	uint64_t waiting;
	int fd;

	(void)state;
	assert_int_equal(take("a", &holder), 0);
	assert_int_equal(pabal__holder_look(&directory, "a", &info, &fd), 0);
	assert_int_equal(pabal__told_entries(fd), 0);
	for (uint32_t i = 0; i < PABAL__HOLDER_ENTRIES; i++) {
		entries[i] = pabal__tell_entry(&holder, "peer");
		assert_int_equal(entries[i], i);
	}
	assert_int_equal(pabal__tell_entry(&holder, "one more"), PABAL__NOT_TOLD); /* it is not told, and nothing else */
	pabal__tell_state(&holder, PABAL__NOT_TOLD, PABAL__ENTRY_LINKED, 1, 2);
	pabal__tell_end(&holder, PABAL__NOT_TOLD);
	assert_null(pabal__tell_waits(&holder, PABAL__NOT_TOLD, 0));
	pabal__tell_state(&holder, 1023, PABAL__ENTRY_LINKED, 77, 88);
	assert_true(pabal__told_entry(fd, 1023, &entry));
	assert_string_equal(entry.peer, "peer");
	assert_int_equal(entry.identity, (UINT64_C(77) << 32) + 88);
	assert_int_equal((uint32_t)entry.word, PABAL__ENTRY_LINKED);
	pabal__tell_end(&holder, 500);
	assert_false(pabal__told_entry(fd, 500, &entry));
	assert_int_equal(pabal__tell_entry(&holder, "another"), 500);
	assert_true(pabal__told_entry(fd, 500, &entry));
	assert_string_equal(entry.peer, "another");
	assert_false(pabal__told_wait(fd, 0, &what, &whom, &waiting));
	for (uint32_t i = 0; i < PABAL__HOLDER_WAITS; i++)
		assert_int_equal(pabal__tell_sleep(&holder, 3, i == 1 ? PABAL__NOT_TOLD : 500, 99), i);
	assert_int_equal(pabal__tell_sleep(&holder, 3, 500, 99), PABAL__NOT_TOLD);
	pabal__tell_woke(&holder, PABAL__NOT_TOLD);
	assert_true(pabal__told_wait(fd, 0, &what, &whom, &waiting));
	assert_true(what == 3 && whom == 500 && waiting == 99);
	assert_true(pabal__told_wait(fd, 1, &what, &whom, &waiting));
	assert_int_equal(whom, PABAL__NOT_TOLD);
	pabal__tell_woke(&holder, 0);
	assert_false(pabal__told_wait(fd, 0, &what, &whom, &waiting));
	close(fd);
	pabal__holder_close(&directory, &holder, true);
}

static int die_half_way(void *data)
{
	struct pabal__holder holder;
	int socket;

	if (*(int *)data >= 0)
		child_equal(pabal__holder_make(&directory, 0600, 1, &holder), 0);
	if (*(int *)data >= 1)
		child_equal(pabal__socket_listen(directory.fd, holder.socket_name, 0600, &socket), 0);
	if (*(int *)data >= 2)
		child_equal(pabal__holder_name(&directory, &holder, "a"), 0);
	if (*(int *)data == 3)
		unlinkat(directory.fd, "a", 0); /* by hand, say */
	return 0;
}

/* Dead at any step of announcing: gc removes what is left, and nothing of the living. */
static void what_the_dead_left_is_swept(void **state)
{
	static const uint32_t swept[] = { 1, 2, 1, 1 };
	struct pabal__holder unborn;
	int socket;

	(void)state;
	assert_int_equal(pabal__holder_make(&directory, 0600, 1, &unborn), 0);
	for (int step = 0; step < 4; step++) {
		child_run(die_half_way, &step);
		assert_int_equal(pabal__holder_sweep(&directory), swept[step]);
		assert_int_equal(pabal__holder_bury(&directory, "a"), step == 2);
	}
	/* Between bind and listen a socket refuses like a dead one; its hidden file says that it is not. */
	socket = open(path_of(unborn.socket_name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(socket >= 0);
	assert_int_equal(pabal__holder_sweep(&directory), 0);
	assert_int_equal(access(path_of(unborn.socket_name), F_OK), 0);
	close(socket);
	pabal__holder_close(&directory, &unborn, true);
}

static void forged_files_are_refused(void **state)
{
	struct pabal__holder_info info;
	struct pabal__holder holder;
	unsigned char junk[64];
	int fd;

	(void)state;
	memset(junk, 0xa5, sizeof junk);
	for (size_t size = 0; size < sizeof junk; size += 21) {
		fd = open(path_of("a"), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
		assert_int_equal(write(fd, junk, size), size);
		close(fd);
		assert_int_equal(pabal__holder_look(&directory, "a", &info, NULL), -EBADMSG);
		assert_int_equal(pabal__holder_bury(&directory, "a"), 0);
	}
	unlink(path_of("a"));
	assert_int_equal(mkdir(path_of("a"), 0700), 0);
	assert_int_equal(pabal__holder_look(&directory, "a", &info, NULL), -EBADMSG);
	rmdir(path_of("a"));
	assert_int_equal(mkfifo(path_of("a"), 0600), 0);
	assert_int_equal(pabal__holder_look(&directory, "a", &info, NULL), -EBADMSG);
	unlink(path_of("a"));
	/* One that is cut short while it is alive: others read copies, and are told nothing. */
	assert_int_equal(take("a", &holder), 0);
	assert_int_equal(pabal__holder_look(&directory, "a", &info, &fd), 0);
	assert_int_equal(truncate(path_of("a"), 4096), 0);
	assert_false(pabal__told_entry(fd, 5, &(struct pabal__holder_entry){ .word = 0 }));
	close(fd);
	pabal__holder_close(&directory, &holder, true);
}

enum { RIVALS = 4, RACES = 50 };

static _Atomic uint64_t *gate, *arrived;

static int rush(void *data)
{
	struct pabal__holder holder;
	struct stat st;
	bool lost;
	int r;

	(void)data;
	child_equal(pabal__holder_make(&directory, 0600, 1, &holder), 0);
	atomic_fetch_add(arrived, 1);
	for (int spins = 0; !atomic_load(gate); spins++)
		if (spins > 100000) /* leave together, but let a busy machine get on */
			pause_briefly();
	r = pabal__holder_name(&directory, &holder, "prize");
	atomic_fetch_add(arrived, 1);
	while (atomic_load(arrived) < UINT64_C(2) * RIVALS)
		pause_briefly();
	/* Everybody has tried. Who got it must have it still. */
	lost = r == 0 && (fstatat(directory.fd, "prize", &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != holder.ino);
	atomic_fetch_add(arrived, 1);
	while (atomic_load(arrived) < UINT64_C(3) * RIVALS)
		pause_briefly();
	if (r < 0) {
		pabal__holder_close(&directory, &holder, true);
		return 0;
	}
	return lost ? 2 : 1; /* dies with the name, which the next race is about */
}

/* How many got the name, and whether one has lost it to another. */
static bool race(int *ret_winners)
{
	pid_t pids[RIVALS];
	bool lost = false;

	*ret_winners = 0;
	atomic_store(gate, 0);
	atomic_store(arrived, 0);
	for (int i = 0; i < RIVALS; i++)
		pids[i] = child_start(rush, NULL);
	assert_true(eventually_at_least(arrived, RIVALS));
	atomic_store(gate, 1);
	for (int i = 0; i < RIVALS; i++) {
		int result = child_end(pids[i]);

		*ret_winners += result >= 1;
		lost |= result == 2;
	}
	return lost;
}

static void a_name_is_buried_once(void **state)
{
	int winners;

	(void)state;
	child_run(die_half_way, &(int){ 0 });
	for (int i = 0; i < RACES; i++) {
		assert_false(race(&winners));
		assert_int_equal(winners, 1);
	}
	assert_int_equal(pabal__holder_bury(&directory, "prize"), 1);
	pabal__holder_sweep(&directory);
}

/* In the middle of a burial: whose name it is was seen, and the grave is not locked yet. */
void __real_pabal__fork_guard(void);
void __wrap_pabal__fork_guard(void);
static bool stops_there;

void __wrap_pabal__fork_guard(void)
{
	if (stops_there) {
		stops_there = false;
		atomic_store(arrived, 1);
		child_check(eventually_at_least(gate, 1));
	}
	__real_pabal__fork_guard();
}

static int die_with_the_prize(void *data)
{
	struct pabal__holder holder;

	(void)data;
	child_equal(take("prize", &holder), 0);
	return 0;
}

static int bury_slowly(void *data)
{
	(void)data;
	stops_there = true;
	do {
		pabal__holder_bury(&directory, "prize");
		pause_briefly(); /* the kernel lets go of the dead one a moment after its end was told */
	} while (stops_there);
	return 0;
}

/* Somebody buries a dead one's name, and in the middle of that another one does, and takes it. Has that one the name afterwards? */
static bool name_is_kept(enum pabal__fault fault)
{
	struct pabal__holder holder;
	struct stat st;
	bool kept;
	pid_t pid;

	child_run(die_with_the_prize, NULL);
	atomic_store(gate, 0);
	atomic_store(arrived, 0);
	pabal__fault_on = fault;
	pid = child_start(bury_slowly, NULL);
	pabal__fault_on = PABAL__FAULT_NONE;
	assert_true(eventually_at_least(arrived, 1));
	assert_int_equal(take("prize", &holder), 0);
	atomic_store(gate, 1);
	assert_int_equal(child_end(pid), 0);
	kept = fstatat(directory.fd, "prize", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == holder.ino;
	pabal__holder_close(&directory, &holder, true);
	pabal__holder_sweep(&directory);
	return kept;
}

static void a_name_that_was_taken_meanwhile_is_kept(void **state)
{
	(void)state;
	assert_true(name_is_kept(PABAL__FAULT_NONE));
}

static void without_the_second_look_a_name_is_lost(void **state)
{
	(void)state;
	assert_false(name_is_kept(PABAL__FAULT_NO_RESTAT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_taken_told_and_given_up),
		cmocka_unit_test(links_and_waits_are_told),
		cmocka_unit_test(what_the_dead_left_is_swept),
		cmocka_unit_test(forged_files_are_refused),
		cmocka_unit_test(a_name_is_buried_once),
		cmocka_unit_test(a_name_that_was_taken_meanwhile_is_kept),
		cmocka_unit_test(without_the_second_look_a_name_is_lost),
	};

	gate = shared_memory(sizeof *gate);
	arrived = shared_memory(sizeof *arrived);
	return cmocka_run_group_tests(tests, open_directory, close_directory);
}
