# SPDX-License-Identifier: GPL-2.0
"""The guest with both clients."""

import base64
import dataclasses
import gzip

from rig import files, kernel
from rig.agent import Agent, GuestGone
from rig.machine import Machine
from rig.share import Share

from . import places

BOOT_SECONDS = 90
# One file system for both: what differs is the client.
SIDES = {"c": "virtiofs", "rfuse": "rfuse"}
PING = "ping"
# As Debian boots it: pages are zeroed when they are allocated, for both.
KERNEL_OPTIONS = "init_on_alloc=1"
SERVER_OPTIONS = "--cache=auto --seccomp=none"
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
    """A guest with a device for each client, and one for empty requests, all on the same directory."""

    def __init__(self, folder, *, accel="tcg", cpus=1, late_us=0, extra=(), limit=1800, label="bench"):
        env = {"LD_PRELOAD": str(places.BIN / "late.so"), "LATE_US": str(late_us)} if late_us else {}
        shares = [Share(tag, places.TREE, folder, SERVER_OPTIONS, env) for tag in (*SIDES, PING)]
        ours = [places.BIN / "opbench", *places.MODULES.glob("*.ko"), *places.GUEST.glob("*.py"),
                places.GUEST / "snapshot"]
        programs = {f"rig/bench/{path.name}": path for path in ours}
        stock = dataclasses.replace(kernel.stock(), options=KERNEL_OPTIONS)
        self.machine = Machine(
            folder, shares, kernel=stock, accel=accel, cpus=cpus, limit=limit, label=label, extra=extra,
            files=files.guest_files([], stock, files.stripped_module(folder, stock), programs))
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
        """Mounts both below /tmp, and binds the third device; returns {side: directory}."""
        for tag, fs in SIDES.items():
            self.run(f"mkdir -p /tmp/{tag}; mount -t {fs} -o {mode} {tag} /tmp/{tag}")
        self.run(BIND_PING)
        return {tag: f"/tmp/{tag}" for tag in SIDES}

    def unmount(self):
        """Unmounts both and unloads the module; a complaint of the kernel since the boot is an error."""
        self.run("\n".join(["rmmod bench_ping", *(f"umount /tmp/{tag}" for tag in SIDES)]), check=True)

    def symbols(self):
        """/proc/kallsyms: functions of the kernel and of what is loaded."""
        return gzip.decompress(base64.b64decode(self.run(SYMBOLS)[-1])).decode()


def need_symbols(folder):
    """Has a guest tell the kernel's symbols, once for each kernel; they do not move (nokaslr)."""
    path = places.kallsyms()
    if path.exists():
        return path
    print("bench: boots a guest once for the kernel's symbols", flush=True)
    with Guest(folder, label="symbols", limit=120) as guest:
        path.write_text(guest.symbols())
    return path
