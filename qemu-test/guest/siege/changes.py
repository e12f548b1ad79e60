# SPDX-License-Identifier: GPL-2.0
"""What a worker changes below `rw`, again and again. Whatever it writes tells of its file's name and its page."""

import ctypes
import mmap
import os
import stat
import subprocess

from hostile import TAGS, Written, told, written
from siege.work import MOST, Worker, WrongContent

AT_FDCWD = -100
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
SYS_RENAMEAT2 = 316
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 0x01, 0x02, 0x10
# A few names, so that workers meet.
FOLDERS = ("", "a", "b", "a/c")
NUMBERS = 3
SIZE = 400_000
COMMANDS = ("cp {0}/rw/w0.3900.0 {0}/rw/a/w1.3900.0", "touch {0}/rw/b/touched", "rm -rf {0}/rw/a",
            "mkdir -p {0}/rw/a/c {0}/rw/b", "truncate -s 70000 {0}/rw/b/*", "ls -lR {0}/rw", "sync -f {0}/rw",
            "setfattr -n user.name -v value {0}/rw/b", "mv {0}/rw/b {0}/rw/a/b", "find {0}/rw -type f -delete",
            "chmod -R u+rwX {0}/rw")

libc = ctypes.CDLL(None, use_errno=True)


class Changer(Worker):
    """Reads and writes. With `honest`, the server tells no lies, and what was written is read back."""

    def __init__(self, top, seed, progress, honest=False):
        super().__init__(top, seed, progress)
        self.honest = honest
        self.jobs += 3 * [self.write, self.write, self.write_direct, self.write_mapped, self.private, self.private,
                          self.tmpfile, self.truncate, self.storm, self.folders, self.rename, self.rename, self.link,
                          self.remove, self.mark, self.attributes, self.allocate, self.copy, self.special, self.edge] \
            + [self.change_command]

    def new(self, tag=None):
        """A path that may exist, whose content is its tag's."""
        tag = tag or self.random.choice(TAGS)
        folder = self.random.choice(FOLDERS)
        return os.path.join(self.top, "rw", folder, f"w{self.random.randrange(NUMBERS)}.{tag}.0"), tag

    def opened(self, flags=0):
        """A file that is there then, open for both; its path and its tag."""
        path, tag = self.new()
        how = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        if self.random.random() < 0.2:
            how |= self.random.choice((os.O_EXCL, os.O_TRUNC))
        try:
            return os.open(path, how | flags, self.random.choice((0o644, 0o600, 0o755))), path, tag
        except FileNotFoundError:
            os.mkdir(os.path.dirname(path))
            raise

    def range(self, block=1):
        """An offset and a length."""
        length = self.random.choice((1, 100, 4096, 5000, 16384, 70_000, 300_000))
        offset = self.random.choice((0, 4095, 4096, self.random.randrange(SIZE)))
        return offset // block * block, max(length // block, 1) * block

    def judge_written(self, path, offset, data):
        """Ends the worker when what is in one of its files is wrong; and tells that it gets on."""
        self.judge(path, Written(told(path)[0], lies=not self.honest), offset, data)
        self.progress("judge")

    def check(self, path, descriptor, offset, length):
        """Reads back, and has it judged."""
        data = os.pread(descriptor, length, offset)
        self.judge_written(path, offset, data)
        return data

    def write(self):
        """Writes parts of a file, and reads them."""
        descriptor, path, tag = self.opened()
        try:
            for _ in range(self.random.choice((1, 4))):
                offset, length = self.range()
                os.pwrite(descriptor, written(tag, offset, length), offset)
                if self.random.random() < 0.5:
                    self.check(path, descriptor, max(offset - 100, 0), length + 200)
            if self.random.random() < 0.3:
                self.random.choice((os.fsync, os.fdatasync, libc.syncfs))(descriptor)
        finally:
            os.close(descriptor)

    def write_direct(self):
        """Writes around the page cache."""
        descriptor, path, tag = self.opened(os.O_DIRECT)
        try:
            with mmap.mmap(-1, 1 << 19) as buffer:
                for _ in range(3):
                    offset, length = self.range(512)
                    buffer[:length] = written(tag, offset, length)
                    os.pwritev(descriptor, [memoryview(buffer)[:length]], offset)
                    buffer[:] = bytes(len(buffer))
                    count = os.preadv(descriptor, [buffer], offset)
                    self.judge_written(path, offset, buffer[:count])
        finally:
            os.close(descriptor)

    def write_mapped(self):
        """Writes over a mapping; a page that cannot be had ends the worker with SIGBUS."""
        descriptor, path, tag = self.opened()
        try:
            if os.fstat(descriptor).st_size < 9000:
                os.ftruncate(descriptor, self.random.choice((9000, 100_000)))
            size = min(os.fstat(descriptor).st_size, MOST)
            with mmap.mmap(descriptor, size) as memory:
                for _ in range(4):
                    offset = self.random.randrange(size)
                    length = min(self.random.choice((10, 4096, 20_000)), size - offset)
                    memory[offset:offset + length] = written(tag, offset, length)
                if self.random.random() < 0.5:
                    memory.flush()
                self.judge_written(path, 0, memory[:20_000])
        finally:
            os.close(descriptor)

    def private(self):
        """A file that nobody else has: where the server is honest, it holds what was written, and nothing else."""
        tag = self.random.choice(TAGS)
        path = os.path.join(self.top, "rw", f"p{os.getpid()}.{tag}.0")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            self.fill(path, tag, descriptor)
        finally:
            os.close(descriptor)
        os.unlink(path)

    def fill(self, path, tag, descriptor):
        """Writes, cuts and reads by turns."""
        model = bytearray()
        for _ in range(6):
            offset, length = self.range()
            if self.random.random() < 0.2:
                os.ftruncate(descriptor, offset)
                model = model[:offset].ljust(offset, b"\0")
            count = os.pwrite(descriptor, written(tag, offset, length), offset)
            model = model.ljust(offset + count, b"\0")
            model[offset:offset + count] = written(tag, offset, count)
            start = self.random.choice((0, max(offset - 5000, 0)))
            got, wanted = self.check(path, descriptor, start, SIZE), model[start:start + SIZE]
            if self.honest and got != wanted:
                raise WrongContent(f"{path}: from {start} on {len(got)} bytes, not the {len(wanted)} that were "
                                   f"written: {first_difference(got, wanted)}")

    def edge(self):
        """Writes zeros around the end of a file, wherever the server says that it is."""
        descriptor, path, _ = self.opened(self.random.choice((0, os.O_APPEND, os.O_DIRECT)))
        try:
            size = os.fstat(descriptor).st_size
            zeros = bytes(self.random.choice((1, 4096, 10_000)))
            os.write(descriptor, zeros)
            for offset in (size - 10, size, size + 100):
                try:
                    os.pwrite(descriptor, zeros, max(offset, 0))
                except OSError:
                    pass
            page = max(size - 1, 0) & ~4095
            with mmap.mmap(descriptor, 4096, offset=page) as memory:
                memory[:10] = bytes(10)
                memory.flush()
            os.ftruncate(descriptor, size // 2)
            self.check(path, descriptor, page, 10_000)
        finally:
            os.close(descriptor)

    def tmpfile(self):
        """A file without a name, which may get one."""
        folder = os.path.dirname(self.new()[0])
        path, tag = self.new()
        descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
        try:
            os.pwrite(descriptor, written(tag, 0, 10_000), 0)
            self.check(path, descriptor, 0, 20_000)
            if self.random.random() < 0.5:
                os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)
        finally:
            os.close(descriptor)

    def truncate(self):
        """Cuts a file, or makes it longer."""
        path = self.new()[0]
        os.truncate(path, self.random.choice((0, 1, 4096, 5000, 100_000, self.random.randrange(SIZE), 1 << 40)))

    def storm(self):
        """Makes, moves and removes a name at once."""
        for _ in range(8):
            path, tag = self.new()
            try:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
                os.rename(path, self.new(tag)[0])
                os.unlink(path)
            except OSError:
                pass

    def folders(self):
        """Makes and removes directories."""
        for folder in FOLDERS[1:]:
            path = os.path.join(self.top, "rw", folder)
            try:
                os.mkdir(path, self.random.choice((0o755, 0o2775)))
                if self.random.random() < 0.3:
                    os.rmdir(path)
            except OSError:
                pass

    def rename(self):
        """Moves a name; its content goes with it."""
        old, tag = self.new()
        new = self.new(self.random.choice((tag, None)))[0]
        flags = self.random.choice((0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT))
        if self.random.random() < 0.2:
            old, new = os.path.dirname(old), os.path.join(os.path.dirname(new), "moved")
        libc.syscall(SYS_RENAMEAT2, AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)

    def link(self):
        """Another name."""
        path, tag = self.new()
        os.link(path, self.new(tag)[0])
        os.stat(path)

    def remove(self):
        """Takes names away."""
        for _ in range(4):
            try:
                os.unlink(self.new()[0])
            except OSError:
                pass

    def mark(self):
        """Sets, lists and removes extended attributes."""
        path = self.new()[0]
        name = f"user.x{self.random.randrange(5)}"
        os.setxattr(path, name, bytes(self.random.choice((0, 1, 100, 5000))), self.random.choice((0, 0, 1, 2)))
        for each in os.listxattr(path)[:20]:
            os.getxattr(path, each)
        if self.random.random() < 0.5:
            os.removexattr(path, name)

    def attributes(self):
        """Changes mode, owner and times."""
        path = self.new()[0]
        os.chmod(path, self.random.choice((0o644, 0o600, 0o4755, 0o2755)))
        os.chown(path, self.random.choice((-1, 0, 1000)), self.random.choice((-1, 0, 1000)))
        os.utime(path, ns=(self.random.randrange(-1 << 60, 1 << 62), self.random.randrange(1 << 62)))
        os.stat(path)

    def allocate(self):
        """Reserves, frees and zeroes."""
        descriptor, path, tag = self.opened()
        try:
            offset, length = self.range()
            mode = self.random.choice((0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE, 0x40))
            libc.fallocate64(descriptor, mode, ctypes.c_long(offset), ctypes.c_long(length))
            self.check(path, descriptor, offset, length)
            os.lseek(descriptor, offset, self.random.choice((os.SEEK_DATA, os.SEEK_HOLE)))
        finally:
            os.close(descriptor)

    def copy(self):
        """Copies between files, so that everything stays at its offset."""
        source = self.opened()[0]
        try:
            target, path, tag = self.opened()
            try:
                offset, length = self.range()
                os.copy_file_range(source, target, length, offset, offset)
                self.check(path, target, offset, length)
            finally:
                os.close(target)
        finally:
            os.close(source)

    def special(self):
        """Makes what is no file."""
        path = os.path.join(self.top, "rw", self.random.choice(FOLDERS), f"s{self.random.randrange(NUMBERS)}")
        kind = self.random.choice((stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFLNK))
        if kind == stat.S_IFLNK:
            os.symlink(self.random.choice(("w0.3900.0", "x" * 4000)), path)
            os.readlink(path)
        else:
            os.mknod(path, kind | 0o644, os.makedev(1, 3))
        if self.random.random() < 0.7:
            os.unlink(path)

    def change_command(self):
        """A program that others wrote."""
        words = self.random.choice(COMMANDS).format(self.top)
        subprocess.run(words, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)


def first_difference(got, wanted):
    """Where two differ, and in what."""
    at = next((at for at, (one, other) in enumerate(zip(got, wanted)) if one != other), min(len(got), len(wanted)))
    return f"at {at} {got[at:at + 16].hex()} instead of {wanted[at:at + 16].hex()}"
