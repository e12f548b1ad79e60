# SPDX-License-Identifier: GPL-2.0
"""The virtual machine: QEMU's command line, its monitor and its end."""

import json
import os
import signal
import socket
import threading
import time

from . import cpio, paths
from .process import Process

KERNEL_OPTIONS = (
    "console=ttyS0 quiet loglevel=5 panic=-1 oops=panic nokaslr mitigations=off "
    # TCG runs string instructions slowly: page copies do without them. init_on_alloc costs guest time.
    "clearcpuid=rep_good init_on_alloc=0 "
    # A merged cache would hide what rfuse leaves behind.
    "slab_nomerge sysrq_always_enabled")
# Without these features the kernel picks the loops to copy and to zero that TCG translates best (it
# stores a byte at a time for `rep stosb`); 5-level paging makes every page walk longer.
TCG = ["-accel", "tcg,thread=multi", "-cpu",
       "max,la57=off,erms=off,fsrm=off,fsrs=off,fsrc=off,fzrm=off,avx=off,avx2=off"]
KVM = ["-accel", "kvm", "-cpu", "host"]

MONITOR_SECONDS = 10


def connect(folder, name):
    """A connection to the UNIX socket `name`; paths by descriptor, as their length is limited."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(f"/proc/self/fd/{descriptor}/{name}")
        return sock
    finally:
        os.close(descriptor)


def _socket(name, extra=""):
    return ["-chardev", f"socket,id={name},path={name}.sock,server=on,wait=off{extra}"]


class Machine:
    """One guest. `files` is what lies under /rig in it; `limit` bounds its life in seconds; `extra` is
    more of QEMU's command line."""

    def __init__(self, run, shares, *, kernel, accel="tcg", cpus=1, memory="2G", mode="test", fs="rfuse",
                 files, limit, label="boot", append="", extra=()):
        self.run, self.shares, self.kernel = run, shares, kernel
        self.accel, self.cpus, self.memory, self.mode, self.fs = accel, cpus, memory, mode, fs
        self.files, self.limit, self.label, self.append, self.extra = files, limit, label, append, extra
        self.console = run / f"{label}-console.log"
        self.process = self.timer = None
        self.interactive = mode == "shell"

    def _argv(self):
        append = (f"{KERNEL_OPTIONS} {self.kernel.options} {self.append} rig.mode={self.mode} rig.fs={self.fs} "
                  f"rig.patience={self.kernel.patience}")
        argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot",
                "-display", "none", "-machine", "q35,memory-backend=mem",
                "-object", f"memory-backend-memfd,id=mem,size={self.memory},share=on",
                "-m", self.memory, *(KVM if self.accel == "kvm" else TCG), "-smp", self.cpus,
                "-kernel", self.kernel.vmlinuz, "-initrd", f"{self.label}-initrd", "-append", append,
                "-drive", f"file={paths.IMAGE},format=raw,if=virtio,snapshot=on",
                "-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        if self.interactive:
            argv += ["-chardev", "stdio,id=con,signal=off"]
        else:
            argv += _socket("con", f",logfile={self.console.name}")
        argv += ["-serial", "chardev:con", *_socket("mon"), "-mon", "chardev=mon,mode=control"]
        for port in ("ctl", "host"):
            argv += [*_socket(port), "-device", f"virtserialport,chardev={port},name=rig.{port}"]
        for number, share in enumerate(self.shares):
            argv += ["-chardev", f"socket,id=fs{number},path={share.socket}", "-device",
                     f"vhost-user-fs-pci,chardev=fs{number},tag={share.tag},queue-size=1024,"
                     f"num-request-queues={share.queues}"]
        return [*argv, *self.extra]

    def start(self):
        """Starts the servers, then QEMU; returns when QEMU listens."""
        initrd = self.run / f"{self.label}-initrd"
        initrd.write_bytes(self.kernel.initrd.read_bytes() + cpio.archive(self.files))
        for share in self.shares:
            share.start()
        own = {"stdin": None, "stdout": None} if self.interactive else {}
        self.process = Process(self._argv(), self.run, self.run / f"{self.label}-qemu.log", **own)
        self.timer = threading.Timer(self.limit, self.process.popen.kill)
        self.timer.daemon = True
        self.timer.start()
        deadline = time.monotonic() + 10
        last = self.run / "host.sock"
        while not last.exists():
            if not self.process.alive() or time.monotonic() > deadline:
                raise RuntimeError(f"QEMU did not start: see {self.process.log}")
            time.sleep(0.02)
        monitor = connect(self.run, "mon.sock")
        # A server that does not answer can block QEMU, and so its monitor.
        monitor.settimeout(MONITOR_SECONDS)
        self.monitor = monitor.makefile("rwb", buffering=0)
        self.monitor.readline()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        """One monitor command; its answer, or None when QEMU has gone."""
        try:
            message = {"execute": name, "arguments": arguments}
            self.monitor.write(json.dumps(message).encode() + b"\n")
            while line := self.monitor.readline():
                answer = json.loads(line)
                if "return" in answer or "error" in answer:
                    return answer
        except (OSError, ValueError):
            pass
        return None

    def sysrq(self, keys):
        """Asks the kernel by a break on its console (the way that works when user space hangs)."""
        try:
            console = connect(self.run, "con.sock")
        except OSError:
            return
        with console:
            for key in keys:
                self.command("chardev-send-break", id="con")
                time.sleep(0.1)
                console.sendall(key.encode())
                # The serial console is slow; a list of all tasks takes seconds.
                time.sleep(5)

    def alive(self):
        """Whether the guest still runs."""
        return bool(self.process) and self.process.alive()

    def crash(self):
        """What QEMU said when a signal ended it that it raised itself; else nothing."""
        if not self.process or (self.process.popen.poll() or 0) != -signal.SIGABRT:
            return ""
        lines = self.process.log.read_text(errors="replace").splitlines()
        return f"QEMU crashed ({lines[-1] if lines else 'without a word'})"

    def stop(self):
        """Ends the guest and its servers, and removes what only they needed."""
        if self.timer:
            self.timer.cancel()
        if self.process:
            self.process.signal(9)
            self.process.popen.wait()
        for share in self.shares:
            share.stop()
        for name in ("con", "mon", "ctl", "host"):
            (self.run / f"{name}.sock").unlink(missing_ok=True)
        (self.run / f"{self.label}-initrd").unlink(missing_ok=True)

    def tail(self, lines=15):
        """The end of the console's log."""
        if not self.console.exists():
            return []
        return self.console.read_text(errors="replace").splitlines()[-lines:]
