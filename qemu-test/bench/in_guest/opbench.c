// SPDX-License-Identifier: GPL-2.0
/*
 * opbench [-r ROUNDS] [-n REPEAT] [-x COMMAND] NAME=DIRECTORY... -- OP...
 *
 * Runs each operation on each directory in turns, in an order that alternates from round to round.
 * A round is: prepare, the timed part between the markers of plugin/insn.c, finish; REPEAT times, or
 * with a timed part REPEAT times as long (see ops.h). COMMAND is run before and after a timed part.
 * Prints a line for each: operation, name, round, operations done, nanoseconds, nanoseconds that a
 * processor was busy. -l: lists the operations: name, what it is, goal, whether it writes.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"
#include "ops.h"

#define MAX_SIDES 4
#define SECOND 1000000000ll

struct side {
	const char *name, *directory;
};

struct plan {
	struct side sides[MAX_SIDES];
	int nr_sides, rounds, repeat;
	const char *hook;
};

struct spent {
	int64_t wall, idle;
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

/*
 * The idle time of all processors. It is exact to a hundredth of a second, whereas the kernel only
 * samples by its ticks what a busy processor was busy with.
 */
static int64_t idle(void)
{
	FILE *stat = fopen("/proc/stat", "r");
	long long idle, iowait;

	if (!stat || fscanf(stat, "cpu %*d %*d %*d %lld %lld", &idle, &iowait) != 2)
		die("/proc/stat");
	fclose(stat);
	return (idle + iowait) * (SECOND / sysconf(_SC_CLK_TCK));
}

static void run_hook(const char *hook)
{
	if (hook && system(hook))
		die(hook);
}

static void timed(const struct op *op, int count, const char *name, const char *hook,
		  struct spent *spent)
{
	long n = (long)count * op->per;
	int64_t idle_before, begin;

	if (op->prepare)
		op->prepare();
	for (int i = 0; i < op->warm; i++)
		op->one(i);
	/* What was set off before comes to its end. */
	usleep(30000);
	run_hook(hook);
	idle_before = idle();
	begin = now();
	MARK_BEGIN();
	for (int i = 0; i < count; i++)
		op->one(i);
	MARK_END(name, n);
	spent->wall += now() - begin;
	spent->idle += idle() - idle_before;
	run_hook(hook);
	if (op->finish)
		op->finish();
}

static void measure(const struct op *op, const struct plan *plan, const struct side *side, int round)
{
	long long ops = (long long)plan->repeat * op->count * op->per;
	int longer = op->warm ? plan->repeat : 1, times = plan->repeat / longer;
	struct spent spent = {};
	char name[128];
	int64_t busy;

	if (chdir(side->directory))
		die(side->directory);
	snprintf(name, sizeof(name), "%s\t%d\t%s", side->name, round, op->name);
	for (int i = 0; i < times; i++)
		timed(op, op->count * longer, name, plan->hook, &spent);
	busy = spent.wall * sysconf(_SC_NPROCESSORS_ONLN) - spent.idle;
	printf("%s\t%s\t%d\t%lld\t%lld\t%lld\n", op->name, side->name, round, ops,
	       (long long)spent.wall, (long long)(busy > 0 ? busy : 0));
	fflush(stdout);
}

static void run(const struct op *op, const struct plan *plan)
{
	for (int round = 0; round < plan->rounds; round++)
		for (int i = 0; i < plan->nr_sides; i++)
			measure(op, plan, &plan->sides[round % 2 ? plan->nr_sides - 1 - i : i], round);
}

/* An operation that fails on one side must not keep the others from being measured. */
static void run_apart(const struct op *op, const struct plan *plan)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (!child) {
		run(op, plan);
		exit(0);
	}
	if (waitpid(child, &status, 0) < 0 || status)
		printf("%s failed\n", op->name);
}

static const struct op *find(const char *name)
{
	for (int i = 0; i < nr_ops; i++)
		if (!strcmp(ops[i].name, name))
			return &ops[i];
	fprintf(stderr, "opbench: no operation %s: -l lists them\n", name);
	exit(2);
}

static void list(void)
{
	for (int i = 0; i < nr_ops; i++)
		printf("%s\t%s\t%g\t%d\n", ops[i].name, ops[i].about, ops[i].goal, ops[i].writes);
	exit(0);
}

static void usage(void)
{
	fputs("usage: opbench [-r ROUNDS] [-n REPEAT] [-x COMMAND] NAME=DIRECTORY... -- OP...\n"
	      "       opbench -l\n", stderr);
	exit(2);
}

/* Reads NAME=DIRECTORY words up to `--`; how many. */
static int parse_sides(char **words, struct side *sides)
{
	int n;

	for (n = 0; words[n] && strcmp(words[n], "--"); n++) {
		char *equals = strchr(words[n], '=');

		if (!equals || n == MAX_SIDES)
			usage();
		*equals = 0;
		sides[n] = (struct side){ words[n], equals + 1 };
	}
	if (!n || !words[n])
		usage();
	return n;
}

/* Reads options and sides; the words that are left name operations. */
static char **parse(int argc, char **argv, struct plan *plan)
{
	int c;

	/* "+": `--` must stay where it is. */
	while ((c = getopt(argc, argv, "+lr:n:x:")) != -1) {
		if (c == 'l')
			list();
		else if (c == 'r')
			plan->rounds = atoi(optarg);
		else if (c == 'n')
			plan->repeat = atoi(optarg);
		else if (c == 'x')
			plan->hook = optarg;
		else
			usage();
	}
	plan->nr_sides = parse_sides(argv + optind, plan->sides);
	return argv + optind + plan->nr_sides + 1;
}

int main(int argc, char **argv)
{
	struct plan plan = { .rounds = 1, .repeat = 1 };

	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	for (char **name = parse(argc, argv, &plan); *name; name++)
		run_apart(find(*name), &plan);
	return 0;
}
