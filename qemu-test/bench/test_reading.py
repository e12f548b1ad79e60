# SPDX-License-Identifier: GPL-2.0
"""Tests of what reads the guest's and the plugin's words."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bench import agreement, insn, jobs, profile, timing
from bench.in_guest import measure
from bench.stats import Ratio


class Snapshots(unittest.TestCase):
    """in_guest/snapshot's text."""

    BEFORE = "10.00 5.00\ncpu  1 0 2 500 30 0 1 0 0 0\n5 20 4 3\n"
    AFTER = "12.50 6.00\ncpu  9 0 9 600 30 0 1 0 0 0\n15 50 9 8\n"

    def test_busy_is_what_is_not_idle(self):
        """2.5 s of one processor, of which one was idle."""
        with mock.patch.object(measure, "PROCESSORS", 1), mock.patch.object(measure, "TICK", 10_000_000):
            self.assertEqual(measure.busy_between(self.BEFORE, self.AFTER), 1_500_000_000)

    def test_counters(self):
        """In the module's order."""
        self.assertEqual(measure.counts_between(self.BEFORE, self.AFTER),
                         {"requests": 10, "descriptors": 30, "kicks": 5, "interrupts": 5})


class Measurements(unittest.TestCase):
    """Lines of in_guest/measure.py."""

    def test_a_result(self):
        """Times are kept by operation; an error and a stray line are not taken for times."""
        result = timing.Result(jobs.table()[0])
        line = {"job": "stat", "side": "c", "round": 0, "ops": 4, "wall": 400, "busy": 200}
        result.add(json.dumps(line))
        result.add(json.dumps(line | {"side": "rfuse", "wall": 200}))
        result.add("Traceback (most recent call last):")
        self.assertEqual((result.wall, result.busy), ({"c": [100], "rfuse": [50]}, {"c": [50], "rfuse": [50]}))
        self.assertEqual((result.speed().median, result.cost().median), (2, 1))
        result.add(json.dumps({"job": "stat", "side": "rfuse", "round": 1, "error": "OSError: no"}))
        self.assertEqual(len(result.errors), 1)

    def test_names_are_unique(self):
        """A job is chosen by its name."""
        names = [job.name for job in jobs.table()]
        self.assertEqual(len(names), len(set(names)))


class Plugin(unittest.TestCase):
    """plugin/insn.c's files."""

    HEAD = ("fs\tround\top\tops\tuser\tkernel\tmodule\tirq\tidle\ttick\tsyscalls\tfaults\tswitches\twakeups"
            "\tkicks\tinterrupts\tipis\tticks\n")

    def test_counts(self):
        """What a client costs is its kernel and module instructions."""
        rows = ["c\t0\tstatx\t10\t5\t200\t0\t9\t9\t9\t10\t0\t30\t20\t10\t10\t0\t0\n",
                "rfuse\t0\tstatx\t10\t5\t90\t30\t9\t9\t9\t10\t0\t20\t10\t10\t10\t0\t0\n"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "insn.tsv"
            path.write_text(self.HEAD + "".join(rows), encoding="ascii")
            result, = insn.read(path, {"statx": insn.Operation("statx", "", 0.75, False)})
        self.assertEqual((result.client("c"), result.client("rfuse")), (20, 12))
        self.assertEqual(result.event("rfuse", "switches"), 2)
        self.assertEqual(result.ratio(), Ratio(0.6, 0.6, 0.6).widened(insn.BOOTS))

    def test_profile(self):
        """Slots go to the function they lie in; only a function's first one counts its calls."""
        functions = profile.Functions("ffffffff81000000 T first\nffffffff81000030 t second\n")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "c.0.statx"
            path.write_text("ffffffff81000000 10 1 99 99 2\nffffffff81000020 5 0 0 0 7\n"
                            "ffffffff81000030 4 0 0 0 1\n", encoding="ascii")
            insns, calls = profile.load(path, functions)
        self.assertEqual((insns, calls), ({"first": 16, "second": 4}, {"first": 2, "second": 1}))


class Runs(unittest.TestCase):
    """Two runs."""

    def test_those_apart_are_named(self):
        """And only those that both have are compared."""
        now = {"a": Ratio(1, 0.9, 1.1), "b": Ratio(2, 2, 2), "new": Ratio(1, 1, 1)}
        lines = agreement.compare(now, {"a": Ratio(1.1, 1, 1.2), "b": Ratio(3, 3, 3)})
        self.assertTrue(lines[0].startswith("1 of 2 "))
        self.assertEqual(lines[1:], ["  b: 2, before 3"])


if __name__ == "__main__":
    unittest.main()
