# SPDX-License-Identifier: GPL-2.0
"""Reads a case's KTAP output."""

import re

# How much of what a failed result says is shown.
MOST = 40
LINE = re.compile(r"^(not ok|ok) \d+\b\s*-?\s*(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\b\s*(.*))?$", re.IGNORECASE)


class Ktap:
    """Collects results line by line; `faults` and `skipped` are meaningful at the end."""

    def __init__(self):
        self.plan = None
        self.results = 0
        self.failed = []
        # What failed results said beside their names.
        self.notes = []
        self._telling = False
        self.reason = None

    def line(self, text):
        """Takes one line of output."""
        if match := LINE.match(text):
            self.results += 1
            self._telling = match[1] == "not ok"
            if self._telling:
                self.failed.append(text)
        elif self._telling and text.startswith("# "):
            self.notes = [*self.notes, text][-MOST:]
        elif match := PLAN.match(text):
            self.plan = int(match[1])
            if match[2] is not None:
                self.reason = match[2]

    @property
    def skipped(self):
        """Why the whole case was skipped, or None."""
        return self.reason if self.plan == 0 and not self.results else None

    def faults(self):
        """What keeps the output from being a pass."""
        if self.skipped is not None:
            return []
        faults = list(self.failed)
        if self.plan is None:
            faults.append("the output has no plan (1..N): the case ended early")
        elif self.plan != self.results:
            faults.append(f"the plan says {self.plan} results, there are {self.results}")
        elif not self.results:
            faults.append("the case checked nothing")
        return faults
