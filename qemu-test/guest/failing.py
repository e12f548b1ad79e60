# SPDX-License-Identifier: GPL-2.0
"""Fault injection (slab, pages, copies to the caller), confined to this task and to stacks through rfuse."""

import ctypes
import errno
import mmap
import os
import subprocess

from ktap import FS, check, host, same

KINDS = ("failslab", "fail_page_alloc", "fail_usercopy")
DEBUG = "/sys/kernel/debug"
ALLOWED = {"ENOMEM", "EIO", "EFAULT"}
TOP = "/mnt"
LIBC = ctypes.CDLL(None, use_errno=True)


def put(path, value):
    """Writes a control file."""
    with open(path, "w", encoding="ascii") as control:
        control.write(str(value))


def text_of_module():
    """Where the module's code lies."""
    with open("/sys/module/rfuse/sections/.text", encoding="ascii") as start:
        first = int(start.read(), 16)
    with open("/proc/modules", encoding="ascii") as modules:
        size = int(next(line for line in modules if line.startswith("rfuse ")).split()[1])
    return first, first + size


def confine(percent):
    """Lets allocations fail below functions of the module, if this task asks for it."""
    first, last = text_of_module()
    for kind in KINDS:
        settings = {"probability": percent, "times": -1, "interval": 1, "verbose": 0, "task-filter": "Y",
                    "stacktrace-depth": 32, "require-start": hex(first), "require-end": hex(last)}
        if kind != "fail_usercopy":
            settings["ignore-gfp-wait"] = "N"
        if kind == "fail_page_alloc":
            settings |= {"min-order": 0, "ignore-gfp-highmem": "N"}
        for name, value in settings.items():
            put(f"{DEBUG}/{kind}/{name}", value)


def call(name, *arguments):
    """A C function that sets errno."""
    if getattr(LIBC, name)(*arguments):
        raise OSError(ctypes.get_errno(), name)
    return True


def mount():
    """By mount(2): another process would not fail with this one."""
    return call("mount", b"main", TOP.encode(), FS.encode(), 0, None)


def unmount():
    """umount(2) must not fail."""
    subprocess.run(["umount", TOP], check=True)


def mapped(path, content):
    """A file read over a mapping, in a child that may die of SIGBUS."""
    with open("/proc/thread-self/fail-nth", encoding="ascii") as left:
        number = left.read()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            raise OSError(errno.EIO, "SIGBUS")
        if os.WEXITSTATUS(status) > 1:
            raise OSError(os.WEXITSTATUS(status), "open or mmap")
        return os.WEXITSTATUS(status) == 0
    try:
        # The count is a task's own.
        put("/proc/thread-self/fail-nth", number)
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
            os._exit(0 if pages[:] == content else 1)
    except OSError as error:
        os._exit(error.errno)
    finally:
        # The child must not go on as if it were the case.
        os._exit(1)


def read(path, flags=0):
    """The whole file: a read may end early, the next one says why."""
    descriptor, memory = os.open(path, os.O_RDONLY | flags), mmap.mmap(-1, 1 << 18)
    try:
        done = 0
        while got := os.preadv(descriptor, [memoryview(memory)[done:]], done):
            done += got
        return memory[:done]
    finally:
        os.close(descriptor)


def written(path, flags=0):
    """Whether a new file holds what is written to it: at odd places, or whole pages for O_DIRECT."""
    size, start = (16384, 4096) if flags & os.O_DIRECT else (20_001, 777)
    data = mmap.mmap(-1, size)
    data[:] = bytes(number % 251 for number in range(size))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
    try:
        done = 0
        while done < size:
            done += os.pwrite(descriptor, memoryview(data)[done:], start + done)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return read(path) == bytes(start) + data[:]


def names(top):
    """Whether names come and go."""
    os.mkdir(f"{top}/made")
    os.symlink("nowhere", f"{top}/made/link")
    os.mkfifo(f"{top}/made/pipe")
    os.link(f"{top}/f1", f"{top}/made/hard")
    os.rename(f"{top}/made/hard", f"{top}/made/renamed")
    seen = sorted(os.listdir(f"{top}/made")) == ["link", "pipe", "renamed"]
    for name in ("link", "pipe", "renamed"):
        os.unlink(f"{top}/made/{name}")
    os.rmdir(f"{top}/made")
    return seen and not os.path.lexists(f"{top}/made")


def attributes(top):
    """Whether attributes can be changed."""
    path = f"{top}/f0"
    os.chmod(path, 0o604)
    os.utime(path, (1000, 2000))
    os.truncate(path, 5)
    os.setxattr(path, "user.test", b"value")
    if os.listxattr(path) != ["user.test"] or os.getxattr(path, "user.test") != b"value":
        return False
    stat = os.stat(path)
    return (stat.st_mode & 0o777, stat.st_size) == (0o604, 5) and read(path) == CONTENT["f0"][:5]


# Every attempt has a copy of the tree for itself, of which nothing is cached.
COPIES = 120
CONTENT = {f"f{number}": bytes([65 + number]) * (30_001 * (number + 1)) for number in range(4)}
OPERATIONS = {
    "stat": lambda top: os.stat(f"{top}/f1").st_size == len(CONTENT["f1"]),
    "stat of a name that is not there": lambda top: not os.path.lexists(f"{top}/none"),
    "read": lambda top: read(f"{top}/f2") == CONTENT["f2"],
    "O_DIRECT": lambda top: read(f"{top}/f3", os.O_DIRECT) == CONTENT["f3"],
    "mmap": lambda top: mapped(f"{top}/f0", CONTENT["f0"]),
    "listing": lambda top: len(os.listdir(f"{top}/d")) == 9,
    "listing with stat": lambda top: sum(entry.stat().st_size for entry in os.scandir(f"{top}/e")) == 0,
    "link": lambda top: os.readlink(f"{top}/link") == "f1",
    "statfs": lambda top: os.statvfs(top).f_bsize > 0,
    "write": lambda top: written(f"{top}/new"),
    "O_DIRECT write": lambda top: written(f"{top}/direct", os.O_DIRECT),
    "names": names,
    "attributes": attributes,
    "ACL": lambda top: call("access", os.fsencode(f"{top}/f1"), os.R_OK),
}


def attempt(operation, top):
    """'right', 'wrong', or the name of the error."""
    try:
        return "right" if operation(top) else "wrong"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def each_in_turn(operation, prepare=lambda: None):
    """Lets the first allocation fail, then the second, until there are no more; the outcomes."""
    outcomes = []
    for number in range(1, COPIES + 1):
        prepare()
        put("/proc/thread-self/fail-nth", number)
        outcome = attempt(operation, f"{TOP}/{number - 1}")
        with open("/proc/thread-self/fail-nth", encoding="ascii") as left:
            unused = int(left.read())
        put("/proc/thread-self/fail-nth", 0)
        outcomes.append(outcome)
        # A child's count is not seen here: it has no failures left when the first few are over and all is right.
        if unused and (operation is not OPERATIONS["mmap"] or (number > 8 and outcome == "right")):
            break
    return outcomes


def judge(name, outcomes):
    """The last one had no failing allocation; the others may end in an error, never in wrong data."""
    print(f"# {name}: {len(outcomes) - 1} allocations, {outcomes}"[:250])
    check(f"{name}: right without a failure", outcomes[-1] == "right")
    same(f"{name}: no other error", set(outcomes) - ALLOWED - {"right"}, set())


def at_random(percent, copies):
    """All operations, with a share of the allocations failing; how often each outcome came."""
    counts = {}
    confine(percent)
    put("/proc/self/make-it-fail", 1)
    for number in copies:
        for operation in OPERATIONS.values():
            outcome = attempt(operation, f"{TOP}/{number}")
            counts[outcome] = counts.get(outcome, 0) + 1
    put("/proc/self/make-it-fail", 0)
    confine(0)
    return counts


def prepare_mount():
    """A mount that is to be tried anew."""
    if os.path.ismount(TOP):
        unmount()


def plant():
    """The copies of the tree, on the host, and the first mount: its helper loads the module."""
    for name, content in CONTENT.items():
        host("run", "main", "sh", f"mkdir -p 0; head -c {len(content)} /dev/zero | tr '\\0' {chr(content[0])} > 0/{name}")
    host("run", "main", "sh", "ln -s f1 0/link; mkdir 0/d 0/e; for i in 1 2 3 4 5 6 7 8 9; do : > 0/d/$i; : > 0/e/$i; done; "
         f"i=1; while [ $i -lt {COPIES} ]; do cp -a 0 $i; i=$((i+1)); done")
    subprocess.run(["mount", "-t", FS, "main", TOP], check=True)
    confine(0)
