// SPDX-License-Identifier: GPL-2.0
/*
 * LD_PRELOAD for virtiofsd: LATE_US microseconds pass between a queue's kick and the server's look
 * at it. An emulated guest is some 20 times slower than hardware and the server is not, so that an
 * answer comes, now and then, before the client slept; from a late server it always comes to an idle
 * guest, as on hardware.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

static long late_us(void)
{
	const char *value = getenv("LATE_US");

	return value ? atol(value) : 0;
}

int epoll_wait(int fd, struct epoll_event *events, int number, int timeout)
{
	static int (*wait)(int, struct epoll_event *, int, int);
	static long us = -1;
	int ready;

	if (!wait)
		wait = dlsym(RTLD_NEXT, "epoll_wait");
	if (us < 0)
		us = late_us();
	ready = wait(fd, events, number, timeout);
	if (ready > 0 && us > 0) {
		struct timespec time = { us / 1000000, us % 1000000 * 1000 };

		nanosleep(&time, NULL);
	}
	return ready;
}
