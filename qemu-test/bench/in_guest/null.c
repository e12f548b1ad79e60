// SPDX-License-Identifier: GPL-2.0
// usage: null DEVICE TYPE SERVERS CLIENTS MILLISECONDS
//
// A daemon of SERVERS threads that answers at once, each by a descriptor of its own, and CLIENTS processes that ask
// for attributes, which are not kept. Prints the answers, and the nanoseconds that they took.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mark.h"

#define POINT "/tmp/null"
#define MOST 64
#define ROOM (1 << 17)

static void fail(const char *what)
{
	fprintf(stderr, "null: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

// Fills the answer's body; its length, or an error below 0.
static int reply(const struct fuse_in_header *in, void *body)
{
	struct fuse_init_out *init = body;
	struct fuse_attr_out *attr = body;

	switch (in->opcode) {
	case FUSE_INIT:
		memset(init, 0, sizeof(*init));
		init->major = FUSE_KERNEL_VERSION;
		init->minor = 31;
		init->max_write = 4096;
		return sizeof(*init);
	case FUSE_GETATTR:
		memset(attr, 0, sizeof(*attr));
		attr->attr.ino = in->nodeid;
		attr->attr.mode = S_IFDIR | 0755;
		attr->attr.nlink = 2;
		return sizeof(*attr);
	default:
		return -ENOSYS;
	}
}

static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	char *request = malloc(ROOM);
	char answer[512];
	struct fuse_in_header *in = (void *)request;
	struct fuse_out_header *out = (void *)answer;

	for (;;) {
		ssize_t len = read(fd, request, ROOM);

		if (len < 0 && (errno == EINTR || errno == ENOENT))
			continue;
		if (len < 0)
			return NULL;
		if (in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET || in->opcode == FUSE_INTERRUPT)
			continue;
		len = reply(in, out + 1);
		out->error = len < 0 ? len : 0;
		out->len = sizeof(*out) + (len < 0 ? 0 : len);
		out->unique = in->unique;
		if (write(fd, answer, out->len) < 0 && errno != ENOENT)
			return NULL;
	}
}

// Asks until the time is over; how often.
static uint64_t ask(uint64_t end)
{
	struct statx it;
	uint64_t count = 0;

	for (; now() < end; count++)
		if (statx(AT_FDCWD, POINT, AT_STATX_FORCE_SYNC, STATX_MODE, &it))
			fail("statx");
	return count;
}

static uint64_t measure(int clients, uint64_t nanoseconds, uint64_t *took)
{
	_Atomic uint64_t *sum = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t start = now();
	int status;

	for (int i = 0; i < clients; i++) {
		if (!fork()) {
			atomic_fetch_add(sum, ask(start + nanoseconds));
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		if (status)
			fail("a client failed");
	*took = now() - start;
	return *sum;
}

int main(int argc, char **argv)
{
	pthread_t threads[MOST];
	char options[200], name[100];
	uint64_t count, took;
	uint32_t first;
	int servers, fd;

	if (argc != 6 || (servers = atoi(argv[3])) < 1 || servers > MOST)
		return fputs("usage: null DEVICE TYPE SERVERS CLIENTS MILLISECONDS\n", stderr), 2;
	fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(argv[1]);
	first = fd;
	mkdir(POINT, 0755);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("null", POINT, argv[2], 0, options))
		fail("mount");
	for (int i = 0; i < servers; i++) {
		int own = fd;

		if (i && ((own = open(argv[1], O_RDWR | O_CLOEXEC)) < 0 || ioctl(own, FUSE_DEV_IOC_CLONE, &first)))
			fail("clone");
		pthread_create(&threads[i], NULL, serve, (void *)(intptr_t)own);
	}
	ask(now() + 100000000);
	// As the lines of the plugin begin: client, round, operation.
	snprintf(name, sizeof(name), "%s\t0\tnull-%d", argv[2], servers);
	MARK_BEGIN();
	count = measure(atoi(argv[4]), atoi(argv[5]) * 1000000ull, &took);
	MARK_END(name, count);
	if (umount2(POINT, MNT_FORCE))
		fail("umount");
	for (int i = 0; i < servers; i++)
		pthread_join(threads[i], NULL);
	printf("%llu %llu\n", (unsigned long long)count, (unsigned long long)took);
	return 0;
}
