/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reader.h - whoever reads our standard output: has it gone?
 */
#ifndef PABAL_TOOLS_READER_H
#define PABAL_TOOLS_READER_H

/**
 * reader_watch() - from now on SIGPIPE comes when the last reader of standard output has gone, not only with the next write. Call it in the main thread, before it waits for
 * something to write; again is nothing. Where standard output is no pipe or socket, nobody can go away.
 */
void reader_watch(void);

#endif
