# SPDX-License-Identifier: GPL-2.0
"""Processes that may block at any time, and must die of SIGKILL whenever they do."""

import os
import random
import re
import select
import signal
import subprocess
import time
import traceback

from siege.changes import Changer
from siege.work import WrongContent

SLOWNESS = int(os.environ.get("RFUSE_PATIENCE", 1))
# Whoever has not got on for so long is killed: no harm is done where somebody was only slow.
PATIENCE = 1.0 * SLOWNESS ** 0.5
# What a command that needs nothing of the server may take.
SOON = 10.0 * SLOWNESS
# And must be gone so soon.
DEATH = 10.0 * SLOWNESS
# Unless it waits for another (see Crew.end_all), which is looked into after this time.
QUICK_DEATH = 0.5 * SLOWNESS ** 0.5
# How long kill_some takes.
ROUND = 5 * SLOWNESS ** 0.5
# By then every late answer has come.
LATEST = 0.5 * SLOWNESS

# The group of the kernel's own threads: others may wait for one of them.
KERNEL = 0


class Fault(Exception):
    """What must not happen."""


class Undead(Fault):
    """Processes of a group that do not die of SIGKILL."""

    def __init__(self, text, group):
        super().__init__(text)
        self.group = group


def stacks(group, symbol=""):
    """Kernel stacks of the processes of a group, of those alone that have the symbol in theirs."""
    text = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            if int(fields[2]) == group and fields[0] not in "ZX":
                with open(f"/proc/{entry}/stack", encoding="utf-8") as stack:
                    trace = stack.read()
                if symbol in trace:
                    text.append(f"process {entry} state {fields[0]}:\n{trace}")
        except (OSError, IndexError):
            continue
    return "\n".join(text)


def waits(group):
    """The processes of a group that wait somewhere in rfuse, each with how often it has slept so far."""
    waiting = {}
    for pid in map(int, re.findall(r"^process (\d+) ", stacks(group, "[rfuse]"), re.MULTILINE)):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
                waiting[pid] = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(), re.MULTILINE)[1]
        except (OSError, TypeError):
            continue
    return waiting


def kill_group(group):
    """SIGKILL to a group; whether there still is one."""
    try:
        os.killpg(group, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def end_group(group, what, patience=DEATH):
    """Kills a process group whose leader is a child; all of it must be gone in time."""
    deadline = time.monotonic() + patience
    kill_group(group)
    try:
        leader = os.pidfd_open(group)
        select.select([leader], [], [], patience)
        os.close(leader)
        os.waitpid(group, os.WNOHANG)
    except (ChildProcessError, ProcessLookupError):
        # Reaped before: it waited for another then.
        pass
    while kill_group(group) and (left := stacks(group)):
        if time.monotonic() > deadline:
            if "state R" in left and patience >= DEATH:
                # Who runs has no stack to read: the kernel's log gets those of the processors.
                with open("/proc/sysrq-trigger", "w", encoding="ascii") as order:
                    order.write("l")
            raise Undead(f"{what} does not die of SIGKILL within {patience} s:\n{left}\n"
                         f"{stacks(KERNEL, '[rfuse]')}", group)
        time.sleep(0.02)


def command(*words, patience=PATIENCE):
    """Runs a command, killing it when it takes too long: its status (negative when killed) and output."""
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             process_group=0, text=True, errors="replace")
    try:
        output = child.communicate(timeout=patience)[0]
    except subprocess.TimeoutExpired:
        # The leader is reaped by Popen: its group must be empty.
        kill_group(child.pid)
        try:
            child.communicate(timeout=DEATH)
        except subprocess.TimeoutExpired as error:
            raise Undead(f"'{' '.join(words)}' does not die of SIGKILL within {DEATH} s:\n"
                         f"{stacks(child.pid)}", child.pid) from error
        output = "(killed)"
    return child.returncode, output.strip()


def forked(function):
    """A process that calls and exits, with 2 unless the function does: its number, which is that of its group too."""
    pid = os.fork()
    if not pid:
        try:
            os.setpgid(0, 0)
            function()
        finally:
            os._exit(2)
    # As it does by itself, but it may be told to die before it has run at all: nobody hears what is said to a group
    # that is not there yet.
    os.setpgid(pid, pid)
    return pid


def attempt(function, patience=PATIENCE):
    """Calls a function in a process of its own, which is killed when it takes too long: how it ended, as a status that
    is negative when it was killed. A program would take as long to begin as many calls take to block."""
    def once():
        try:
            function()
            os._exit(0)
        except OSError:
            os._exit(1)

    pid = forked(once)
    child = os.pidfd_open(pid)
    ended = select.select([child], [], [], patience)[0]
    os.close(child)
    if ended:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    end_group(pid, "what was called")
    return -signal.SIGKILL


class Member:
    """One worker process, and the pipe that tells of its progress."""

    def __init__(self, top, seed, honest, trade):
        reader, writer = os.pipe()

        def begin():
            os.close(reader)
            work(top, seed, writer, honest, trade)

        self.pid = forked(begin)
        os.close(writer)
        os.set_blocking(reader, False)
        self.pipe, self.seed = reader, seed
        self.last, self.text = time.monotonic(), b""

    def read(self):
        """Takes what the pipe has; `False` at its end."""
        try:
            data = os.read(self.pipe, 65536)
        except BlockingIOError:
            return True
        self.last = time.monotonic()
        self.text = (self.text + data)[-4000:]
        return bool(data)

    def end(self, patience=DEATH):
        """Kills it."""
        end_group(self.pid, f"a worker, last at {self.text.split()[-1:]}", patience)
        self.read()
        os.close(self.pipe)
        if b"WRONG" in self.text:
            raise Fault(self.text[self.text.index(b"WRONG"):].decode(errors="replace"))


def work(top, seed, writer, honest, trade):
    """The worker process: never returns."""
    for stream in (0, 1, 2):
        os.dup2(os.open("/dev/null", os.O_RDWR), stream)
    try:
        trade(top, seed, lambda name: os.write(writer, f"{name}\n".encode()), honest).run()
    except WrongContent as error:
        os.write(writer, f"WRONG content: {error}\n".encode())
    except BaseException:  # pylint: disable=broad-except
        os.write(writer, f"WRONG: {traceback.format_exc()}\n".encode())
    os._exit(1)


class Crew:
    """Several workers; those that block or die are replaced."""

    def __init__(self, top, size, random, owes=None, honest=False, trade=Changer):
        self.top, self.size, self.random, self.honest = top, size, random, honest
        # What its members do: a kind of Worker.
        self.trade = trade
        # Tells whether the server keeps anybody waiting.
        self.owes = owes or (lambda: True)
        self.members = []
        self.killed = self.died = self.waited = 0
        self.fill()

    def fill(self):
        """Hires up to the full number."""
        while len(self.members) < self.size:
            self.members.append(Member(self.top, self.random.randrange(1 << 30), self.honest, self.trade))

    def watch(self, seconds):
        """Looks after the workers for that time. Less if several had to be killed: a queue that a damage broke
        answers nobody."""
        end, start = time.monotonic() + seconds, self.killed
        while time.monotonic() < end and self.killed - start < 2:
            pipes = {member.pipe: member for member in self.members}
            dead = [pipes[pipe] for pipe in select.select(list(pipes), [], [], 0.1)[0] if not pipes[pipe].read()]
            late = [member for member in self.members if time.monotonic() - member.last > PATIENCE]
            self.look_into(late)
            self.died += len(dead)
            self.killed += len(set(late) - set(dead))
            self.dismiss(dead + late)
            self.fill()

    def look_into(self, members):
        """Nobody may wait for a server that keeps nobody waiting."""
        for member in members:
            before = waits(member.pid)
            if not before or self.owes():
                continue
            time.sleep(QUICK_DEATH)
            still = set(waits(member.pid).items()) & set(before.items())
            if still and not self.owes():
                raise Fault(f"a worker waits, but not for the server:\n{stacks(member.pid)}")

    def dismiss(self, members):
        """Ends some workers. One that does not die at once may wait for a name that another looks up: the
        kernel's own wait for that (d_alloc_parallel) heeds no signal, but ends with the other's."""
        try:
            for member in set(members):
                self.members.remove(member)
                member.end(QUICK_DEATH)
        except Undead:
            self.waited += 1
            self.members += [member]
            self.end()

    def release(self, undead):
        """Somebody else does not die either: who waits for the lock of a superblock, as mount(2) does by itself,
        heeds no signal, and a worker's syncfs(2) may have that. It ends with the workers."""
        if "super_lock" not in str(undead):
            raise undead
        self.waited += 1
        self.end()
        end_group(undead.group, str(undead))

    def end(self):
        """Ends all, whoever waits for whom."""
        for member in self.members:
            kill_group(member.pid)
        while self.members:
            self.members[-1].end()
            self.members.pop()


def kill_some(top, seed, trade=Changer):
    """Workers that are killed all the time for a round, whose server tells no lies: how many."""
    crew, end = Crew(top, 4, random.Random(seed), honest=True, trade=trade), time.monotonic() + ROUND
    while time.monotonic() < end:
        crew.watch(crew.random.choice((0.02, 0.05, 0.2)))
        crew.dismiss([crew.random.choice(crew.members)])
        crew.fill()
        crew.killed += 1
    crew.end()
    return crew.killed
