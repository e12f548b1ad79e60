# SPDX-License-Identifier: GPL-2.0
"""Runs cases in as few guests as possible and reports each as it ends."""

import collections
import os
import re
import threading
import time

from . import case as cases_module
from . import files, hostile
from .agent import Agent, GuestGone
from .hosttests import HostTests
from .ktap import Ktap
from .machine import Machine
from .progress import Progress

# What a guest may take to boot, and how much longer on a kernel that takes more patience.
BOOT_SECONDS, BOOT_PATIENCE = 90, 30
# What a case's end may take beyond its own limit: stacks of a hang, killing, unmounting, the checks.
GRACE_SECONDS = 40
# What the first program says: before that no module is there.
FIRST_PROGRAM = "rig: first program"
CRASH = re.compile(r"BUG:|Oops|Kernel panic|general protection|sysrq: Show Blocked State")


class Report:
    """Prints results and counts them; any thread may add one."""

    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0

    @property
    def number(self):
        """How many results there were."""
        return self.passed + self.failed + self.skipped

    def add(self, name, seconds, faults, skipped=None, log=None, detail=()):
        """One result: `faults` empty means passed; `skipped` is a reason."""
        with self.lock:
            if faults:
                self.failed += 1
            elif skipped is not None:
                self.skipped += 1
            else:
                self.passed += 1
            verdict = "not ok" if faults else "ok"
            note = f" # SKIP {skipped}" if skipped is not None and not faults else ""
            print(f"{verdict} {self.number} {name} ({seconds:.1f} s){note}")
            for line in [*faults, *detail]:
                print(f"    {line}")
            if faults:
                print(f"    log: {log}")
            print(end="", flush=True)

    def close(self):
        """The closing line; returns the exit status."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not self.passed else 0


class Runner:
    """All guests of one run, one after the other in each lane."""

    def __init__(self, run, kernel, accel, fs, report, env=None):
        self.run, self.kernel, self.accel, self.fs, self.report = run, kernel, accel, fs, report
        self.env = {"RFUSE_PATIENCE": str(kernel.patience)} | (env or {})
        self.module = files.stripped_module(run, kernel) if fs == "rfuse" else None
        self.boot_seconds = BOOT_SECONDS + BOOT_PATIENCE * (kernel.patience - 1)
        self.grace = GRACE_SECONDS * kernel.patience
        self.boots = 0
        self.machine = self.agent = None

    def all(self, chosen, host_names):
        """Runs the cases, and the host's tests beside them."""
        host = HostTests(host_names, self.run)
        host.start()
        try:
            self.lanes(collections.deque(cases_module.boots(self.applicable(chosen), self.kernel.lanes)))
            while host.is_alive():
                host.join(0.5)
            for name, passed, seconds, log in host.results:
                lines = [] if passed else log.read_text(errors="replace").splitlines()[-15:]
                self.report.add(name, seconds, [] if passed else ["cargo test failed"], log=log, detail=lines)
        finally:
            host.stop()
            self.down()

    def applicable(self, chosen):
        """Leaves out (and reports) the cases of another file system or kernel."""
        fitting = []
        for case in chosen:
            others = [wanted for wanted, have in ((case.fs, self.fs), (case.kernel, self.kernel.name))
                      if wanted and wanted != have]
            if others:
                self.report.add(case.name, 0, [], skipped=f"only for {others[0]}")
            else:
                fitting.append(case)
        return fitting

    def lanes(self, groups):
        """Runs all groups; a lane has one guest at a time, and a folder of its own."""
        threads = []
        for number in range(2, self.kernel.lanes + 1):
            folder = self.run / f"lane{number}"
            folder.mkdir()
            lane = Runner(folder, self.kernel, self.accel, self.fs, self.report, self.env)
            threads.append(threading.Thread(target=lane.lane, args=(groups,), daemon=True))
            threads[-1].start()
        self.lane(groups)
        for thread in threads:
            thread.join()

    def lane(self, groups):
        """Takes groups until there are no more. What goes wrong here must not end as a missing result."""
        try:
            while group := self.next_of(groups):
                self.group(group)
        except Exception as error:  # pylint: disable=broad-except
            self.report.add("rig", 0, [f"the rig failed: {error!r}"], log=self.run)
        finally:
            self.down()

    @staticmethod
    def next_of(groups):
        """The next group, None when another lane took the last."""
        try:
            return groups.popleft()
        except IndexError:
            return None

    def group(self, group):
        """Runs cases that share a guest; a broken guest is replaced for those that are left."""
        left = list(group)
        while left:
            if not self.machine:
                try:
                    self.boot(left)
                except (GuestGone, RuntimeError, OSError) as error:
                    self.fail_boot(left.pop(0), error)
                    continue
            if self.one(left.pop(0)):
                self.down()
        self.down()

    def boot(self, group):
        """Boots a guest, once more if its kernel got stuck before it ran anything (seen with several processors on a
        busy host, where ticks are late), or if QEMU itself crashed before the guest was up."""
        try:
            self.up(group)
        except GuestGone as error:
            crash = self.machine.crash()
            if not crash and not stuck_early("\n".join(self.machine.tail(1000))):
                raise
            print(f"# guest {self.boots}: {error}, {crash or 'and its kernel had only begun'}: once more", flush=True)
            self.down()
            self.up(group)

    def up(self, group):
        """Boots a guest for these cases."""
        self.boots += 1
        shares = []
        for tag, options in cases_module.shares_of(group).items():
            other = re.match(r"of=(\S+)\s*", options)
            folder = self.run / "share" / (other[1] if other else tag)
            folder.mkdir(parents=True, exist_ok=True)
            shares.append(hostile.make(tag, folder, self.run, options[other.end() if other else 0:]))
        limit = self.boot_seconds + sum(self.seconds(case) + self.grace for case in group)
        self.machine = Machine(
            self.run, shares, kernel=self.kernel, accel=self.accel, cpus=group[0].cpus, memory=group[0].memory,
            fs=self.fs, files=files.guest_files(group, self.kernel, self.module), limit=limit,
            label=f"boot{self.boots}", append=group[0].append)
        start = time.monotonic()
        self.machine.start()
        self.agent = Agent(self.machine)
        faults = self.agent.ready(self.boot_seconds)["faults"]
        print(f"# guest {self.boots}: {self.kernel.name} kernel, {self.accel}, {group[0].cpus} cpu, up in {time.monotonic() - start:.1f} s",
              flush=True)
        if faults:
            raise RuntimeError(f"the kernel complained while booting: {faults[0]}")

    def down(self):
        """Ends the guest, if there is one."""
        if self.machine:
            self.machine.stop()
        self.machine = self.agent = None

    def fail_boot(self, case, error):
        """Reports the case that a guest could not even be booted for."""
        log = self.machine.console if self.machine else self.run
        detail = self.machine.tail() if self.machine else []
        self.down()
        self.report.add(case.name, 0, [f"no guest: {error}"], log=log, detail=detail)

    def seconds(self, case):
        """The time limit of a case on this kernel."""
        return case.timeout * self.kernel.patience

    def log(self, case):
        """Where its output goes."""
        return self.run / f"{case.name}.log"

    def one(self, case):
        """Runs one case; tells whether its guest must not be used again."""
        for share in self.machine.shares:
            share.clear()
        log = self.log(case)
        ktap, start = Ktap(), time.monotonic()
        progress = Progress(case.name) if self.env.get("RIG_LONG") else None
        order = {"run": [f"/rig/cases/{case.name}"], "name": case.name, "timeout": self.seconds(case), "check": True,
                 "env": self.env}
        with open(log, "w", encoding="utf-8", errors="surrogateescape") as out:
            def output(event):
                is_line, text = event["event"] == "line", event["text"]
                # When a line was said tells what takes long.
                out.write(f"{time.monotonic() - start:7.2f} {text}" if is_line else text)
                if is_line:
                    ktap.line(text.rstrip("\n"))
                if is_line and progress:
                    progress.line(text.rstrip("\n"))
            try:
                done = self.agent.run(order, self.seconds(case) + self.grace, output)
            except GuestGone as error:
                return self.lost(case, error, start, out)
            finally:
                if progress:
                    progress.stop()
            for fault in done["faults"]:
                out.write(f"# fault: {fault}\n")
        faults = expected(case, self.faults(done, ktap))
        self.report.add(case.name, time.monotonic() - start, faults, ktap.skipped, log, ktap.notes if faults else ())
        return self.agent.desk.dead() or (bool(done["faults"]) and not case.expect)

    @staticmethod
    def faults(done, ktap):
        """What keeps the case from being a pass: the checks first, then its own results."""
        faults = list(done["faults"])
        if not done["timed_out"]:
            faults += ktap.faults()
            if done["status"] and not ktap.failed:
                faults.append(f"the case ended with status {done['status']}")
        return faults

    def lost(self, case, error, start, out):
        """A guest that died or went silent: its stacks, then its end."""
        self.agent.desk.settle()
        if self.machine.alive():
            self.machine.sysrq("wt")
        lines = self.machine.tail(5000)
        out.writelines(line + "\n" for line in lines)
        self.report.add(case.name, time.monotonic() - start, [str(error)], log=self.machine.console,
                        detail=telling(lines))
        return True


def expected(case, faults):
    """A case that expects a fault passes only if the checks found it."""
    if not case.expect:
        return faults
    if any(re.search(case.expect, fault) for fault in faults):
        return []
    return [f"the verdict overlooked what it must see: {case.expect}", *faults]


def stuck_early(console):
    """Whether a kernel has begun, but run no program, and said nothing of a crash."""
    return bool(console) and FIRST_PROGRAM not in console and not CRASH.search(console)


def telling(lines):
    """The part of a console's log that says most: from the first sign of a crash on, else the end."""
    for number, line in enumerate(lines):
        if CRASH.search(line):
            return lines[number:number + 15]
    return [line for line in lines if line.strip()][-15:]


def own(run):
    """Gives the run's files to the calling user, who may not be root."""
    uid, gid = (int(part) for part in os.environ.get("RFUSE_USER", "0:0").split(":"))
    for folder, _, names in os.walk(run):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(path, uid, gid, follow_symlinks=False)
