# SPDX-License-Identifier: GPL-2.0
"""The guest with all clients."""

import base64
import dataclasses
import gzip

from rig import files, kernel
from rig.agent import Agent, GuestGone
from rig.machine import Machine
from rig.share import Share

from . import places
from .sides import SIDES, device

BOOT_SECONDS = 90
PING = "ping"
# As Debian boots it: pages are zeroed when they are allocated, for both.
KERNEL_OPTIONS = "init_on_alloc=1"
SERVER_OPTIONS = "--cache=auto --seccomp=none"
# {tag: (side, options of its server)}: one directory for all.
DEVICES = {device(side, writeback): (side, SERVER_OPTIONS + " --writeback" * writeback)
           for writeback in (False, True) for side in SIDES}
# The kernel's own driver has every device at first.
BIND_PING = f"""
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
for fs in /sys/fs/virtiofs/*; do
	[ "$(cat "$fs/tag")" != {PING} ] || device=$(readlink -f "$fs/device")
done
echo "${{device##*/}}" > /sys/bus/virtio/drivers/virtiofs/unbind
insmod /rig/bench/bench_ping.ko
[ -e /sys/kernel/debug/bench_ping/run ]
"""
SYMBOLS = "echo 0 > /proc/sys/kernel/kptr_restrict; grep -i ' [tw] ' /proc/kallsyms | gzip -1 | base64 -w 0"


class Guest:
    """A guest with these devices of DEVICES, and one for empty requests, all on the same directory."""

    def __init__(self, folder, devices=(), *, accel="tcg", cpus=1, late_us=0, extra=(), limit=1800, label="bench",
                 programs=()):
        env = {"LD_PRELOAD": str(places.BIN / "late.so"), "LATE_US": str(late_us)} if late_us else {}
        shares = [Share(tag, places.TREE, folder, options, env)
                  for tag, options in (*((tag, DEVICES[tag][1]) for tag in devices), (PING, SERVER_OPTIONS))]
        self.devices = devices
        ours = [places.BIN / "opbench", places.BIN / "null", *places.MODULES.glob("*.ko"), *places.GUEST.glob("*.py"),
                places.GUEST / "snapshot"]
        carried = {f"rig/bench/{path.name}": path for path in ours}
        carried |= {f"rig/guest/bin/{name}": files.program(name) for name in programs}
        stock = dataclasses.replace(kernel.stock(), options=KERNEL_OPTIONS)
        self.machine = Machine(
            folder, shares, kernel=stock, accel=accel, cpus=cpus, limit=limit, label=label, extra=extra,
            files=files.guest_files([], stock, files.stripped_module(folder, stock), carried))
        self.agent = None
        self.scripts = 0

    def __enter__(self):
        self.machine.start()
        self.agent = Agent(self.machine)
        faults = self.agent.ready(BOOT_SECONDS)["faults"]
        if faults:
            raise GuestGone(f"the kernel complained while booting: {faults[0]}")
        return self

    def __exit__(self, *_):
        self.machine.stop()

    def run(self, command, seconds=60, line=None, check=False):
        """Runs a shell command; its lines of output, which `line` gets as they come."""
        self.scripts += 1
        return self.agent.shell(command, f"bench{self.scripts}", seconds, line=line, check=check)

    def mount(self, mode="ro"):
        """Mounts all below /tmp, and binds the last device."""
        for tag in self.devices:
            side = SIDES[DEVICES[tag][0]]
            options = ",".join(filter(None, (mode, side.options)))
            self.run(f"mkdir -p {directory(tag)}; mount -t {side.fs} -o {options} {tag} {directory(tag)}")
        self.run(BIND_PING)

    def unmount(self):
        """Unmounts all and unloads the module; a complaint of the kernel since the boot is an error."""
        self.run("\n".join(["rmmod bench_ping", *(f"umount {directory(tag)}" for tag in self.devices)]), check=True)

    def symbols(self):
        """/proc/kallsyms: functions of the kernel and of what is loaded."""
        return gzip.decompress(base64.b64decode(self.run(SYMBOLS)[-1])).decode()


def directory(tag):
    """Where a device is mounted."""
    return f"/tmp/{tag}"


def devices_for(measured):
    """The tags that jobs or operations need, in the order of DEVICES."""
    needed = {device(side, one.writeback) for one in measured for side in one.sides}
    return [tag for tag in DEVICES if tag in needed]


def directories_for(one):
    """{side: directory} for a job or an operation."""
    return {side: directory(device(side, one.writeback)) for side in one.sides}


def need_symbols(folder):
    """Has a guest tell the kernel's symbols, once for each kernel; they do not move (nokaslr)."""
    path = places.kallsyms()
    if path.exists():
        return path
    print("bench: boots a guest once for the kernel's symbols", flush=True)
    with Guest(folder, label="symbols", limit=120) as guest:
        path.write_text(guest.symbols())
    return path
