/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knot.h - processes that wait for each other, and for nobody else: deadlocks.
 */
#ifndef PABAL_TOOLS_KNOT_H
#define PABAL_TOOLS_KNOT_H

#include "waits.h"

/** knot_find() - set is_stuck of every party that nobody who is not stuck could wake. */
void knot_find(struct waits *waits);

/**
 * knot_cycle() - a cycle among the stuck, reached from one of them.
 * @ret_waits: room for as many indexes as there are parties: the waits of the cycle, each ended by who has the next one.
 *
 * Return: how many; 0 if @party is not stuck.
 */
uint32_t knot_cycle(const struct waits *waits, uint32_t party, uint32_t *ret_waits);

#endif
