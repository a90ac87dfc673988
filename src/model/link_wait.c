/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model/link_wait.c - waiting on a link: in a call, by a descriptor, or from outside by who serves many links.
 *
 * A descriptor for poll is an epoll of the link's socket, of the peer's pidfd, and of a latch: an event counter of ours. It stands armed from the moment it is made. A message makes the peer ring,
 * so the socket is readable; who swallows those bytes for another purpose sets the latch; only a call that says -EAGAIN clears both, arms again and looks once more. So it is readable while there may
 * be something.
 *
 * Who has asked and waits for the answer by spinning is patient first: it makes some pauses before its first look, as long for both sides (wait/patience.h) but for a little (wait/trim.h).
 */
#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "model/link.h"
#include "model/link_large.h"
#include "platform/wake.h"

enum { LOOKS = 8 /* of who is patient, before it waits as others do; a guess */ };

bool pabal__link_lives(struct pabal_link *link)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	bool entered = pabal__link_enter(link, &receiving->lock), lives;

	lives = pabal__doorbell_lives(&link->bell, &receiving->life, ++receiving->believed % PABAL__LIFE_BELIEVED_MAX != 0);
	pabal__link_leave(&receiving->lock, entered);
	return lives;
}

bool pabal__link_reply_came(struct pabal_link *link, bool told)
{
	struct pabal__calls *calls = &link->receiving.calls;
	bool entered = pabal__link_enter(link, &link->receiving.lock), came = calls->fresh;

	if (told)
		calls->fresh = false;
	pabal__link_leave(&link->receiving.lock, entered);
	return came;
}

/*
 * The attempt was in vain, and the descriptor is silent: is there something else for it to tell? A finish puts messages aside for receive, and so does not find what is there; either may have found the
 * reply of a call that had been looked at before. The descriptor tells of such a reply until a receive says -EAGAIN, and then once more: who then finishes his calls finds it.
 */
static bool has_other(struct pabal_link *link, uint32_t event, bool finish)
{
	return event == PABAL__DOORBELL_MESSAGE && (pabal__link_reply_came(link, !finish) || pabal__link_has(link));
}

static int try_again(struct pabal_link *link, int (*attempt)(void *object), void *object, uint32_t event, bool finish)
{
	int r = PABAL__DOORBELL_WAIT;

	if (atomic_load_explicit(&link->bell.standing, memory_order_relaxed) & event) { /* relaxed: who made the descriptor knows that he did */
		pabal__doorbell_settle(&link->bell, event);
		r = attempt(object);
		if (r != PABAL__DOORBELL_WAIT || has_other(link, event, finish)) /* in the first case there may be more */
			pabal__wake_set(link->bell.latch[event - 1]);
	}
	if (r > 0 && !pabal__link_lives(link))
		r = attempt(object);
	return r > 0 ? -EAGAIN : r;
}

int pabal__link_wait(struct pabal_link *link, int (*attempt)(void *object), void *object, uint32_t event, int64_t timeout_ns)
{
	struct pabal__doorbell_wait wait = { .attempt = attempt,
					     .object = object,
					     .event = event & ~(uint32_t)PABAL__DOORBELL_REPLY,
					     .told = event & PABAL__DOORBELL_REPLY ? PABAL__TOLD_REPLY : event - 1,
					     .spin = event == PABAL__DOORBELL_ROOM ? &link->sending.spin : &link->receiving.spin,
					     /* relaxed: a hint */
					     .run = atomic_load_explicit(&link->receiving.reader.before, memory_order_relaxed) };

	if (timeout_ns == PABAL_NOWAIT)
		return try_again(link, attempt, object, wait.event, event & PABAL__DOORBELL_REPLY);
	return pabal__doorbell_wait(&link->bell, &wait, timeout_ns);
}

/* Does who waits for a message look for it over and over again? */
static bool spins(const struct pabal_link *link)
{
	if (link->flags & (PABAL_WAIT_SPIN | PABAL_WAIT_BLOCK))
		return link->flags & PABAL_WAIT_SPIN;
	return atomic_load_explicit(&link->receiving.spin.spin.budget_ns, memory_order_relaxed) > 0; /* alone: tuning only */
}

/* How patient both sides are now, pabal__patience_word(): what this one has found out, or what the other one says. */
static uint32_t patience_of(struct pabal_link *link)
{
	struct pabal__patience *patience = &link->receiving.patience;
	uint32_t word;

	if (!link->receiving.patient) /* relaxed, here and below: alone, tuning only */
		return atomic_load_explicit(&link->peer->delay, memory_order_relaxed);
	if (pabal__patience_round(patience)) {
		pabal__patience_window(patience, pabal__cpu_ticks());
		word = pabal__patience_word(patience);
		if (atomic_load_explicit(&link->mine->delay, memory_order_relaxed) != word)
			atomic_store_explicit(&link->mine->delay, word, memory_order_relaxed);
	}
	return pabal__patience_word(patience);
}

/* All lines of the answer are asked for with each look: those that were there too early are stale by the next one. */
static inline uint32_t look(const struct pabal_link *link, uint64_t end)
{
	const struct pabal__reader *reader = &link->receiving.reader;

	pabal__reader_fetch(reader, end);
	pabal__link_expect_large(link);
	return pabal__reader_look(reader);
}

/* It comes in a moment: to look some more times here costs less than the way to a wait does. Measured: who looks a little too early loses 10 ns, else 60. */
static PABAL__LONG_WAY uint32_t look_again(struct pabal_link *link, uint64_t end)
{
	uint32_t header = 0;

	link->receiving.trim.too_early = true;
	for (uint32_t i = 1; !header && i < LOOKS; i++) {
		pabal__cpu_pause();
		header = look(link, end);
	}
	return header;
}

/* The answer should be there after that delay. */
static inline uint32_t look_patiently(struct pabal_link *link, uint32_t delay)
{
	uint64_t end = pabal__reader_expected_end(&link->receiving.reader);
	uint32_t header;

	link->receiving.trim.too_early = false;
	pabal__patience_delay(delay);
	header = look(link, end);
	return __builtin_expect(header != 0, 1) ? header : look_again(link, end);
}

uint32_t pabal__link_await(struct pabal_link *link)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	uint32_t word = spins(link) ? patience_of(link) : 0, delay = pabal__patience_said(word);

	receiving->asked = pabal__writer_sequence(&link->sending.writer);
	pabal__reader_foresee(&receiving->reader);
	atomic_store_explicit(&link->sending.delay, delay, memory_order_relaxed); /* alone: tuning only */
	if (!delay) {
		pabal__link_expect_large(link);
		return pabal__reader_look(&receiving->reader);
	}
	pabal__reader_note_wait(&receiving->reader);
	pabal__link_expect_release(link);
	return look_patiently(link, word & PABAL__PATIENCE_TRYING ? delay : pabal__trim_apply(&receiving->trim, delay));
}

bool pabal__link_has(struct pabal_link *link)
{
	struct pabal__link_receiving *receiving = &link->receiving;
	bool entered = pabal__link_enter(link, &receiving->lock);
	bool has = receiving->parked || pabal__reader_look(&receiving->reader) || pabal__link_broken(link) || pabal__doorbell_end(&link->bell);

	pabal__link_leave(&receiving->lock, entered);
	return has;
}

/* Room for a message that lies in the ring, or the end. */
static bool has_room(struct pabal_link *link)
{
	struct pabal__link_sending *sending = &link->sending;
	bool entered = pabal__link_enter(link, &sending->lock);
	bool has = pabal__writer_room(&sending->writer, pabal__stream_cells(PABAL__STREAM_INLINE_MAX)) != 0 || pabal__link_broken(link) ||
		   pabal__doorbell_end(&link->bell);

	pabal__link_leave(&sending->lock, entered);
	return has;
}

static bool has_any(struct pabal_link *link, uint32_t events)
{
	return (events & PABAL__DOORBELL_MESSAGE && pabal__link_has(link)) || (events & PABAL__DOORBELL_ROOM && has_room(link));
}

int pabal__link_ask(struct pabal_link *link, uint32_t wants)
{
	pabal__doorbell_ask(&link->bell, wants);
	return has_any(link, wants);
}

void pabal__link_wake_read(struct pabal_link *link)
{
	pabal__doorbell_answer(&link->bell);
}

bool pabal__link_verify(struct pabal_link *link, uint32_t event)
{
	if (has_any(link, event))
		return true;
	pabal__doorbell_ask_kernel(&link->bell);
	pabal__doorbell_settle(&link->bell, event);
	if (!has_any(link, event) && !has_other(link, event, false))
		return false;
	pabal__wake_set(link->bell.latch[event - 1]); /* until a call says "not now" */
	return true;
}

static int make_ready_fd(struct pabal_link *link, uint32_t event)
{
	struct pabal__doorbell *bell = &link->bell;
	int latch = pabal__wake_open(), group;
	int fds[] = { bell->socket, bell->pidfd, latch };

	if (latch < 0)
		return latch;
	group = pabal__wake_group(fds, 3);
	if (group < 0) {
		close(latch);
		return group;
	}
	bell->latch[event - 1] = latch;
	link->ready[event - 1] = group;
	pabal__doorbell_stand(bell, event);
	if (has_any(link, event))
		pabal__wake_set(latch);
	return group;
}

int pabal_link_fd(pabal_link *link, uint32_t event)
{
	int r = pabal__link_check(link, PABAL_NOWAIT);

	if (r < 0)
		return r;
	if (event != PABAL_READABLE && event != PABAL_WRITABLE)
		return pabal__fail(-EINVAL, "event is 0x%x: it is PABAL_READABLE or PABAL_WRITABLE, one descriptor each", event);
	pthread_mutex_lock(&link->ready_lock);
	r = link->ready[event - 1] >= 0 ? link->ready[event - 1] : make_ready_fd(link, event);
	pthread_mutex_unlock(&link->ready_lock);
	return r < 0 ? pabal__fail(r, "no descriptor for poll: too many are open, or there is no memory") : r;
}
