# SPDX-License-Identifier: GPL-2.0
"""What a case in Python uses: KTAP results and mounting.

    from ktap import case, check, same, mounted

    with case(), mounted() as top:
        same("size", os.stat(f"{top}/file").st_size, 13)
"""

import contextlib
import errno
import fcntl
import io
import os
import subprocess
import sys
import time
import traceback

FS = os.environ["RIG_FS"]
# Who serves daemons: the kernel's own client where rfuse is not under test.
TYPE = "rfuse" if FS == "rfuse" else "fuse"
DEVICE = f"/dev/{TYPE}"
# The long form of the case, for `make test-long`, and how much of it.
LONG = "RIG_LONG" in os.environ
PERCENT = int(os.environ.get("RIG_LONG", 0))
# Lines that a failed result may say.
MOST = 60
_results = []


def result(passed, text, note=""):
    """One result."""
    _results.append(passed)
    print(f"{'ok' if passed else 'not ok'} {len(_results)} - {text}", flush=True)
    if not passed:
        # The end of a traceback says most.
        for line in str(note).splitlines()[-MOST:]:
            print(f"# {line}"[:300], flush=True)
    return passed


def check(text, condition):
    """Passes when the condition holds."""
    return result(bool(condition), text)


def same(text, got, wanted):
    """Passes when both are equal."""
    return result(got == wanted, text, f"got:    {got!r}\nwanted: {wanted!r}")


def progress(text):
    """A line that a long form shows while it runs."""
    print(f"# progress: {text}", flush=True)


def short_long(short, long):
    """The number that fits the form in which the case runs: PERCENT of `long`, 1 at the least."""
    return max(1, long * PERCENT // 100) if LONG else short


def errno_of(function, *args, **kwargs):
    """The name of the error that a call ends in, 'none' when it succeeds."""
    try:
        function(*args, **kwargs)
        return "none"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def less(number):
    """So many, of which a slow kernel does its part: what it finds, it finds in few."""
    return -(-number // int(os.environ["RIG_PATIENCE"]))


def host(*words):
    """A request to the host: its output. A failed one ends the case. It says what bin/host says, without a
    shell: that takes seconds on a debug kernel."""
    number = f"{os.getpid()}.{time.monotonic_ns()}"
    with open("/run/host.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open("/dev/virtio-ports/rig.host", "r+b", buffering=0) as port:
            port.write("\t".join([number, *map(str, words)]).encode() + b"\n")
            status, output = _answer(io.BufferedReader(port), number)
    if status:
        raise RuntimeError(f"host {' '.join(map(str, words))}: status {status}: {output}")
    return output


def _answer(port, number):
    """The answer to that request; those to requests whose senders were killed may come first."""
    while True:
        answered, status, lines = port.readline().decode().split()
        text = b"".join(port.readline() for _ in range(int(lines)))
        if answered == number:
            return int(status), text.decode(errors="surrogateescape")


def drop_caches(what=3):
    """Has the kernel give up what is cached and not in use: 1 is pages, 2 is names and inodes."""
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as order:
        order.write(str(what))


@contextlib.contextmanager
def mounted(tag="main", point="/mnt", options="", fs=FS):
    """The file system under test, mounted for the block."""
    subprocess.run(["mount", "-t", fs, *(["-o", options] if options else []), tag, point], check=True)
    try:
        yield point
    finally:
        os.chdir("/")
        subprocess.run(["umount", point], check=True)


@contextlib.contextmanager
def mount_both(tags=("main", "second"), types=(FS, "virtiofs")):
    """The first tag on the file system under test beside the second on the C client; paths of equal length."""
    subprocess.run(["sh", "-c", ". /rig/guest/lib.sh; trap - EXIT; bind_virtiofs"], check=True, stdout=subprocess.DEVNULL)
    with contextlib.ExitStack() as stack:
        points = [os.path.abspath(name) for name in ("ours", "them")]
        for fs, tag, point in zip(types, tags, points):
            os.makedirs(point, exist_ok=True)
            stack.enter_context(mounted(tag, point, fs=fs))
        yield points


@contextlib.contextmanager
def case():
    """The whole case: an exception is a failed result, and the plan comes at the end."""
    print("KTAP version 1", flush=True)
    try:
        yield
    except Exception:  # pylint: disable=broad-except
        result(False, "no exception", traceback.format_exc())
    print(f"1..{len(_results)}", flush=True)
    if not all(_results):
        sys.exit(1)
