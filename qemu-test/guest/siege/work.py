# SPDX-License-Identifier: GPL-2.0
"""What a worker does to the tree, again and again. Errors are the server's; wrong content is not."""

import ctypes
import errno
import itertools
import mmap
import os
import random
import subprocess

from hostile import content_of, told

SYS_GETDENTS64, SYS_STATX = 217, 332
STATX_ALL = 0xFFF
SEEK_DATA, SEEK_HOLE = 3, 4
# Listings may have no end.
MANY = 400
# Bytes that one job reads of a file at most: sizes are lies too.
MOST = 6 << 20
FOLDERS = ("", "files", "many", "empty", "deep", "hard", "links", "special", "xattrs", "deep/down/down", "rw",
           "rw/a", "rw/b")
COMMANDS = ("ls -lR {0}/links {0}/hard {0}/special", "find {0} -maxdepth 2", "stat -f {0}", "getfacl -R {0}/xattrs",
            "getfattr -Rd {0}/xattrs", "cat {0}/deep/down/f*", "du -s {0}/deep", "stat {0}/files/* {0}/links/*",
            "cmp {0}/hard/first* {0}/hard/second*", "readlink -f {0}/links/dir")

libc = ctypes.CDLL(None, use_errno=True)


class WrongContent(Exception):
    """Bytes that the server never sent."""


class Worker:
    """One process's work, by a seed of its own."""

    def __init__(self, top, seed, progress):
        self.top, self.random, self.progress = top, random.Random(seed), progress
        self.files, self.others = [], [top]
        self.jobs = 3 * [self.walk, self.listing, self.seeks, self.read, self.read, self.read, self.read, self.direct,
                     self.mapped, self.spliced, self.holes, self.statx, self.links, self.statvfs, self.xattrs,
                     self.access, self.advise, self.negative] + [self.command]

    def run(self):
        """Works until it is killed."""
        while True:
            job = self.random.choice(self.jobs)
            try:
                job()
            except (OSError, ValueError, MemoryError):
                pass
            self.progress(job.__name__)

    def folder(self):
        """One of the folders."""
        return os.path.join(self.top, self.random.choice(FOLDERS))

    def path(self):
        """A path that was seen; mostly a file."""
        if self.random.random() < 0.1 or len(self.files) < 5:
            self.listing()
        return self.random.choice(self.files if self.files and self.random.random() < 0.9 else self.others)

    def see(self, path):
        """Keeps a path for later."""
        paths = self.files if told(path) else self.others
        if len(paths) < 300:
            paths.append(path)
        else:
            paths[self.random.randrange(300)] = path

    def listing(self):
        """Lists a folder, with attributes of some entries."""
        with os.scandir(self.folder()) as entries:
            for entry in itertools.islice(entries, MANY):
                self.see(entry.path)
                if self.random.random() < 0.3:
                    entry.stat(follow_symlinks=False)

    def walk(self):
        """Walks a part of the tree."""
        for folder, folders, files in itertools.islice(os.walk(self.folder()), 20):
            del folders[5:]
            for name in files[:20]:
                self.see(os.path.join(folder, name))
                try:
                    os.stat(os.path.join(folder, name))
                except OSError:
                    pass

    def seeks(self):
        """Reads a folder from positions that may not exist."""
        descriptor = os.open(self.folder(), os.O_RDONLY | os.O_DIRECTORY)
        try:
            buffer = ctypes.create_string_buffer(8192)
            for _ in range(5):
                position = self.random.choice((0, 1, 2, 50, 100, 1000, 3000, 1 << 20, (1 << 63) - 1))
                os.lseek(descriptor, position, os.SEEK_SET)
                for _ in range(3):
                    if libc.syscall(SYS_GETDENTS64, descriptor, buffer, len(buffer)) <= 0:
                        break
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def judged(self, path, flags=0):
        """An open file, and who judges what is read from it."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | flags)
        return descriptor, content_of(path)

    def judge(self, path, content, offset, data):
        """Ends the worker when content is wrong."""
        fault = content.fault(offset, data)
        if fault:
            raise WrongContent(f"{path}: {fault}")

    def read(self):
        """Reads a file, from the start or in pieces of any size anywhere."""
        path = self.path()
        descriptor, content = self.judged(path)
        try:
            size = os.fstat(descriptor).st_size
            for _ in range(self.random.choice((1, 4))):
                offset = self.random.choice((0, self.random.randrange(min(size, MOST) + 1), max(size - 5000, 0)))
                length = self.random.choice((1, 100, 4096, 65536, 1 << 20))
                end = offset + MOST
                while offset < end and (data := os.pread(descriptor, length, offset)):
                    self.judge(path, content, offset, data)
                    offset += len(data)
                    if length < 4096:
                        break
        finally:
            os.close(descriptor)

    def direct(self):
        """Reads around the page cache."""
        path = self.path()
        descriptor, content = self.judged(path, os.O_DIRECT)
        try:
            with mmap.mmap(-1, 1 << 18) as buffer:
                for _ in range(3):
                    offset = self.random.randrange(0, MOST, 4096)
                    # What a server claims to have written but has not stays what it was.
                    buffer[:] = bytes(len(buffer))
                    count = os.preadv(descriptor, [buffer], offset)
                    self.judge(path, content, offset, buffer[:count])
        finally:
            os.close(descriptor)

    def mapped(self):
        """Reads over a mapping; a page that cannot be read ends the worker with SIGBUS."""
        path = self.path()
        descriptor, content = self.judged(path)
        try:
            size = min(os.fstat(descriptor).st_size, MOST)
            with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as memory:
                for _ in range(4):
                    offset = self.random.randrange(size) & ~4095
                    self.judge(path, content, offset, memory[offset:offset + 8192])
        finally:
            os.close(descriptor)

    def spliced(self):
        """Splices a file into a pipe."""
        path = self.path()
        descriptor, content = self.judged(path)
        reader, writer = os.pipe()
        try:
            offset = self.random.choice((0, 4096, 70000))
            for _ in range(3):
                count = os.splice(descriptor, writer, 65536, offset_src=offset)
                if not count:
                    break
                self.judge(path, content, offset, os.read(reader, count))
                offset += count
        finally:
            for each in (descriptor, reader, writer):
                os.close(each)

    def holes(self):
        """Looks for data and holes."""
        descriptor = os.open(self.path(), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            for whence in (SEEK_DATA, SEEK_HOLE, os.SEEK_END):
                os.lseek(descriptor, self.random.choice((0, 1, 4096)), whence)
        finally:
            os.close(descriptor)

    def statx(self):
        """Asks for everything, cached or not."""
        buffer = ctypes.create_string_buffer(256)
        for _ in range(5):
            sync = self.random.choice((0, 0x2000, 0x4000))
            libc.syscall(SYS_STATX, -100, os.fsencode(self.path()), 0x100 | sync, STATX_ALL, buffer)

    def links(self):
        """Reads and follows links."""
        for name in os.listdir(f"{self.top}/links")[:10]:
            path = f"{self.top}/links/{name}"
            for call in (os.readlink, os.stat, os.lstat):
                try:
                    call(path)
                except (OSError, ValueError):
                    pass

    def statvfs(self):
        """Asks for the file system's numbers."""
        os.statvfs(self.folder())

    def xattrs(self):
        """Reads extended attributes and access control lists."""
        path = self.path()
        for name in ("system.posix_acl_access", "system.posix_acl_default", "user.attribute-1"):
            try:
                os.getxattr(path, name)
            except OSError:
                pass
        for name in os.listxattr(path)[:20]:
            os.getxattr(path, name)

    def access(self):
        """Asks what may be done."""
        for _ in range(5):
            os.access(self.path(), self.random.choice((os.R_OK, os.W_OK, os.X_OK)))

    def advise(self):
        """Has a file read ahead or dropped."""
        descriptor = os.open(self.path(), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        try:
            how = self.random.choice((os.POSIX_FADV_WILLNEED, os.POSIX_FADV_DONTNEED, os.POSIX_FADV_RANDOM))
            os.posix_fadvise(descriptor, 0, MOST, how)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def negative(self):
        """Asks for names that are not there, and tries what most folders refuse."""
        path = f"{self.folder()}/none-{self.random.randrange(50)}"
        for call in (os.stat, os.unlink, os.mkdir):
            try:
                call(path)
            except OSError as error:
                if error.errno == errno.EFAULT:
                    raise

    def command(self):
        """A program that others wrote."""
        words = self.random.choice(COMMANDS).format(self.top)
        subprocess.run(words, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)
