# SPDX-License-Identifier: GPL-2.0
"""Which accelerator runs the guest: KVM only where a bounded boot of this kernel proved that it does."""

import os

from . import kernel, paths
from .agent import Agent, GuestGone
from .files import guest_files
from .machine import Machine

PROBE_SECONDS = 20


def _boots(run):
    machine = Machine(run, [], kernel=kernel.stock(), accel="kvm", files=guest_files([]),
                      limit=PROBE_SECONDS, label="kvm-probe")
    try:
        machine.start()
        Agent(machine).ready(PROBE_SECONDS)
        return True
    except (GuestGone, RuntimeError, OSError):
        return False
    finally:
        machine.stop()


def choose(run):
    """'kvm' or 'tcg'. The probe's result is kept per kernel; a present /dev/kvm proves nothing."""
    if os.environ.get("RFUSE_ACCEL"):
        return os.environ["RFUSE_ACCEL"]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    stamp = paths.BUILD / f"kvm-probe-{paths.kernel_version()}"
    if not stamp.exists():
        print(f"# probes /dev/kvm once, at most {PROBE_SECONDS} s", flush=True)
        stamp.write_text("kvm" if _boots(run) else "tcg")
    return stamp.read_text()
