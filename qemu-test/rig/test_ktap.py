# SPDX-License-Identifier: GPL-2.0
"""Tests of what is kept of a case's output."""

import unittest

from rig.ktap import MOST, Ktap


def read(*lines):
    """What those lines make."""
    ktap = Ktap()
    for line in lines:
        ktap.line(line)
    return ktap


class Notes(unittest.TestCase):
    """What a failed result says is shown with it."""

    def test_only_of_failed_results(self):
        """What passes has nothing to tell."""
        ktap = read("ok 1 - first", "# fine", "not ok 2 - second", "# got: 1", "ok 3 - third", "# fine", "1..3")
        self.assertEqual(ktap.notes, ["# got: 1"])
        self.assertEqual(ktap.faults(), ["not ok 2 - second"])

    def test_the_end_says_most(self):
        """A traceback ends in what was raised."""
        ktap = read("not ok 1 - no exception", *(f"# {number}" for number in range(100)))
        self.assertEqual(len(ktap.notes), MOST)
        self.assertEqual(ktap.notes[-1], "# 99")


if __name__ == "__main__":
    unittest.main()
