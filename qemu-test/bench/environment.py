# SPDX-License-Identifier: GPL-2.0
"""What a result was measured on."""

import os
import subprocess

from rig import paths

from .guest import SERVER_OPTIONS


def _first_line(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.splitlines()[0]


def _processor():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(os.sched_getaffinity(0))} cores"


def describe(accel, cpus, version):
    """The machine, one fact a line."""
    return [f"host: {_processor()}, load {os.getloadavg()[0]:.1f} at the start",
            f"guest: {accel}, {cpus} cpu, kernel {paths.kernel_version()}, rfuse {version}",
            f"{_first_line('qemu-system-x86_64', '--version')}",
            f"{_first_line(paths.VIRTIOFSD, '--version')} --xattr --posix-acl {SERVER_OPTIONS}"]
