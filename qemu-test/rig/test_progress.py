# SPDX-License-Identifier: GPL-2.0
"""Tests of what is shown of a long case."""

import contextlib
import io
import time
import unittest
from unittest import mock

from rig import progress


class Lines(unittest.TestCase):
    """What comes to the terminal."""

    def shown(self, *lines, silence=60.0, wait=0.0):
        """The terminal's lines, without their times."""
        with mock.patch.object(progress, "SILENCE", silence), mock.patch.object(progress, "TICK", 0.01), \
                contextlib.redirect_stdout(io.StringIO()) as out:
            one = progress.Progress("walk")
            for line in lines:
                one.line(line)
            time.sleep(wait)
            one.stop()
            one.join()
        return [line.split(" ", 2)[2] for line in out.getvalue().splitlines()]

    def test_marked_lines(self):
        """And no others."""
        self.assertEqual(self.shown("ok 1 - one", "# progress: half", "ok 2 - two"), ["walk: half"])

    def test_silence_is_broken(self):
        """By the latest line, whatever it was."""
        shown = self.shown("# progress: half", "ok 2 - two", silence=0.05, wait=0.4)
        self.assertEqual(shown[0], "walk: half")
        self.assertGreater(len(shown), 1)
        self.assertTrue(all(line.endswith(", 2 lines, the latest: ok 2 - two") for line in shown[1:]), shown)


if __name__ == "__main__":
    unittest.main()
