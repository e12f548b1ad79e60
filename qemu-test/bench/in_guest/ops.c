// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "ops.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define MIB (1 << 20)
/* Sizes of the tree (bench/tree.py). */
#define DATA_MIB 16
#define DATA_PAGES (DATA_MIB * MIB / PAGE)
#define ENTRIES 10000
/* Names of a storm. */
#define NAMES 200
#define PINGS "400"
#define NR_PINGS 400

static char buffer[MIB] __attribute__((aligned(PAGE)));
static int fd = -1;
static char *map;
static uint32_t seed;

void die(const char *what)
{
	perror(what);
	exit(1);
}

static void open_as(const char *name, int flags)
{
	fd = open(name, flags, 0644);
	if (fd < 0)
		die(name);
	seed = 1;
}

static void close_fd(void)
{
	close(fd);
	fd = -1;
}

static void open_small(void)
{
	open_as("small", O_RDONLY);
}

static void open_data(void)
{
	open_as("data", O_RDONLY);
}

static void open_direct(void)
{
	open_as("data", O_RDONLY | O_DIRECT);
}

static void get(size_t size, off_t at)
{
	if (pread(fd, buffer, size, at) != (ssize_t)size)
		die("pread");
}

static off_t random_page(void)
{
	seed = seed * 1103515245 + 12345;
	return (off_t)((seed >> 8) % DATA_PAGES) * PAGE;
}

static void open_cold(void)
{
	open_data();
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die("fadvise");
}

static void open_hot(void)
{
	open_data();
	for (int i = 0; i < DATA_MIB; i++)
		get(MIB, (off_t)i * MIB);
}

static void map_data(void)
{
	map = mmap(NULL, DATA_MIB * MIB, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
}

static void map_cold(void)
{
	open_cold();
	map_data();
}

static void map_random(void)
{
	map_cold();
	if (madvise(map, DATA_MIB * MIB, MADV_RANDOM))
		die("madvise");
}

static void map_hot(void)
{
	open_hot();
	map_data();
}

static void unmap(void)
{
	munmap(map, DATA_MIB * MIB);
	close_fd();
}

static void drop_dentries(void)
{
	int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);

	if (write(drop, "2", 1) != 1)
		die("drop_caches");
	close(drop);
}

/* A system call that does nothing: what the measuring itself costs. */
static void getppid_one(int i)
{
	(void)i;
	syscall(SYS_getppid);
}

/* The cheapest sleep on a virtio device: woken from its interrupt. */
static void open_disk(void)
{
	open_as("/dev/vda", O_RDONLY | O_DIRECT);
}

static void disk_one(int i)
{
	get(PAGE, PAGE * (i % 64));
}

static void stat_one(int i)
{
	struct stat st;

	(void)i;
	if (stat("small", &st))
		die("stat");
}

/* Each name for the first time, as far as this kernel remembers. */
static void stat_entry_one(int i)
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "entries/file%05d", i % ENTRIES);
	if (stat(name, &st))
		die(name);
}

static void statx_one(int i)
{
	struct statx st;

	(void)i;
	if (statx(AT_FDCWD, "small", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st))
		die("statx");
}

static void fstatx_one(int i)
{
	struct statx st;

	(void)i;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &st))
		die("fstatx");
}

static void statfs_one(int i)
{
	struct statfs st;

	(void)i;
	if (fstatfs(fd, &st))
		die("statfs");
}

static void fsync_one(int i)
{
	(void)i;
	if (fsync(fd))
		die("fsync");
}

static void missing_one(int i)
{
	struct stat st;

	(void)i;
	if (!stat("missing", &st))
		die("missing");
}

static void open_one(int i)
{
	(void)i;
	open_small();
	close_fd();
}

static void open_read_one(int i)
{
	(void)i;
	open_small();
	get(PAGE, 0);
	close_fd();
}

static void random_one(int i)
{
	(void)i;
	get(PAGE, random_page());
}

static void mib_one(int i)
{
	get(MIB, (off_t)(i % DATA_MIB) * MIB);
}

static void page_one(int i)
{
	get(PAGE, (off_t)(i % DATA_PAGES) * PAGE);
}

static void touch_one(int i)
{
	static volatile char sink;

	sink = map[(size_t)i * PAGE];
	(void)sink;
}

/* Every page once, in an order that no readahead guesses. */
static void touch_random_one(int i)
{
	touch_one(i * 1667 % DATA_PAGES);
}

static void readdir_one(int i)
{
	DIR *dir = opendir("entries");
	int n = 0;

	(void)i;
	if (!dir)
		die("entries");
	while (readdir(dir))
		n++;
	closedir(dir);
	if (n != ENTRIES + 2)
		die("readdir");
}

static void readdir_stat_one(int i)
{
	DIR *dir = opendir("entries");
	struct dirent *entry;
	struct stat st;

	(void)i;
	if (!dir)
		die("entries");
	while ((entry = readdir(dir)))
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			die("fstatat");
	closedir(dir);
}

/* Empty requests to the third device (ping/bench_ping.c): the same for both clients. */
static void open_ping(void)
{
	open_as("/sys/kernel/debug/bench_ping/run", O_WRONLY);
}

static void ping_one(int i)
{
	(void)i;
	if (write(fd, PINGS, sizeof(PINGS) - 1) != sizeof(PINGS) - 1)
		die("ping");
}

static void create_unlink_one(int i)
{
	(void)i;
	open_as("new", O_CREAT | O_EXCL | O_WRONLY);
	close_fd();
	if (unlink("new"))
		die("unlink");
}

static void mkdir_rmdir_one(int i)
{
	(void)i;
	if (mkdir("new", 0755) || rmdir("new"))
		die("mkdir");
}

static void rename_one(int i)
{
	(void)i;
	if (rename("small", "moved") || rename("moved", "small"))
		die("rename");
}

static void put(size_t size, off_t at)
{
	if (pwrite(fd, buffer, size, at) != (ssize_t)size)
		die("pwrite");
}

static void open_scratch(void)
{
	/* Memory that was never written to is the kernel's one page of zeros, 256 times: nobody writes that. */
	memset(buffer, 'x', sizeof(buffer));
	open_as("scratch", O_CREAT | O_RDWR);
	for (int i = 0; i < DATA_MIB; i++)
		put(MIB, (off_t)i * MIB);
	fsync_one(0);
}

static void open_scratch_direct(void)
{
	open_scratch();
	close_fd();
	open_as("scratch", O_RDWR | O_DIRECT);
}

static void remove_scratch(void)
{
	close_fd();
	if (unlink("scratch"))
		die("scratch");
}

static void random_write_one(int i)
{
	(void)i;
	put(PAGE, random_page());
}

static void mib_write_one(int i)
{
	put(MIB, (off_t)(i % DATA_MIB) * MIB);
}

static void mib_write_fsync_one(int i)
{
	mib_write_one(i);
	fsync_one(i);
}

static void page_write_one(int i)
{
	put(PAGE, (off_t)(i % DATA_PAGES) * PAGE);
}

static void page_write_fsync_one(int i)
{
	page_write_one(i);
	fsync_one(i);
}

static void map_scratch(void)
{
	open_scratch();
	map = mmap(NULL, DATA_MIB * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap");
}

static void remove_map(void)
{
	munmap(map, DATA_MIB * MIB);
	remove_scratch();
}

/* Changes every page of a part of the mapping and has it written. */
static void sync_part(size_t at, size_t size)
{
	for (size_t page = 0; page < size; page += PAGE)
		map[at + page]++;
	if (msync(map + at, size, MS_SYNC))
		die("msync");
}

static void map_page_one(int i)
{
	sync_part((size_t)(i % DATA_PAGES) * PAGE, PAGE);
}

static void map_mib_one(int i)
{
	sync_part((size_t)(i % DATA_MIB) * MIB, MIB);
}

/* A storm is on many names of one folder, each met once: `storm/<kind><number>`. */
static const char *storm_name(char kind, int i)
{
	static char names[2][32];
	static int turn;
	char *name = names[turn ^= 1];

	snprintf(name, sizeof(names[0]), "storm/%c%d", kind, i);
	return name;
}

static void create_storm_one(int i)
{
	open_as(storm_name('f', i), O_CREAT | O_EXCL | O_WRONLY);
	close_fd();
}

static void unlink_storm_one(int i)
{
	if (unlink(storm_name('f', i)))
		die("unlink");
}

static void rename_storm_one(int i)
{
	if (rename(storm_name('f', i), storm_name('g', i)))
		die("rename");
}

static void mkdir_storm_one(int i)
{
	if (mkdir(storm_name('d', i), 0755))
		die("mkdir");
}

/* Whatever the storm has left of its names. */
static void remove_storm(void)
{
	DIR *dir = opendir("storm");
	struct dirent *entry;

	if (!dir)
		die("storm");
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.' &&
		    unlinkat(dirfd(dir), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0))
			die(entry->d_name);
	closedir(dir);
	if (rmdir("storm"))
		die("rmdir");
}

/* One that failed half-way may have left the folder. */
static void make_storm(void)
{
	if (!access("storm", F_OK))
		remove_storm();
	if (mkdir("storm", 0755))
		die("storm");
}

/* Its names are forgotten: some would time out before they are met, others not. */
static void make_full_storm(void)
{
	make_storm();
	for (int i = 0; i < NAMES; i++)
		create_storm_one(i);
	drop_dentries();
}

#define REPEAT(times) .count = (times), .per = 1
#define ONCE(per_) .count = 1, .per = (per_)
#define ON(prepare_) .prepare = (prepare_), .finish = close_fd
#define DIRECT(prepare_) .prepare = (prepare_), .finish = remove_scratch, .writes = WRITES
#define BACK(prepare_, finish_) .prepare = (prepare_), .finish = (finish_), .writes = WRITES_BACK
#define STORM(prepare_) .prepare = (prepare_), .finish = remove_storm, .writes = WRITES

const struct op ops[] = {
	{ "getppid", "a system call that does nothing", 0, 100, REPEAT(20000), getppid_one },
	{ "disk-4k", "4 KiB O_DIRECT of a virtio disk", 0, 20, REPEAT(400), disk_one, ON(open_disk) },
	{ "ping", "empty request", 0, 0, ONCE(NR_PINGS), ping_one, ON(open_ping) },
	{ "statx", "statx by path, forced", 0.75, 20, REPEAT(400), statx_one },
	{ "fstatx", "statx of an open file, forced", 0.75, 20, REPEAT(400), fstatx_one, ON(open_small) },
	{ "statfs", "statfs", 0.75, 20, REPEAT(400), statfs_one, ON(open_small) },
	{ "fsync", "fsync of a clean file", 1, 20, REPEAT(400), fsync_one, ON(open_small) },
	{ "missing", "stat of a missing name", 0.75, 20, REPEAT(400), missing_one },
	{ "stat", "stat, cached", 1, 100, REPEAT(2000), stat_one },
	{ "stat-cold", "stat of a name not seen before", 1, 0, REPEAT(2000), stat_entry_one, drop_dentries },
	{ "open", "open + close", 0.7, 20, REPEAT(300), open_one },
	{ "open-read", "open + read 4 KiB + close", 0.7, 20, REPEAT(300), open_read_one },
	{ "direct-4k", "O_DIRECT random read 4 KiB", 0.75, 20, REPEAT(400), random_one, ON(open_direct) },
	{ "direct-1m", "O_DIRECT read 1 MiB", 1, 2, REPEAT(48), mib_one, ON(open_direct) },
	{ "cold-1m", "buffered cold sequential read 1 MiB", 0.6, 0, REPEAT(DATA_MIB), mib_one, ON(open_cold) },
	{ "cold-4k-random", "buffered cold random read 4 KiB", 1, 0, REPEAT(400), random_one, ON(open_cold) },
	{ "cached-4k", "buffered cached read 4 KiB", 1, 100, REPEAT(4000), page_one, ON(open_hot) },
	{ "cached-4k-random", "buffered cached random read 4 KiB", 1, 100, REPEAT(4000), random_one, ON(open_hot) },
	{ "cached-1m", "buffered cached read 1 MiB", 1, 1, REPEAT(4 * DATA_MIB), mib_one, ON(open_hot) },
	{ "mmap-cold", "mmap, cold, a page", 1, 0, REPEAT(DATA_PAGES), touch_one, map_cold, unmap },
	{ "mmap-random", "mmap, cold random, a page", 1, 0, REPEAT(400), touch_random_one, map_random, unmap },
	{ "mmap-hot", "mmap, cached, a page", 1, 0, REPEAT(DATA_PAGES), touch_one, map_hot, unmap },
	{ "readdir", "readdir of 10,000, an entry", 1, 0, ONCE(ENTRIES), readdir_one, drop_dentries },
	{ "readdir-stat", "readdir and stat, an entry", 1, 0, ONCE(ENTRIES), readdir_stat_one, drop_dentries },
	{ "create-unlink", "create + unlink", 0.7, 20, REPEAT(200), create_unlink_one, .writes = WRITES },
	{ "mkdir-rmdir", "mkdir + rmdir", 0.7, 20, REPEAT(200), mkdir_rmdir_one, .writes = WRITES },
	{ "rename", "rename", 0.7, 10, .count = 150, .per = 2, rename_one, .writes = WRITES },
	{ "direct-write-4k", "O_DIRECT random write 4 KiB", 0.5, 20, REPEAT(400), random_write_one, DIRECT(open_scratch_direct) },
	{ "direct-write-1m", "O_DIRECT write 1 MiB", 0.6, 2, REPEAT(48), mib_write_one, DIRECT(open_scratch_direct) },
	{ "write-1m-fsync", "buffered write 1 MiB + fsync", 1, 1, REPEAT(16), mib_write_fsync_one, BACK(open_scratch, remove_scratch) },
	{ "write-4k", "buffered write 4 KiB", 0.5, 20, REPEAT(400), page_write_one, BACK(open_scratch, remove_scratch) },
	{ "write-4k-fsync", "buffered write 4 KiB + fsync", 1, 5, REPEAT(100), page_write_fsync_one, BACK(open_scratch, remove_scratch) },
	{ "mmap-write-4k", "mmap write of a page + msync", 1, 5, REPEAT(100), map_page_one, BACK(map_scratch, remove_map) },
	{ "mmap-write-1m", "mmap write of 1 MiB + msync", 1, 1, REPEAT(16), map_mib_one, BACK(map_scratch, remove_map) },
	{ "create-storm", "create, name after name", 0.7, 0, REPEAT(NAMES), create_storm_one, STORM(make_storm) },
	{ "unlink-storm", "unlink, name after name", 1, 0, REPEAT(NAMES), unlink_storm_one, STORM(make_full_storm) },
	{ "rename-storm", "rename, name after name", 0.7, 0, REPEAT(NAMES), rename_storm_one, STORM(make_full_storm) },
	{ "mkdir-storm", "mkdir, name after name", 0.7, 0, REPEAT(NAMES), mkdir_storm_one, STORM(make_storm) },
};
const int nr_ops = sizeof(ops) / sizeof(*ops);
