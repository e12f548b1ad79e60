# SPDX-License-Identifier: GPL-2.0
"""The kernel log since a mark."""

import os
import re

# No case may make the kernel say any of these; there is no list of exceptions.
COMPLAINT = re.compile(
    r"\bBUG\b|\bWARNING\b|\bOops\b|KASAN|UBSAN|possible circular|possible recursive|inconsistent lock state"
    r"|suspicious RCU|lockdep is turned off|INFO: task|INFO: rcu|rcu_preempt detected|Call Trace"
    r"|general protection|kernel NULL pointer|unable to handle|soft lockup|hard LOCKUP|Bad page"
    r"|Objects remaining|refcount_t|list_(add|del) corruption|panicked at")


class KernelLog:
    """Reads /dev/kmsg; records are kept from the last mark on."""

    def __init__(self):
        self.descriptor = os.open("/dev/kmsg", os.O_RDWR | os.O_NONBLOCK)
        self.records = []

    def read(self):
        """The records that were not read before."""
        fresh = []
        while True:
            try:
                record = os.read(self.descriptor, 8192).decode(errors="replace")
            except BlockingIOError:
                break
            except BrokenPipeError:
                fresh.append("rig: the kernel log overflowed")
                continue
            fresh.append(record.split(";", 1)[-1].split("\n", 1)[0])
        self.records += fresh
        return fresh

    def mark(self, name):
        """Forgets what came before; the mark itself goes to the log (and the console)."""
        os.write(self.descriptor, f"<4>rig: case {name}".encode())
        self.read()
        self.records = []

    def faults(self):
        """The lines since the mark that no verdict may ignore."""
        self.read()
        return [f"kernel log: {line}" for line in self.records if COMPLAINT.search(line)]
