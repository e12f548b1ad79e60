// SPDX-License-Identifier: GPL-2.0
/*
 * Out-of-line versions of static inlines and macros for the Rust side, a file a header of the
 * kernel. No logic here.
 */
#include "helpers.h"

#include "sched.c"
#include "vfs.c"
#include "virtio.c"
