/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounded-buffer.c - the textbook's bounded buffer with real processes: two producers, two consumers, eight places.
 * A producer waits while the buffer is full, a consumer while it is empty. One consumer dies with an item in hand: the item comes again, to another, and is marked.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pabal/buffer.h>
enum { PRODUCERS = 2, CONSUMERS = 2, PLACES = 8, LAST = -1 };

struct item {
	int producer, number; /* number LAST: there is no more to come */
};

static void check(int r)
{
	if (r < 0) {
		fprintf(stderr, "%s\n", pabal_error_detail());
		exit(1);
	}
}

static void put(pabal_buffer *buffer, int producer, int number)
{
	check(pabal_buffer_put(buffer, &(struct item){ producer, number }, 1, NULL, PABAL_FOREVER));
}

static int produce(int me, int count)
{
	pabal_buffer *buffer;

	check(pabal_buffer_open("bounded-buffer", NULL, &buffer));
	for (int i = 0; i < count; i++)
		put(buffer, me, i);
	pabal_buffer_close(buffer);
	return 0;
}

/* What it has consumed goes through a pipe, so that somebody can count. @dies: with the first item in hand. */
static int consume(int out, int dies)
{
	struct pabal_message taken;
	const struct item *item;
	pabal_buffer *buffer;

	check(pabal_buffer_open("bounded-buffer", NULL, &buffer));
	for (;;) {
		check(pabal_buffer_take(buffer, 1, &taken, PABAL_FOREVER));
		item = taken.data;
		if (dies)
			abort();
		if (item->number == LAST)
			break;
		if (taken.delivery_count > 1)
			printf("item %d of producer %d comes again: who had it died\n", item->number, item->producer);
		if (write(out, item, sizeof *item) != sizeof *item)
			return 1;
		check(pabal_buffer_release(buffer, &taken));
	}
	check(pabal_buffer_release(buffer, &taken));
	pabal_buffer_close(buffer);
	return 0;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000, pipes[2], consumed = 0;
	pid_t producers[PRODUCERS];
	pabal_buffer *buffer;
	struct item item;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(pabal_buffer_create("bounded-buffer", sizeof item, PLACES, NULL, &buffer));
	if (pipe(pipes))
		return 1;
	for (int i = 0; i <= CONSUMERS; i++)
		if (fork() == 0)
			return close(pipes[0]) || consume(pipes[1], i == 0);
	close(pipes[1]);
	for (int i = 0; i < PRODUCERS; i++)
		if ((producers[i] = fork()) == 0)
			return produce(i, count);
	for (int i = 0; i < PRODUCERS; i++) {
		while (consumed < (i + 1) * count && read(pipes[0], &item, sizeof item) == sizeof item)
			consumed++;
		waitpid(producers[i], NULL, 0);
	}
	for (int i = 0; i < CONSUMERS; i++) /* no more to come: each of them is told */
		put(buffer, 0, LAST);
	while (read(pipes[0], &item, sizeof item) == sizeof item)
		consumed++;
	printf("%d produced, %d consumed\n", PRODUCERS * count, consumed);
	pabal_buffer_close(buffer);
	check(pabal_buffer_destroy("bounded-buffer"));
	return consumed != PRODUCERS * count;
}
