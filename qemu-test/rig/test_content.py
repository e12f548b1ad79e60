# SPDX-License-Identifier: GPL-2.0
"""Judging what is read from the server that lies (guest/hostile.py)."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "guest"))

import hostile


class WrittenTest(unittest.TestCase):
    """A file below `rw`."""

    TAG, OTHER = 3902, 902

    def faults(self, part, lies):
        """Whether something is wrong with it, as page 0."""
        return bool(hostile.Written(self.TAG, lies=lies).fault(0, part))

    def test_own_content(self):
        """Whole, cut, and with holes."""
        own = hostile.page(self.TAG, 0)
        for part in (own, own[:6] + bytes(3000), bytes(100) + own[100:]):
            self.assertFalse(self.faults(part, lies=False))

    def test_content_of_others(self):
        """A lie may have led there, however little is left of it."""
        other = hostile.page(self.OTHER, 0)
        for part in (other, other[:6] + bytes(3000), other[:200] + bytes(50) + other[250:256] + bytes(100)):
            self.assertFalse(self.faults(part, lies=True))
            self.assertTrue(self.faults(part, lies=False))

    def test_wrong_content(self):
        """What no file has, or not there."""
        for part in (b"\xff\xfe\x01\x02\x03\x04\x05\x06" * 100, hostile.page(self.TAG, 5)):
            self.assertTrue(self.faults(part, lies=True))
