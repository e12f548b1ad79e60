# SPDX-License-Identifier: GPL-2.0
"""Tests of who takes part, and of the rows that come of it."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bench import agreement, guest, jobs, places, table, time_report, timing

JOBS = {job.name: job for job in jobs.table()}


def result_of(name, walls):
    """A job's result with three rounds of these times in all."""
    result = timing.Result(JOBS[name])
    for number in range(timing.LEAST):
        for side, wall in walls.items():
            line = {"job": name, "side": side, "round": number, "ops": 1, "wall": wall, "busy": wall}
            result.add(json.dumps(line))
    return result


class Table(unittest.TestCase):
    """The jobs."""

    def test_names_are_unique(self):
        """A job is chosen by its name, and a comparison of one is found by its own."""
        names = [time_report.row_name(job.name, side) for job in jobs.table()
                 for side in time_report.compared(job.sides)]
        self.assertEqual(len(names), len(set(names)))

    def test_who_takes_part(self):
        """The third client where something is written back; then servers of both kinds are there."""
        for job in JOBS.values():
            self.assertEqual("inplace" in job.sides, job.written_back, job.name)
            self.assertEqual(job.name + "-wb" in JOBS, job.written_back and not job.writeback, job.name)
            self.assertTrue(job.writes or not job.written_back, job.name)

    def test_what_must_be_there(self):
        """Jobs that were once missing, on both kinds of servers."""
        for name in ("untar", "git-checkout", "write-4k-fsync", "mmap-write-4k", "mmap-write-1m",
                     "buffered-random-write-4k-4", "buffered-sequential-write-4k-4"):
            self.assertEqual(guest.devices_for([JOBS[name], JOBS[f"{name}-wb"]]),
                             ["c", "rfuse", "inplace", "c-wb", "rfuse-wb", "inplace-wb"])
        self.assertTrue({"direct-random-write-4k-4", "create-storm", "unlink-storm", "rename-storm",
                         "mkdir-storm"} <= set(JOBS))


class Devices(unittest.TestCase):
    """What is mounted where."""

    def test_no_more_than_needed(self):
        """Reads alone want two."""
        self.assertEqual(guest.devices_for([JOBS["stat"]]), ["c", "rfuse"])

    def test_directories(self):
        """By side, of the job's kind of server."""
        self.assertEqual(guest.directories_for(JOBS["write-4k-wb"]),
                         {"c": "/tmp/c-wb", "rfuse": "/tmp/rfuse-wb", "inplace": "/tmp/inplace-wb"})

    def test_servers(self):
        """--writeback for those alone that are named so."""
        for tag, (_, options) in guest.DEVICES.items():
            self.assertEqual("--writeback" in options, tag.endswith("-wb"))


class Rows(unittest.TestCase):
    """Each client has a row of its own."""

    RESULTS = [result_of("stat", {"c": 10, "rfuse": 5}),
               result_of("write-4k-wb", {"c": 10, "rfuse": 5, "inplace": 20})]

    def test_table(self):
        """Named after what differs, with the client's own figures."""
        lines = time_report.table(self.RESULTS, 1).splitlines()
        self.assertEqual(len(lines), 4)
        self.assertTrue(lines[2].startswith("buffered write 4k, server --writeback  "), lines[2])
        self.assertTrue(lines[3].startswith("buffered write 4k, server --writeback, inplace  "), lines[3])
        self.assertIn(" 2.00 ", lines[2])
        self.assertIn(" 0.50 ", lines[3])
        self.assertIn("MISSED", lines[3])

    def test_files(self):
        """The summary has a line for each, which a later run finds by its name; the plot has a bar."""
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(places, "OUT", Path(folder)):
            path = time_report.write("time", self.RESULTS, 1, ["guest: this"])
            self.assertEqual({name: ratio.median for name, ratio in agreement.ratios(path).items()},
                             {"stat": 2, "write-4k-wb": 2, "write-4k-wb-inplace": 0.5})
            self.assertEqual(len(table.read_csv(Path(folder) / "time-rounds.csv")), 5 * timing.LEAST)
            time_report.write("time", self.RESULTS, 1, ["guest: this"])
            self.assertEqual(agreement.with_previous("time", path),
                             ["3 of 3 ratios agree with the run before within their spreads"])
            self.assertTrue((Path(folder) / "time.svg").stat().st_size)


if __name__ == "__main__":
    unittest.main()
