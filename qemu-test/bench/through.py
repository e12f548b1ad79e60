# SPDX-License-Identifier: GPL-2.0
"""Sequential reads and writes by libfuse's passthrough_hp, on both clients, with its data passed through and not."""

from .guest import Guest
from .rates import BEGIN, END, Result
from .sides import BASE

ABOUT = "libfuse's passthrough_hp, one file of 32 MiB in pieces of 1 MiB"
COLUMNS, UNIT = ("data", "job"), "MiB/s"
ROUNDS, QUICK_ROUNDS = 15, 5
CPUS = (2,)
WAYS = {"by the daemon": "--nopassthrough", "passed through": ""}
JOBS = ("read", "write")
RUNNERS = {BASE: "", "rfuse": "rfuse-run -t rfuse -- "}
# The file lies in memory; what it is mounted on does not.
START = """set -e
mkdir -p /dev/shm/source /tmp/{client}
{runner}/rig/guest/bin/fuse-passthrough_hp {way} /dev/shm/source /tmp/{client}
mountpoint -q /tmp/{client}
"""


def _once(guest, job):
    """What measures one client: nanoseconds of a MiB."""
    return lambda client: float(guest.run(f"python3 /rig/bench/sequential.py {job} /tmp/{client}/file", 120)[-1])


def run(folder, rounds, accel):
    """Boots a guest, and mounts both in it for each way; the results."""
    results = []
    with Guest(folder, accel=accel, cpus=CPUS[0], limit=1800, label="through",
               programs=("fuse-passthrough_hp", "rfuse-run")) as guest:
        guest.run(BEGIN)
        for way, switch in WAYS.items():
            for client, runner in RUNNERS.items():
                guest.run(START.format(client=client, runner=runner, way=switch))
            for job in JOBS:
                results.append(Result((way, job)))
                results[-1].measure(rounds, _once(guest, job))
            for client in RUNNERS:
                guest.run(f"umount /tmp/{client}")
            # It has the device open until it ends. The kernel knows 15 letters of its name.
            guest.run("while pgrep -x fuse-passthroug > /dev/null; do sleep 0.1; done")
        guest.run(END, check=True)
    return results
