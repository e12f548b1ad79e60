# SPDX-License-Identifier: GPL-2.0
"""Tests of how a guest that does not come up is judged."""

import unittest

from rig import runner

FIRST = "[    0.000000] clearcpuid: force-disabling\n[    1.543864] mtrr: your CPUs had inconsistent settings"


class StuckEarly(unittest.TestCase):
    """Only a kernel that ran nothing is booted once more."""

    def test_silent_after_it_has_begun(self):
        """The host was late."""
        self.assertTrue(runner.stuck_early(FIRST))

    def test_went_on(self):
        """Programs may have run, and the module with them."""
        self.assertFalse(runner.stuck_early(FIRST + "\n[    2.345678] rig: first program"))

    def test_crashed(self):
        """A crash is a crash."""
        self.assertFalse(runner.stuck_early(FIRST + "\n[    1.600000] BUG: kernel NULL pointer dereference"))

    def test_silent(self):
        """QEMU itself did not start."""
        self.assertFalse(runner.stuck_early(""))


if __name__ == "__main__":
    unittest.main()
