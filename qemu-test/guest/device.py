# SPDX-License-Identifier: GPL-2.0
"""The raw protocol on the character device, for cases that look at it byte by byte: what a server without libfuse does.

The file system under test says which device: /dev/rfuse, or /dev/fuse of the C client.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import select
import struct
import subprocess
import threading

from ktap import DEVICE, TYPE

CLONE, SYNC_INIT = 0x8004E500, 0xE503
MNT_FORCE, MNT_DETACH = 1, 2
INIT_EXT, REQUEST_TIMEOUT = 1 << 30, 1 << 42
MINOR = 46
BUFFER = 1 << 17
LOOKUP, FORGET, GETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 16, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, ACCESS, INTERRUPT, BATCH_FORGET = 27, 28, 29, 34, 36, 42
SILENT = (FORGET, BATCH_FORGET, INTERRUPT)
DIRECTORY, REGULAR = 0o040755, 0o100644
DIRECT_IO, BIG_WRITES = 1 << 0, 1 << 5

if not os.path.exists(DEVICE):
    # A minor number that is not fixed has no node before the module is there.
    subprocess.run(["modprobe", TYPE], check=True)

_libc = ctypes.CDLL(None, use_errno=True)


class Request:
    """A request as it was read."""

    def __init__(self, message):
        self.message = message
        (self.len, self.opcode, self.unique, self.nodeid, self.uid, self.gid, self.pid, _, _) = struct.unpack_from(
            "<IIQQIIIHH", message)
        self.body = message[40:]


def mount(descriptor, point="/mnt", options="rootmode=40000,user_id=0,group_id=0", source="case", kind=TYPE):
    """mount(2), with the descriptor unless it is None."""
    if descriptor is not None:
        options = f"fd={descriptor},{options}"
    if _libc.mount(source.encode(), point.encode(), kind.encode(), 0, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def umount(point="/mnt", flags=0):
    """umount2(2)."""
    if _libc.umount2(point.encode(), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def clone_of(descriptor):
    """Another open file of the device, on the same connection."""
    new = os.open(DEVICE, os.O_RDWR)
    fcntl.ioctl(new, CLONE, struct.pack("<I", descriptor))
    return new


def read(descriptor, size=BUFFER):
    """The next request."""
    return Request(os.read(descriptor, size))


def read_afresh(descriptor):
    """The next request, read into memory that is not there yet."""
    with mmap.mmap(-1, BUFFER) as memory:
        return Request(memory[:os.readv(descriptor, [memory])])


def message(unique, payload=b"", error=0):
    """An answer."""
    return struct.pack("<IiQ", 16 + len(payload), -error, unique) + payload


def answer(descriptor, request, payload=b"", error=0):
    """Writes an answer."""
    return os.write(descriptor, message(request.unique, payload, error))


def by_pipe(descriptor, content, length, flags=0):
    """splice(2) of so much of the content: its result, or the error. Every write is a buffer of the pipe."""
    reader, writer = os.pipe2(os.O_DIRECT)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    try:
        for part in (content,) if isinstance(content, bytes) else content:
            os.write(writer, part)
        return os.splice(reader, descriptor, length, flags=flags)
    except OSError as error:
        return errno.errorcode[error.errno]
    finally:
        os.close(reader)
        os.close(writer)


def readable(descriptor, seconds=0.0):
    """The events that poll(2) finds in that time."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLOUT)
    events = dict(poll.poll(0)).get(descriptor, 0)
    if seconds and not events & (select.POLLIN | select.POLLERR):
        poll.modify(descriptor, select.POLLIN)
        events |= dict(poll.poll(seconds * 1000)).get(descriptor, 0)
    return events


def init_answer(max_write=65536, flags=0, minor=MINOR, max_pages=32, timeout=0):
    """The body of an answer to INIT; with a limit of what a request may take, in seconds, if that is not 0."""
    more = 0
    if timeout:
        flags, more = flags | INIT_EXT, REQUEST_TIMEOUT >> 32
    return struct.pack("<IIIIHHIIHHIIH22x", 7, minor, 131072, flags, 12, 9, max_write, 1, max_pages, 0, more, 0, timeout)


def attributes(nodeid, mode, size=0):
    """`struct fuse_attr`."""
    return struct.pack("<QQQQQQIIIIIIIIII", nodeid, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def entry(nodeid, mode, size=0, valid=0):
    """`struct fuse_entry_out`."""
    return struct.pack("<QQQQII", nodeid, 0, valid, valid, 0, 0) + attributes(nodeid, mode, size)


def attr_out(nodeid, mode, size=0, valid=0):
    """`struct fuse_attr_out`."""
    return struct.pack("<QII", valid, 0, 0) + attributes(nodeid, mode, size)


def open_out(handle=1, flags=0):
    """`struct fuse_open_out`."""
    return struct.pack("<QIi", handle, flags, 0)


ROOT = attr_out(1, DIRECTORY)


class Tree:
    """Serves files of one directory: their contents by name. `late` are answers that somebody else gives."""

    def __init__(self, files):
        self.names = list(files)
        self.contents = [files[name] for name in self.names]
        self.late = {}
        self.seen = []

    def node(self, nodeid):
        """Mode and contents."""
        return (DIRECTORY, b"") if nodeid == 1 else (REGULAR, self.contents[nodeid - 2])

    def reply(self, request):
        """Payload and error of the answer."""
        if request.opcode == INIT:
            return init_answer(), 0
        if request.opcode == LOOKUP:
            name = request.body.rstrip(b"\0").decode()
            if name not in self.names:
                return b"", errno.ENOENT
            index = self.names.index(name)
            return entry(index + 2, REGULAR, len(self.contents[index])), 0
        if request.opcode == GETATTR:
            mode, content = self.node(request.nodeid)
            return attr_out(request.nodeid, mode, len(content)), 0
        if request.opcode in (OPEN, OPENDIR):
            return open_out(), 0
        if request.opcode == READ:
            _, offset, size = struct.unpack_from("<QQI", request.body)
            return self.node(request.nodeid)[1][offset:offset + size], 0
        if request.opcode in (RELEASE, RELEASEDIR, FLUSH, ACCESS):
            return b"", 0
        return b"", errno.ENOSYS

    def serve(self, descriptor):
        """Answers until the connection ends."""
        while True:
            try:
                request = read(descriptor)
            except OSError as error:
                if error.errno in (errno.ENODEV, errno.ECONNABORTED):
                    return
                raise
            self.seen.append(request)
            if request.opcode in SILENT or self.late.get(request.opcode, lambda _: False)(request):
                continue
            payload, error = self.reply(request)
            try:
                answer(descriptor, request, payload, error)
            except OSError as failed:
                if failed.errno not in (errno.ENOENT, errno.ENODEV):
                    raise

    def start(self, descriptor):
        """Serves in a thread."""
        thread = threading.Thread(target=self.serve, args=(descriptor,), daemon=True)
        thread.start()
        return thread


class Writable(Tree):
    """The tree, whose files keep what is written to them; `flags` are those of open files."""

    flags = 0

    def reply(self, request):
        """As the tree."""
        if request.opcode == OPEN:
            return open_out(flags=self.flags), 0
        if request.opcode == WRITE:
            _, offset, size = struct.unpack_from("<QQI", request.body)
            old = self.contents[request.nodeid - 2].ljust(offset, b"\0")
            self.contents[request.nodeid - 2] = old[:offset] + request.body[40:] + old[offset + size:]
            return struct.pack("<II", size, 0), 0
        return super().reply(request)


@contextlib.contextmanager
def served(tree, point="/mnt"):
    """The tree, mounted for the block: its device. What is still in use at the end ends in errors."""
    descriptor = os.open(DEVICE, os.O_RDWR)
    mount(descriptor, point)
    thread = tree.start(descriptor)
    try:
        yield descriptor
    finally:
        umount(point, MNT_FORCE | MNT_DETACH)
        thread.join(10)
        os.close(descriptor)


@contextlib.contextmanager
def unserved():
    """A device whose INIT has been answered, and that nobody serves; what still waits for it at the end is aborted."""
    fd = os.open(DEVICE, os.O_RDWR)
    mount(fd)
    answer(fd, read(fd), init_answer(flags=BIG_WRITES))
    try:
        yield fd
    finally:
        umount(flags=MNT_FORCE | MNT_DETACH)
        with contextlib.suppress(OSError):
            os.close(fd)
