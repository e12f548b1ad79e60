# SPDX-License-Identifier: GPL-2.0
"""The guest's side of the rig: runs what the host orders and looks at what it left behind.

Orders and events are JSON, one a line, on the port rig.ctl. An order names a program, its time
limit and whether to check the system afterwards; the kernel log counts from the last order that
did not say `mark: false`. Events: line (the program's output), stacks,
settle (answered by an empty line), and at the end done (status, timed_out, faults).
"""

import json
import os
import select
import shutil
import signal
import subprocess
import time

from checks import PATIENCE, Checks
from kmsg import KernelLog

PORT = "/dev/virtio-ports/rig.ctl"


def session_of(leader):
    """The processes of that session that still exist, with their states."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found[int(entry)] = fields[0]
    return found


def end_session(leader, seconds):
    """Kills a session; returns what is left of it after that time."""
    deadline = time.monotonic() + seconds
    while left := session_of(leader):
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return {}


class Agent:
    """Serves orders until the host closes the port."""

    def __init__(self):
        descriptor = os.open(PORT, os.O_RDWR)
        self.reader = os.fdopen(descriptor, "rb")
        self.writer = os.fdopen(os.dup(descriptor), "wb")
        self.log = KernelLog()
        self.checks = Checks(self.log)

    def send(self, **event):
        """One event to the host."""
        self.writer.write(json.dumps(event).encode() + b"\n")
        self.writer.flush()

    def serve(self):
        """The main loop."""
        self.send(event="ready", faults=self.log.faults())
        for line in self.reader:
            order = json.loads(line)
            self.send(event="done", **self.run(order))

    def run(self, order):
        """Runs one program to its end or its time limit."""
        if order.get("mark", True):
            self.log.mark(order["name"])
        scratch = f"/tmp/{order['name']}"
        os.mkdir(scratch)
        child = subprocess.Popen(
            order["run"], cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, env=os.environ | order.get("env", {}))
        timed_out = not self.follow(child, time.monotonic() + order["timeout"])
        faults = []
        if timed_out:
            faults += self.log.faults() if order["check"] else []
            faults.append(f"ran longer than {order['timeout']} s; stacks are in the log")
            self.send(event="stacks", text=self.stacks(child.pid))
            # The dump just ordered is no complaint.
            self.log.mark(f"{order['name']}: end of the stacks")
        left = end_session(child.pid, 5 * PATIENCE)
        faults += [f"process {pid} (state {state}) does not die of SIGKILL" for pid, state in left.items()]
        if order["check"]:
            self.settle()
            faults += self.checks.all()
        shutil.rmtree(scratch, ignore_errors=True)
        return {"status": child.poll(), "timed_out": timed_out, "faults": faults}

    def settle(self):
        """Has the host continue stopped servers: unmounting and the device's reset need them."""
        self.send(event="settle")
        self.reader.readline()

    def follow(self, child, deadline):
        """Passes the output on; tells whether the program ended by itself."""
        pidfd = os.pidfd_open(child.pid)
        pipe = child.stdout.fileno()
        os.set_blocking(pipe, False)
        rest = b""
        watched = [pipe, pidfd]
        ended = False
        while not ended:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            ready = select.select(watched, [], [], left)[0]
            # The program's end counts, not the pipe's: a process it left behind may hold that open.
            ended = pidfd in ready
            if pipe in ready:
                rest, eof = self.pass_on(pipe, rest)
                if eof:
                    watched.remove(pipe)
        if rest:
            self.send(event="line", text=rest.decode(errors="replace") + "\n")
        os.close(pidfd)
        if ended:
            child.wait()
        return ended

    def pass_on(self, pipe, rest):
        """Sends the complete lines that can be read; returns what is left over and whether it ended."""
        while True:
            try:
                data = os.read(pipe, 65536)
            except BlockingIOError:
                return rest, False
            if not data:
                return rest, True
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.send(event="line", text=line.decode(errors="replace") + "\n")

    def stacks(self, leader):
        """Kernel stacks: of the case's own processes, of blocked tasks, of all."""
        text = []
        for pid, state in session_of(leader).items():
            try:
                with open(f"/proc/{pid}/stack", encoding="utf-8") as stack, \
                        open(f"/proc/{pid}/cmdline", encoding="utf-8") as command:
                    text.append(f"# {pid} {state} {command.read()!r}\n{stack.read()}")
            except OSError:
                continue
        self.log.read()
        for key in "wt":
            with open("/proc/sysrq-trigger", "w", encoding="utf-8") as trigger:
                trigger.write(key)
        return "".join(text) + "\n".join(self.log.read()) + "\n"


if __name__ == "__main__":
    Agent().serve()
