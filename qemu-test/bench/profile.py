# SPDX-License-Identifier: GPL-2.0
"""Turns the plugin's histograms (plugin/hist.c) into instructions of each function, side by side."""

import bisect
import re
import subprocess
from collections import Counter

from .sides import BASE, compared, device, row_name

# Functions below this many instructions an operation are left out.
SMALLEST = 0.5
MODULE = " [rfuse]"


class Functions:
    """The function of an address, from /proc/kallsyms."""

    def __init__(self, kallsyms):
        found = {}
        for line in demangle(kallsyms).splitlines():
            address, _, name = line.split(maxsplit=2)
            found.setdefault(int(address, 16), name.replace("\t", " "))
        self.starts = sorted(found)
        self.names = [found[start] for start in self.starts]

    def at(self, address):
        """Its name, and whether the address is in the function's first 16 bytes."""
        place = bisect.bisect_right(self.starts, address) - 1
        if place < 0:
            return hex(address), False
        return self.names[place], address - self.starts[place] < 16


def demangle(text):
    """The text with Rust's symbols in readable form, without the crates' hashes."""
    done = subprocess.run(["c++filt"], check=True, input=text, stdout=subprocess.PIPE, text=True)
    return re.sub(r"\[[0-9a-f]{8,}\]", "", done.stdout)


def load(path, functions):
    """Instructions (task and irq) and calls by function of one histogram."""
    insns, calls = Counter(), Counter()
    with open(path, encoding="ascii") as lines:
        for line in lines:
            address, task, irq, _, _, entries = line.split()
            name, first = functions.at(int(address, 16))
            insns[name] += int(task) + int(irq)
            if first:
                calls[name] += int(entries)
    return insns, calls


def side_of(raw, tag, op, functions, count):
    """Per operation, over all rounds' histograms of that device."""
    insns, calls = Counter(), Counter()
    rounds = sorted(raw.glob(f"{tag}.*.{op}"))
    for path in rounds:
        some_insns, some_calls = load(path, functions)
        insns.update(some_insns)
        calls.update(some_calls)
    scale = 1 / (len(rounds) * count) if rounds else 0
    return {name: number * scale for name, number in insns.items()}, \
        {name: number * scale for name, number in calls.items()}


def text_of(op, profiles):
    """The table of one operation: what rfuse spends most on comes first."""
    (c_insns, c_calls), (r_insns, r_calls) = profiles
    c_sum, r_sum = sum(c_insns.values()), sum(r_insns.values())
    module = sum(number for name, number in r_insns.items() if name.endswith(MODULE))
    lines = [f"{op}: instructions (and calls) of one operation by function, idle and tick left out",
             f"{'C':>10} {'calls':>7} {'rfuse':>10} {'calls':>7} {'rfuse - C':>10}  function",
             f"{c_sum:10.0f} {'':7} {r_sum:10.0f} {'':7} {r_sum - c_sum:10.0f}  all",
             f"{'':18} {module:10.0f} {'':18}  {MODULE.strip()}"]
    for name in sorted(c_insns.keys() | r_insns.keys(),
                       key=lambda name: (-r_insns.get(name, 0), -c_insns.get(name, 0))):
        c, r = c_insns.get(name, 0), r_insns.get(name, 0)
        if max(c, r) >= SMALLEST:
            lines.append(f"{c:10.1f} {c_calls.get(name, 0):7.2f} {r:10.1f} {r_calls.get(name, 0):7.2f} "
                         f"{r - c:10.1f}  {name}")
    return "\n".join(lines) + "\n"


def write(raw, kallsyms, folder, results):
    """One file for each comparison."""
    functions = Functions(kallsyms)
    folder.mkdir(parents=True)
    for result in results:
        operation = result.operation
        profiles = {side: side_of(raw, device(side, operation.writeback), operation.op, functions, result.count)
                    for side in operation.sides}
        for side in compared(operation.sides):
            name = row_name(operation.name, side)
            (folder / f"{name}.txt").write_text(text_of(name, (profiles[BASE], profiles[side])))
