/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pabal/pabal.h - all of pabal: inter-process communication without a daemon.
 *
 * Programs may include this one, or only the header of the object that they use. Each header opens with its caveats.
 */
#ifndef PABAL_PABAL_H
#define PABAL_PABAL_H

#include <pabal/base.h>
#include <pabal/buffer.h>
#include <pabal/mailbox.h>
#include <pabal/process.h>
#include <pabal/region.h>

#endif
