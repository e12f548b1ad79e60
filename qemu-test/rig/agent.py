# SPDX-License-Identifier: GPL-2.0
"""The host's side of the two channels to a guest: orders to its agent, and its cases' requests."""

import json
import os
import select
import subprocess
import threading
import time

from .hostile import HostileShare
from .machine import connect
from .paths import HOST


# What a shell command's end may take beyond its own limit: killing, unmounting, the checks.
END_SECONDS = 40


class GuestGone(Exception):
    """The guest ended, or said nothing in time; the text says which."""


class Agent:
    """Orders to guest/agent.py: JSON, one message a line."""

    def __init__(self, machine):
        self.machine = machine
        self.desk = HostDesk(machine)
        self.desk.start()
        self.sock = connect(machine.run, "ctl.sock")
        self.pending = b""

    def receive(self, deadline):
        """The next message. GuestGone at the deadline (monotonic seconds) or when QEMU ends."""
        while b"\n" not in self.pending:
            left = deadline - time.monotonic()
            if left <= 0:
                raise GuestGone("the guest did not answer in time")
            if not select.select([self.sock], [], [], min(left, 0.5))[0]:
                if not self.machine.alive():
                    raise GuestGone("the guest ended (a kernel panic ends it)")
                continue
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                raise GuestGone("the guest ended (a kernel panic ends it)")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line)

    def ready(self, seconds):
        """Waits for the agent's first message and returns it."""
        return self.receive(time.monotonic() + seconds)

    def run(self, order, seconds, output):
        """Runs one program in the guest; `output` gets each event but the last, which is returned."""
        self.sock.sendall(json.dumps(order).encode() + b"\n")
        deadline = time.monotonic() + seconds
        while True:
            event = self.receive(deadline)
            if event["event"] == "done":
                return event
            if event["event"] == "settle":
                self.desk.settle()
                self.sock.sendall(b"\n")
            else:
                output(event)


    def shell(self, command, name, seconds=60, *, line=None, check=False):
        """Runs a shell command outside any case; its lines, which `line` gets as they come. GuestGone
        when it fails. `check` looks at the system afterwards, since the last case or the boot."""
        lines = []

        def output(event):
            lines.append(event["text"].rstrip("\n"))
            if line:
                line(lines[-1])

        order = {"run": ["sh", "-euc", command], "name": name, "timeout": seconds, "check": check,
                 "mark": False}
        done = self.run(order, seconds + END_SECONDS, output)
        if done["status"] or done["faults"]:
            raise GuestGone("\n".join([f"'{command}' ended with {done['status']}", *lines[-20:],
                                       *done["faults"]]))
        return lines


class HostDesk(threading.Thread):
    """Serves the guest's `host` command: stop, cont, kill TAG; run TAG SCRIPT [ARGUMENT]...;
    ask TAG ORDER... (of the hostile server).

    A request is one line of tab-separated words, the first of them a number to answer to; the answer
    is `NUMBER STATUS LINES` and that many lines.
    """

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.shares = {share.tag: share for share in machine.shares}
        self.sock = connect(machine.run, "host.sock")

    def run(self):
        try:
            with self.sock.makefile("rwb") as channel:
                for line in channel:
                    number, *words = line.decode().rstrip("\n").split("\t")
                    status, output = self.answer(words)
                    lines = output.splitlines()
                    channel.write(f"{number} {status} {len(lines)}\n".encode())
                    channel.writelines(line.encode() + b"\n" for line in lines)
                    channel.flush()
        except (OSError, ValueError):
            return

    def answer(self, words):
        """Exit status and output of one request."""
        if len(words) < 2 or words[1] not in self.shares:
            return 2, f"host: no such tag in {words}: this boot has {' '.join(self.shares)}"
        verb, share = words[0], self.shares[words[1]]
        simple = {"stop": share.pause, "cont": share.resume, "kill": share.kill}
        if verb in simple:
            simple[verb]()
            return 0, ""
        if verb == "run" and len(words) > 2:
            return self.script(share, words[2:])
        if verb == "ask" and isinstance(share, HostileShare):
            return self.order(share, words[2:])
        return 2, f"host: does not know {verb!r}: stop, cont, kill, run, or ask of a hostile server"

    @staticmethod
    def order(share, words):
        """An order to a hostile server."""
        try:
            answer = share.ask(words)
        except OSError as error:
            return 1, f"host: the server of {share.tag} does not take orders: {error}"
        return (1 if answer.startswith("error") else 0), answer

    @staticmethod
    def script(share, words):
        """Runs a script of qemu-test/host in the shared directory."""
        path = HOST / os.path.basename(words[0])
        if not os.access(path, os.X_OK):
            return 2, f"host: {path} is not an executable script"
        try:
            done = subprocess.run([path, *words[1:]], cwd=share.directory, timeout=60, check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            return 124, f"host: {path} ran longer than 60 s"
        return done.returncode, done.stdout.decode(errors="surrogateescape")

    def settle(self):
        """Lets every stopped server go on."""
        for share in self.shares.values():
            if share.stopped:
                share.resume()

    def dead(self):
        """Whether a server was killed, so that its device is silent for good."""
        return any(share.killed for share in self.shares.values())
