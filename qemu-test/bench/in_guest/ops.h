/* SPDX-License-Identifier: GPL-2.0 */
/* The operations whose instructions are counted: one table. */
#ifndef BENCH_OPS_H
#define BENCH_OPS_H

/* What an operation needs of its mount. */
enum writes {
	/* Nothing: it can be read-only. */
	READS,
	/* It makes names, or writes around the page cache. */
	WRITES,
	/* It writes through the page cache, so that it matters who writes back, and how. */
	WRITES_BACK,
};

/*
 * One round: `prepare`, `warm` times `one` that are not counted, then between the markers `count`
 * times `one`, then `finish`. `per` tells how many operations one call of `one` is. An operation
 * without `warm` is one that the first time differs for: to do more of them is to prepare anew.
 * The working directory is the tree that bench/tree.py made.
 */
struct op {
	const char *name, *about;
	/* What rfuse may cost at most, in parts of what the C client costs; 0: no client takes part. */
	double goal;
	int warm, count, per;
	void (*one)(int i);
	void (*prepare)(void);
	void (*finish)(void);
	enum writes writes;
};

extern const struct op ops[];
extern const int nr_ops;

void die(const char *what) __attribute__((noreturn));

#endif
