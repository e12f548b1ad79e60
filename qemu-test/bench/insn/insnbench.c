// SPDX-License-Identifier: GPL-2.0
/*
 * insnbench [-w] ROUNDS NAME=DIRECTORY... [-- OP...]: runs each operation on each directory in turns,
 * in an order that alternates, between the markers of insn.c. -w: those that write, too.
 * -l: lists the operations (name, what it is, goal, whether it writes). Prints a line for each operation done: its name, microseconds of each.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ops.h"

/* nopl DISP32(%rax,%rax,1) with rdi = name, rsi = operations. */
#define MARK(displacement, name, n)                                                          \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long " displacement ::"D"(name), "S"(n) \
			 : "memory")
#define MAX_SIDES 4

struct side {
	const char *name, *directory;
};

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

/* One round of an operation; microseconds of one. */
static double measure(const struct op *op, const struct side *side, int round)
{
	long n = (long)op->count * op->per;
	char name[128];
	double begin, spent;

	if (chdir(side->directory))
		die(side->directory);
	snprintf(name, sizeof(name), "%s\t%d\t%s", side->name, round, op->name);
	if (op->prepare)
		op->prepare();
	for (int i = 0; i < op->warm; i++)
		op->one(i);
	/* What was set off before comes to its end. */
	usleep(30000);
	begin = now_us();
	MARK("0x52494e01", name, n);
	for (int i = 0; i < op->count; i++)
		op->one(i);
	MARK("0x52494e02", name, n);
	spent = now_us() - begin;
	if (op->finish)
		op->finish();
	return spent / n;
}

static void run(const struct op *op, const struct side *sides, int nr_sides, int rounds)
{
	double sum[MAX_SIDES] = {};

	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < nr_sides; i++) {
			int s = round % 2 ? nr_sides - 1 - i : i;

			sum[s] += measure(op, &sides[s], round);
		}
	}
	printf("%s", op->name);
	for (int s = 0; s < nr_sides; s++)
		printf(" %s %.1f", sides[s].name, sum[s] / rounds);
	puts(" us");
}

/* An operation that fails on one side must not keep the others from being measured. */
static void run_apart(const struct op *op, const struct side *sides, int nr_sides, int rounds)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (!child) {
		run(op, sides, nr_sides, rounds);
		exit(0);
	}
	if (waitpid(child, &status, 0) < 0 || status)
		printf("%s failed\n", op->name);
}

static bool chosen(const struct op *op, char **names, bool writes)
{
	if (!*names)
		return writes || !op->writes;
	for (; *names; names++)
		if (!strcmp(*names, op->name))
			return true;
	return false;
}

static void list(void)
{
	for (int i = 0; i < nr_ops; i++)
		printf("%s\t%s\t%g\t%d\n", ops[i].name, ops[i].about, ops[i].goal, ops[i].writes);
	exit(0);
}

static void usage(void)
{
	fputs("usage: insnbench [-w] ROUNDS NAME=DIRECTORY... [-- OP...] | insnbench -l\n", stderr);
	exit(2);
}

static int parse_sides(char ***words, struct side *sides)
{
	int n = 0;

	for (; **words && strcmp(**words, "--") && n < MAX_SIDES; (*words)++, n++) {
		char *equals = strchr(**words, '=');

		if (!equals)
			usage();
		*equals = 0;
		sides[n] = (struct side){ **words, equals + 1 };
	}
	if (**words && !strcmp(**words, "--"))
		(*words)++;
	return n;
}

int main(int argc, char **argv)
{
	struct side sides[MAX_SIDES];
	bool writes = false;
	int rounds, nr_sides;

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	if (argc == 2 && !strcmp(argv[1], "-l"))
		list();
	if (argc > 1 && !strcmp(argv[1], "-w")) {
		writes = true;
		argv++;
	}
	if (argc < 3 || (rounds = atoi(argv[1])) < 1)
		usage();
	argv += 2;
	nr_sides = parse_sides(&argv, sides);
	for (int i = 0; i < nr_ops; i++)
		if (chosen(&ops[i], argv, writes))
			run_apart(&ops[i], sides, nr_sides, rounds);
	return 0;
}
