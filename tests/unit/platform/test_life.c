/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_life - a word that the kernel changes when its process ends, or the thread that held it.
 */
#include "platform/life.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/fork.h"
#include "platform/sealed.h"
#include "support/support.h"

static _Atomic uint64_t *told; /* 1 + the descriptor of the child's page; then how far it is */

static const _Atomic uint64_t *life_of(pid_t pid, int fd)
{
	const _Atomic uint64_t *life;
	char path[64];
	int copy;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
	copy = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(copy >= 0);
	assert_int_equal(pabal__life_map(copy, &life), 0);
	close(copy);
	return life;
}

static void *wants_it(void *data)
{
	(void)data;
	child_equal(pabal__life_get(), 0);
	return NULL;
}

static void in_a_thread(void *(*body)(void *))
{
	pthread_t thread;

	child_equal(pthread_create(&thread, NULL, body, NULL), 0);
	child_equal(pthread_join(thread, NULL), 0);
}

static void tell(uint64_t step)
{
	atomic_store(&told[1], step);
	while (atomic_load(&told[2]) < step)
		pause_briefly();
}

/* It lives, then the thread that held the word ends alone, then another one holds it. */
static int lives_on(void *data)
{
	(void)data;
	child_equal(pabal__fork_init(), 0);
	in_a_thread(wants_it);
	atomic_store(&told[0], (uint64_t)pabal__life_fd() + 1);
	tell(1);
	pabal__life_keep();
	tell(2);
	child_wait_for_death();
}

static bool step(uint64_t number)
{
	if (number > 1)
		atomic_store(&told[2], number - 1);
	return eventually_at_least(&told[1], number);
}

static void the_kernel_marks_the_end(void **state)
{
	const _Atomic uint64_t *life;
	pid_t pid;

	(void)state;
	for (int i = 0; i < 3; i++)
		atomic_store(&told[i], 0);
	pid = child_start(lives_on, NULL);
	assert_true(step(1));
	life = life_of(pid, (int)atomic_load(&told[0]) - 1);
	assert_false(pabal__life_beats(life)); /* of the thread alone: whoever reads it asks the kernel */
	assert_true(step(2));
	assert_true(pabal__life_beats(life));
	atomic_store(&told[2], 2);
	assert_true(pabal__life_beats(life));
	child_kill(pid);
	assert_false(pabal__life_beats(life));
	pabal__life_unmap(life);
}

static int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void *gives_it_up(void *data)
{
	(void)data;
	pabal__life_put();
	return NULL;
}

/* Who gave it up last takes it away, unless another thread holds it: then there is one, for the next. */
static int comes_and_goes(void *data)
{
	const _Atomic uint64_t *life;
	int before, fd;

	(void)data;
	child_equal(pabal__fork_init(), 0);
	before = open_descriptors();
	for (int i = 0; i < 3; i++) {
		child_equal(pabal__life_get(), 0);
		child_equal(pabal__life_get(), 0);
		child_equal(open_descriptors(), before + 1);
		child_equal(pabal__life_map(pabal__life_fd(), &life), 0);
		child_check(pabal__life_beats(life));
		pabal__life_put();
		child_check(pabal__life_beats(life));
		pabal__life_put();
		child_check(!pabal__life_beats(life)); /* nobody is there any more who could be marked */
		pabal__life_unmap(life);
		child_equal(open_descriptors(), before);
	}
	child_equal(pabal__life_get(), 0);
	fd = pabal__life_fd();
	for (int i = 0; i < 3; i++) {
		in_a_thread(gives_it_up);
		child_equal(open_descriptors(), before + 1);
		in_a_thread(wants_it);
		child_equal(pabal__life_fd(), fd);
	}
	pabal__life_put();
	child_equal(open_descriptors(), before);
	return 0;
}

static void nothing_is_left(void **state)
{
	(void)state;
	child_run(comes_and_goes, NULL);
}

static int is_a_child(void *data)
{
	int fd = *(int *)data;
	struct stat before, now;

	child_equal(fstat(fd, &before), 0);
	child_equal(pabal__fork_init(), 0);
	child_equal(pabal__life_get(), 0);
	child_equal(fstat(pabal__life_fd(), &now), 0);
	child_check(now.st_ino != before.st_ino);
	pabal__life_put();
	return 0;
}

static int is_a_parent(void *data)
{
	const _Atomic uint64_t *life;
	int fd;

	(void)data;
	child_equal(pabal__fork_init(), 0);
	child_equal(pabal__life_get(), 0);
	fd = pabal__life_fd();
	child_equal(pabal__life_map(fd, &life), 0);
	child_run(is_a_child, &fd);
	child_check(pabal__life_beats(life)); /* the child's end is not ours */
	pabal__life_unmap(life);
	pabal__life_put();
	return 0;
}

static void a_fork_child_has_its_own(void **state)
{
	(void)state;
	child_run(is_a_parent, NULL);
}

/* A program that closes all descriptors: the number is another file's then. */
static int closes_them(void *data)
{
	int fd, other;

	(void)data;
	child_equal(pabal__fork_init(), 0);
	child_equal(pabal__life_get(), 0);
	fd = pabal__life_fd();
	close(fd);
	other = open("/dev/null", O_RDONLY | O_CLOEXEC);
	child_equal(other, fd);
	child_equal(pabal__life_fd(), -1); /* it would be sent to peers */
	child_equal(pabal__life_get(), 0);
	child_check(pabal__life_fd() != other);
	pabal__life_put();
	pabal__life_put();
	child_check(fcntl(other, F_GETFD) >= 0);
	return 0;
}

static void a_stranger_at_its_number_stays_open(void **state)
{
	(void)state;
	child_run(closes_them, NULL);
}

static void what_is_no_page_is_refused(void **state)
{
	const _Atomic uint64_t *life;
	void *memory;
	int fd;

	(void)state;
	assert_int_equal(pabal__life_map(-1, &life), -EBADMSG);
	fd = memfd_create("test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(pabal__life_map(fd, &life), -EBADMSG);
	close(fd);
	assert_int_equal(pabal__sealed_make(8192, &fd, &memory), 0);
	assert_int_equal(pabal__life_map(fd, &life), -EBADMSG);
	pabal__sealed_unmap(memory, 8192);
	close(fd);
	assert_false(pabal__life_beats(&pabal__life_unknown));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_marks_the_end),   cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(a_fork_child_has_its_own),   cmocka_unit_test(a_stranger_at_its_number_stays_open),
		cmocka_unit_test(what_is_no_page_is_refused),
	};

	told = shared_memory(3 * sizeof *told);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
