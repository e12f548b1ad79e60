# SPDX-License-Identifier: GPL-2.0
"""Tests of how a guest that does not come up is judged."""

import unittest

from rig import runner

FIRST = "SeaBIOS\n[    0.000000] clearcpuid: force-disabling\n[    0.068000] tsc: Unable to calibrate against PIT"


class StuckEarly(unittest.TestCase):
    """Only a kernel that ran nothing is booted once more."""

    def test_silent_since_the_first_second(self):
        """The host was late."""
        self.assertTrue(runner.stuck_early(FIRST))

    def test_went_on(self):
        """Programs may have run, and the module with them."""
        self.assertFalse(runner.stuck_early(FIRST + "\n[   12.345678] random: crng init done"))

    def test_crashed(self):
        """A crash is a crash."""
        self.assertFalse(runner.stuck_early(FIRST + "\n[    0.100000] BUG: kernel NULL pointer dereference"))

    def test_silent(self):
        """QEMU itself did not start."""
        self.assertFalse(runner.stuck_early(""))


if __name__ == "__main__":
    unittest.main()
