/* SPDX-License-Identifier: GPL-2.0 */
/* A histogram of what ran: one counter for each 16 bytes of kernel and module text. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdbool.h>
#include <stdint.h>

/* Where the kernel's text and its modules begin in a kernel booted with nokaslr. */
#define KERNEL_TEXT 0xffffffff81000000ull
#define MODULE_TEXT 0xffffffffc0000000ull

enum context { TASK, IRQ, IDLE, TICK, NR_CONTEXTS };

/* Makes the histogram; `folder` gets its files. Whether there is memory for it. */
bool hist_open(const char *folder);
void hist_clear(void);
/* The slot of an address, or -1 for what is not counted. */
int hist_slot(uint64_t address);
/* One instruction; `entry`: the one at the slot's border. */
void hist_count(unsigned int slot, bool entry, enum context context);
/* Writes what was counted to the folder's file `name` (tabs become dots). */
void hist_write(const char *name);

#endif
