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
        self.assertEqual((result.speed("rfuse").median, result.cost("rfuse").median), (2, 1))
        result.add(json.dumps({"job": "stat", "side": "rfuse", "round": 1, "error": "OSError: no"}))
        self.assertEqual(len(result.errors), 1)

    def test_fio(self):
        """Its reads or its writes, as the job says; what it prints before its JSON is left out."""
        out = "hooks\n" + json.dumps({"jobs": [{"read": {"total_ios": 1, "runtime": 2},
                                                "write": {"total_ios": 30, "runtime": 40}}]}, indent=1)
        job = next(job for job in jobs.table() if job.name == "buffered-random-write-4k-4").plan()
        with mock.patch.object(measure, "run", return_value=out), mock.patch.object(measure, "drop_caches"), \
                mock.patch.object(measure, "taken", side_effect=[[Snapshots.BEFORE], [Snapshots.AFTER]]):
            self.assertEqual(measure.Fio(job).run("/tmp/c", False)[:2], (30, 40_000_000))

    def test_a_program_is_cleaned_up_after(self):
        """What prepares it comes first; what cleans up comes last, also when it fails."""
        order = []

        def run(words, **_):
            order.append(words[-1])
            if words[-1] == "fails":
                raise OSError
            return "snapshot\n" + Snapshots.BEFORE

        with mock.patch.object(measure, "run", run), mock.patch.object(measure, "drop_caches"):
            job = {"words": ["true"], "ops": 1, "before": "before", "after": "after"}
            measure.Command(job).run("/", False)
            with self.assertRaises(OSError):
                measure.Command(job | {"words": ["fails"]}).run("/", False)
        self.assertEqual((order[0], order.count("before"), order.count("after"), order[-2:]),
                         ("before", 2, 2, ["fails", "after"]))


class Plugin(unittest.TestCase):
    """plugin/insn.c's files."""

    HEAD = ("fs\tround\top\tops\tuser\tkernel\tmodule\tirq\tidle\ttick\tsyscalls\tfaults\tswitches\twakeups"
            "\tkicks\tinterrupts\tipis\tticks\n")

    def test_table(self):
        """What writes back has a twin for servers with --writeback, and a third side; nothing else has."""
        table = insn.parse("statx\tforced\t0.75\t0\nrename\trename\t0.7\t1\nwrite-4k\twrite\t0.5\t2\n")
        self.assertEqual({name: one.tags for name, one in table.items()},
                         {"statx": ["c", "rfuse"], "rename": ["c", "rfuse"], "write-4k": ["c", "rfuse", "inplace"],
                          "write-4k-wb": ["c-wb", "rfuse-wb", "inplace-wb"]})
        self.assertEqual(table["write-4k-wb"].op, "write-4k")

    def read(self, table, *rows):
        """The results of some lines."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "insn.tsv"
            path.write_text(self.HEAD + "".join(rows), encoding="ascii")
            return insn.read(path, insn.parse(table))

    def test_sides(self):
        """A device's name tells the side and the kind of server."""
        rows = [f"{side}{kind}\t0\twrite-4k\t10\t5\t{cost}\t0\t9\t9\t9\t10\t0\t30\t20\t10\t10\t0\t0\n"
                for kind, costs in (("", (100, 50, 60)), ("-wb", (200, 40, 20)))
                for side, cost in zip(("c", "rfuse", "inplace"), costs)]
        results = self.read("write-4k\twrite\t0.5\t2\n", *rows)
        self.assertEqual([(result.operation.name, result.ratio("rfuse").median, result.ratio("inplace").median)
                          for result in results], [("write-4k", 0.5, 0.6), ("write-4k-wb", 0.2, 0.1)])
        self.assertTrue(all(result.complete for result in results))
        self.assertFalse(self.read("write-4k\twrite\t0.5\t2\n", *rows[:2])[0].complete)

    def test_counts(self):
        """What a client costs is its kernel and module instructions."""
        rows = ["c\t0\tstatx\t10\t5\t200\t0\t9\t9\t9\t10\t0\t30\t20\t10\t10\t0\t0\n",
                "rfuse\t0\tstatx\t10\t5\t90\t30\t9\t9\t9\t10\t0\t20\t10\t10\t10\t0\t0\n"]
        result, = self.read("statx\tforced\t0.75\t0\n", *rows)
        self.assertEqual((result.client("c"), result.client("rfuse")), (20, 12))
        self.assertEqual(result.event("rfuse", "switches"), 2)
        self.assertEqual(result.ratio("rfuse"), Ratio(0.6, 0.6, 0.6).widened(insn.BOOTS))

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
