// SPDX-License-Identifier: GPL-2.0
#include "hist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 24 MiB of kernel text and 16 MiB of modules in steps of 16 bytes. */
#define SHIFT 4
#define KERNEL_SLOTS (24u << (20 - SHIFT))
#define SLOTS (KERNEL_SLOTS + (16u << (20 - SHIFT)))

static struct slot {
	uint64_t insns[NR_CONTEXTS];
	/* Executions of the instruction at the border itself, in task and irq. */
	uint64_t entries;
} *slots;
static const char *folder;

bool hist_open(const char *name)
{
	folder = name;
	slots = calloc(SLOTS, sizeof(*slots));
	return slots;
}

void hist_clear(void)
{
	memset(slots, 0, sizeof(*slots) * SLOTS);
}

int hist_slot(uint64_t address)
{
	uint64_t slot;

	if (address < KERNEL_TEXT)
		return -1;
	if (address < MODULE_TEXT) {
		slot = (address - KERNEL_TEXT) >> SHIFT;
		return slot < KERNEL_SLOTS ? (int)slot : -1;
	}
	slot = KERNEL_SLOTS + ((address - MODULE_TEXT) >> SHIFT);
	return slot < SLOTS ? (int)slot : -1;
}

static uint64_t slot_address(unsigned int slot)
{
	if (slot < KERNEL_SLOTS)
		return KERNEL_TEXT + ((uint64_t)slot << SHIFT);
	return MODULE_TEXT + ((uint64_t)(slot - KERNEL_SLOTS) << SHIFT);
}

void hist_count(unsigned int slot, bool entry, enum context context)
{
	__atomic_fetch_add(&slots[slot].insns[context], 1, __ATOMIC_RELAXED);
	if (entry && context <= IRQ)
		__atomic_fetch_add(&slots[slot].entries, 1, __ATOMIC_RELAXED);
}

static FILE *file_of(const char *name)
{
	char path[512];
	int start;
	FILE *file;

	start = snprintf(path, sizeof(path), "%s/", folder);
	snprintf(path + start, sizeof(path) - start, "%s", name);
	for (char *c = path + start; *c; c++)
		if (*c == '\t' || *c == '/')
			*c = '.';
	file = fopen(path, "w");
	if (!file)
		perror(path);
	return file;
}

void hist_write(const char *name)
{
	FILE *file = file_of(name);

	if (!file)
		return;
	for (unsigned int i = 0; i < SLOTS; i++) {
		const uint64_t *n = slots[i].insns;

		if (n[TASK] | n[IRQ] | n[IDLE] | n[TICK])
			fprintf(file, "%llx %llu %llu %llu %llu %llu\n",
				(unsigned long long)slot_address(i), (unsigned long long)n[TASK],
				(unsigned long long)n[IRQ], (unsigned long long)n[IDLE],
				(unsigned long long)n[TICK], (unsigned long long)slots[i].entries);
	}
	fclose(file);
}
