/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/fault.c - which deliberate fault is on, and how often it was executed. Empty in the shipped library.
 */
#include "base/fault.h"

#ifdef PABAL_TEST
enum pabal__fault pabal__fault_on;
unsigned long pabal__fault_hits;
#else
typedef int pabal__fault_is_empty; /* ISO C wants a declaration in every file */
#endif
