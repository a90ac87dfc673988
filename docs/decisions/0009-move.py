#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
0009-move.py [--all] - search all interleavings of the move of section 2 of decision 0009.

One sender that uses its blocks again, two receivers that sort and take, one priority. Every load, store and compare-and-swap is a step; any process may
stop for ever before any step (in a search of interleavings that is a process that is not scheduled any more, and MOVING needs no repair). Checked in each state:
a message is taken once, in the order of the commits, with the content that was committed. Then: from each state (--all; else from one in
sixteen), with either receiver stopped, the sender and the other one alone bring every message to a taker. The four faults, each one line left out, must be found. Memory is sequentially consistent here.
"""
import sys

EMPTY, FULL, TAKEN, MOVING = range(4)
FREE, OWNED, LEASED = range(3)
ADMISSION, SIDE, BLOCKS, MESSAGES = 2, 4, 2, 3
FAULTS = ["no rule for takers", "no look at the slot before", "slot not read again", "move beyond the head"]


class Wrong(Exception):
    pass


def put(values, index, value):
    return values[:index] + (value,) + values[index + 1:]


# state: admission slots, side slots (turn, state, block); blocks (state, version, message); sender (pc, tail, block, sent); receivers; taken
# receiver: (pc, h, s, p, word, e, block)
def start():
    receiver = ("sort", 0, 0, 0, None, None, None)
    return (((0, EMPTY, 0),) * ADMISSION, ((0, EMPTY, 0),) * SIDE, ((FREE, 0, None),) * BLOCKS, ("own", 0, None, 0), (receiver, receiver), 0)


def step_sender(state):
    admission, side, blocks, (pc, tail, block, sent), receivers, taken = state
    if pc == "own":
        free = [b for b in range(BLOCKS) if blocks[b][0] == FREE]
        if sent == MESSAGES or not free:
            return None
        blocks = put(blocks, free[0], (OWNED, blocks[free[0]][1] + 1, None))
        return (admission, side, blocks, ("fill", tail, free[0], sent), receivers, taken)
    if pc == "fill":
        blocks = put(blocks, block, blocks[block][:2] + (sent,))
        return (admission, side, blocks, ("commit", tail, block, sent), receivers, taken)
    turn = tail // ADMISSION
    if admission[tail % ADMISSION] != (turn, EMPTY, 0):
        return None
    admission = put(admission, tail % ADMISSION, (turn, FULL, block))
    return (admission, side, blocks, ("own", tail + 1, None, sent + 1), receivers, taken)


def step_receiver(state, me, fault):
    admission, side, blocks, sender, receivers, taken = state
    pc, h, s, p, word, e, block = receivers[me]

    def done(pc, h=h, s=s, p=p, word=word, e=e, block=block):
        return (admission, side, blocks, sender, put(receivers, me, (pc, h, s, p, word, e, block)), taken)

    slot, turn = admission[h % ADMISSION], h // ADMISSION
    if pc == "sort":
        if slot[0] > turn:
            return done("sort", h=h + 1)
        if slot[1] == EMPTY:
            return done("take")
        if slot[1] == MOVING:
            if fault == 3 and admission[(h + 1) % ADMISSION][:2] == ((h + 1) // ADMISSION, FULL):
                return done("claim", h=h + 1, word=admission[(h + 1) % ADMISSION])
            return done("tail", word=slot)
        return done("claim", word=slot)
    if pc == "claim":
        if slot == word:
            word = (turn, MOVING, word[2])
            admission = put(admission, h % ADMISSION, word)
            return done("tail", word=word)
        return done("sort")
    if pc == "tail":
        there, at = side[s % SIDE], s // SIDE
        if there[0] > at or (there[0] == at and there[1] != EMPTY):
            return done("tail", s=s + 1)
        if there[0] < at:
            return None  # a stopped taker, a round ago
        return done("again" if fault == 1 else "before", e=there)
    if pc == "before":
        there = side[(s - 1) % SIDE]
        if s > 0 and there[1] in (FULL, TAKEN) and there[0] == (s - 1) // SIDE and there[2] == word[2]:
            return done("let go")
        return done("push" if fault == 2 else "again")
    if pc == "again":
        return done("push" if slot == word else "sort")
    if pc == "push":
        if side[s % SIDE] != e:
            return done("tail")
        side = put(side, s % SIDE, (e[0], FULL, word[2]))
        return done("let go")
    if pc == "let go":
        if slot == word:
            admission = put(admission, h % ADMISSION, (turn + 1, EMPTY, 0))
        return done("sort")
    there, at = side[p % SIDE], p // SIDE
    if pc == "take":
        if there[0] > at or (there[0] == at and there[1] == TAKEN):
            return done("take", p=p + 1)
        if there[0] == at and there[1] == FULL:
            return done("take it", e=there)
        return done("sort") if taken < MESSAGES else None
    if pc == "take it":
        if there != e:
            return done("take")
        side = put(side, p % SIDE, (at, TAKEN, e[2]))
        if blocks[e[2]][0] != OWNED or blocks[e[2]][2] != taken:
            raise Wrong(f"message {blocks[e[2]]} was taken where {taken} was next")
        taken += 1
        return done("lease" if fault == 0 else "rule", block=e[2])
    if pc == "rule":
        if slot[0] > turn:
            return done("rule", h=h + 1)
        if slot == (turn, MOVING, block):
            return done("finish", word=slot)
        return done("lease")
    if pc == "finish":
        if slot == word:
            admission = put(admission, h % ADMISSION, (turn + 1, EMPTY, 0))
        return done("lease")
    if pc == "lease":
        if blocks[block][0] != OWNED:
            raise Wrong(f"block {block} is {blocks[block]} when it is leased")
        blocks = put(blocks, block, (LEASED,) + blocks[block][1:])
        return done("release slot")
    if pc == "release slot":
        side = put(side, p % SIDE, (at + 1, EMPTY, 0))
        return done("free", p=p + 1)
    blocks = put(blocks, block, (FREE, blocks[block][1] + 1, None))  # pc == "free"
    return done("sort", block=None)


def alone(state, me):
    """The sender and one receiver go on; the other is stopped."""
    for _ in range(2000):
        if state[5] == MESSAGES:
            return
        state = step_sender(state) or state
        state = step_receiver(state, me, None) or state
    held = [blocks for blocks in state[2] if blocks[0] != FREE]
    if len(held) < BLOCKS or state[3][3] == MESSAGES:  # all blocks in the stopped one's hand is another matter
        raise Wrong(f"receiver {me} alone gets no further than {state}")


def search(fault):
    seen, todo = {start()}, [start()]
    while todo:
        state = todo.pop()
        successors = [step_sender(state)] + [step_receiver(state, me, fault) for me in (0, 1)]
        if fault is None and ("--all" in sys.argv or len(seen) % 16 == 0):
            for me in (0, 1):
                alone(state, me)
        for successor in successors:
            if successor and successor not in seen:
                seen.add(successor)
                todo.append(successor)
    return len(seen)


def main():
    print(f"0009-move: sound in all {search(None)} states")
    missed = []
    for fault, name in enumerate(FAULTS):
        try:
            search(fault)
            missed.append(name)
        except Wrong as wrong:
            print(f"0009-move: '{name}' is found: {wrong}")
    if missed:
        sys.exit(f"0009-move: not found: {', '.join(missed)}")


if __name__ == "__main__":
    main()
