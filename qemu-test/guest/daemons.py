# SPDX-License-Identifier: GPL-2.0
"""What cases with an unmodified FUSE daemon use: mounting by rfuse-run, and work that any tree must stand.

    with case(), serving("bindfs", "source") as top:
        tree(top, "source")
        changes(top)

Where the file system under test is not rfuse, the kernel's own client serves: /dev/fuse and type fuse.
"""

import contextlib
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time

import ktap
from ktap import DEVICE, LONG, TYPE, check, drop_caches, errno_of, same
from worker import SLOWNESS

MKTREE = "/rig/guest/mktree"
MANIFEST = "/rig/guest/manifest.py"
SECONDS = 10 * SLOWNESS


@contextlib.contextmanager
def case():
    """The whole case, with the module that has the device."""
    with ktap.case():
        if TYPE == "rfuse":
            subprocess.run(["modprobe", TYPE], check=True)
        yield


def runner(*command, options="", point=None, switches=()):
    """The command line of rfuse-run; `point` where the mount point is not the last word."""
    return ["rfuse-run", "-t", TYPE, *switches, *(["-o", options] if options else []),
            *(["-m", point] if point else []), "--", *command]


def holders():
    """The processes that have the device open."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/fd/{number}") == DEVICE:
                        found.add(int(pid))
    return found


def kill(child, before):
    """Kills the daemon that a rfuse-run in the foreground has started, and not that."""
    for pid in holders() - before - {child.pid}:
        os.kill(pid, signal.SIGKILL)


def mounts(point):
    """Type, source and options of what is mounted there."""
    with open("/proc/self/mounts", encoding="utf-8") as lines:
        fields = [line.split() for line in lines]
    return [(field[2], field[0], field[3]) for field in fields if field[1] == os.path.abspath(point)]


def becomes(condition, seconds=SECONDS):
    """Whether it comes to hold within that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def ended(before, point):
    """What is left when a daemon's file system was unmounted: nothing."""
    if not check("the daemon ends", becomes(lambda: not holders() - before)):
        for pid in holders() - before:
            os.kill(pid, signal.SIGKILL)
    check("nothing is mounted", not mounts(point))


@contextlib.contextmanager
def serving(*command, options="", point="/mnt", last=True, switches=()):
    """A daemon's file system, for the block. The mount point is behind the command, unless `last` says that it
    is among the words."""
    words = [*command, point] if last else command
    line = runner(*words, options=options, point=None if last else point, switches=switches)
    with mounted_by(line, point, f"{TYPE}.{os.path.basename(command[0])}"):
        yield point


@contextlib.contextmanager
def mounted_by(line, point, kind):
    """What that command line mounts, for the block."""
    before = holders()
    subprocess.run(line, check=True, timeout=SECONDS)
    same("mounted", [found for found, *_ in mounts(point)], [kind])
    try:
        yield point
    finally:
        # Whoever the block left behind would keep it busy: that is a failure of its own.
        same("umount", subprocess.run(["umount", point], check=False, timeout=SECONDS).returncode, 0)
        ended(before, point)


@contextlib.contextmanager
def foreground(*command, options="", point="/mnt", **started):
    """The same for a daemon that stays in the foreground: its process, after something is mounted."""
    before = holders()
    child = subprocess.Popen(runner(*command, point, options=options), **started)
    becomes(lambda: mounts(point) or child.poll() is not None)
    try:
        yield child
    finally:
        if mounts(point):
            same("umount", subprocess.run(["umount", point], check=False, timeout=SECONDS).returncode, 0)
        same("rfuse-run ends", child.wait(SECONDS), 0)
        ended(before, point)


def mktree(path, without=()):
    """A tree of every kind of entry, but for what the daemon does not bear. Everybody may look for it."""
    os.chmod(".", 0o755)
    os.makedirs(path, exist_ok=True)
    subprocess.run([MKTREE, *(["--small"] if SLOWNESS > 1 else [])], cwd=path, check=True)
    for name in without:
        os.unlink(f"{path}/{name}")
    return os.path.abspath(path)


def manifest(top, how="read"):
    """Its entries with all that a copy must share, but for link counts of folders."""
    out = os.path.abspath("manifest.out")
    subprocess.run([MANIFEST, "--copy", "--how", how, "--out", out, top], check=True, stderr=subprocess.DEVNULL)
    with open(out, encoding="ascii") as lines:
        return [without_links(line.rstrip("\n")) for line in lines]


def without_links(line):
    """A line of a manifest without the folder's number of links, which not every file system counts."""
    path, mode, *rest = line.rsplit(" ", 9)
    return " ".join([path, mode, *(rest[:2] if stat.S_ISDIR(int(mode, 8)) else rest[:3]), *rest[3:]])


def tree(top, source, ways=("read", "mmap")):
    """The same tree, read and mapped."""
    wanted = manifest(source)
    check("the tree is not empty", len(wanted) > 100)
    for how in ways:
        got = manifest(top, how)
        differ = sorted(set(got) ^ set(wanted))[:10]
        same(f"{len(wanted)} entries by {how}", differ, [])
        drop_caches()


def contents(top):
    """What is in its files and links, by path: what a file system of another kind shares with its source."""
    found = {}
    for folder, _, entries in os.walk(os.fsencode(top)):
        for path in (os.path.join(folder, name) for name in entries):
            name = os.path.relpath(path, os.fsencode(top))
            if os.path.islink(path):
                found[name] = os.readlink(path)
            elif os.path.isfile(path):
                found[name] = digest(path)
    return found


def ways(often, seldom):
    """What a case does each time, and in its long form only."""
    return [*often, *seldom] if LONG else often


def digest(path):
    """A file's sum."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content(size, seed=1):
    """That many bytes, always the same."""
    block = b"".join(hashlib.sha512(f"{seed}.{number}".encode()).digest() for number in range(1024))
    return (block * (size // len(block) + 1))[:size]


def changes(top, below=None, mapping=True):
    """Files and names are made, changed and removed; `below` is the same place on the file system beneath. Not all
    files can be mapped."""
    place, under = f"{top}/work", f"{below}/work" if below else None
    os.mkdir(place)
    data(place, under)
    if mapping:
        mapped(place)
    names(place, under)
    attributes(place)
    subprocess.run(["rm", "-r", place], check=True)
    check("all of it is removed", not os.path.exists(under or place))


def data(place, under):
    """Data of all sizes, read back from the server."""
    for size in (0, 1, 4095, 4097, 131073, 3000001):
        with open(f"{place}/f{size}", "wb") as file:
            file.write(content(size))
    drop_caches()
    for size in (0, 1, 4095, 4097, 131073, 3000001):
        wanted = hashlib.sha256(content(size)).hexdigest()
        same(f"{size} bytes", digest(f"{place}/f{size}"), wanted)
        if under:
            same(f"{size} bytes beneath", digest(f"{under}/f{size}"), wanted)
    with open(f"{place}/f4097", "r+b") as file:
        file.seek(4000)
        file.write(b"x" * 1000)
        file.flush()
        os.fsync(file.fileno())
        os.ftruncate(file.fileno(), 4500)
    with open(f"{place}/f4097", "ab") as file:
        file.write(b"end")
    drop_caches()
    with open(f"{place}/f4097", "rb") as file:
        same("changed, cut and appended to", file.read(), content(4000) + b"x" * 500 + b"end")


def mapped(place):
    """Shared memory of a file."""
    subprocess.run(["python3", "-c", """
import mmap, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
    memory[100000:100007] = b"written"
    memory.flush()
""", f"{place}/f131073"], check=True)
    drop_caches()
    with open(f"{place}/f131073", "rb") as file:
        file.seek(100000)
        same("written by a mapping", file.read(7), b"written")


def names(place, under):
    """Making, linking, renaming, removing."""
    os.mkdir(f"{place}/dir")
    os.symlink("f1", f"{place}/link")
    same("a link", os.readlink(f"{place}/link"), "f1")
    os.rename(f"{place}/f1", f"{place}/dir/moved")
    same("moved away", errno_of(os.stat, f"{place}/f1"), "ENOENT")
    same("and there", os.stat(f"{place}/dir/moved").st_size, 1)
    os.rename(f"{place}/f0", f"{place}/dir/moved")
    same("replaced", os.stat(f"{place}/dir/moved").st_size, 0)
    same("a folder that is not empty", errno_of(os.rmdir, f"{place}/dir"), "ENOTEMPTY")
    same("a name twice", errno_of(os.mkdir, f"{place}/dir"), "EEXIST")
    with open(f"{place}/gone", "w+b") as file:
        file.write(b"still there")
        file.flush()
        os.unlink(f"{place}/gone")
        file.seek(0)
        same("removed while open", file.read(), b"still there")
    os.unlink(f"{place}/dir/moved")
    os.rmdir(f"{place}/dir")
    wanted = ["f131073", "f3000001", "f4095", "f4097", "link"]
    same("what is left", [name for name in sorted(os.listdir(place)) if not name.startswith(".fuse")], wanted)
    if under:
        # What was removed while open goes when its handle is released, which nobody waits for.
        check("and beneath", becomes(lambda: len(os.listdir(under)) == len(wanted)))


def attributes(place):
    """Modes and times."""
    path = f"{place}/f4095"
    os.chmod(path, 0o640)
    os.utime(path, ns=(10**18, 10**18 + 10**9))
    drop_caches()
    status = os.stat(path)
    same("mode", stat.S_IMODE(status.st_mode), 0o640)
    same("times", (status.st_atime_ns, status.st_mtime_ns), (10**18, 10**18 + 10**9))
    room = os.statvfs(place)
    check("statfs has blocks and files", room.f_blocks > 0 and room.f_bsize > 0)


def skip(reason):
    """Leaves the whole case out."""
    print(f"1..0 # SKIP {reason}")
    sys.exit(0)


def as_user(*words):
    """Whether user 1000 can do that."""
    command = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", *words]
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
