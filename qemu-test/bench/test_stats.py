# SPDX-License-Identifier: GPL-2.0
"""Tests of the benchmark's arithmetic."""

import math
import unittest

from bench.stats import NONE, Ratio, median, ratio


class Ratios(unittest.TestCase):
    """Pairs, quartiles, verdicts."""

    def test_pairs_not_medians(self):
        """A disturbance that meets both sides of a round leaves the ratio alone."""
        self.assertEqual(ratio([10, 100, 10], [5, 50, 5]), Ratio(0.5, 0.5, 0.5))

    def test_quartiles(self):
        """The middle half of the pairs."""
        self.assertEqual(ratio([1] * 5, [1, 2, 3, 4, 5]), Ratio(3, 2, 4))
        self.assertAlmostEqual(Ratio(3, 2, 4).spread, 2 / 3)

    def test_too_few_rounds(self):
        """They get no verdict."""
        self.assertEqual(ratio([1, 1], [2, 2], least=3).verdict(3, 0.1), "noisy")
        self.assertEqual(ratio([1, 1, 1], [2, 2, 2], least=3).verdict(3, 0.1), "met")

    def test_a_side_that_failed(self):
        """No ratio, no verdict."""
        self.assertTrue(math.isnan(ratio([1, 2], []).median))
        self.assertTrue(math.isnan(ratio([], []).median))
        self.assertTrue(math.isnan(ratio([0], [1]).median))
        self.assertEqual(NONE.verdict(1, 0.1), "FAILED")
        self.assertTrue(math.isnan(median([])))

    def test_verdict_of_a_maximum(self):
        """Costs."""
        self.assertEqual(Ratio(0.74, 0.73, 0.75).verdict(0.75, 0.1), "met")
        self.assertEqual(Ratio(0.76, 0.755, 0.77).verdict(0.75, 0.1), "MISSED")
        self.assertEqual(Ratio(0.76, 0.74, 0.77).verdict(0.75, 0.1), "even")
        self.assertEqual(Ratio(0.5, 0.4, 0.6).verdict(0.75, 0.1), "noisy")

    def test_verdict_of_a_minimum(self):
        """Speeds."""
        self.assertEqual(Ratio(1.2, 1.19, 1.22).verdict(1, 0.1, higher=True), "met")
        self.assertEqual(Ratio(0.98, 0.97, 1.01).verdict(1, 0.1, higher=True), "even")
        self.assertEqual(Ratio(0.9, 0.89, 0.91).verdict(1, 0.1, higher=True), "MISSED")

    def test_agreement(self):
        """Of two runs, by the spreads that they state."""
        self.assertTrue(Ratio(1.0, 0.95, 1.05).agrees(Ratio(1.11, 1.10, 1.12)))
        self.assertFalse(Ratio(1.0, 0.95, 1.05).agrees(Ratio(1.13, 1.12, 1.14)))
        self.assertFalse(Ratio(1.0, 0.99, 1.01).agrees(Ratio(1.08, 1.07, 1.09)))
        self.assertFalse(NONE.agrees(NONE))

    def test_between_boots(self):
        """A spread that is smaller than what another boot changes is not believed."""
        self.assertEqual(Ratio(2, 2, 2).widened(0.04), Ratio(2, 1.96, 2.04))
        self.assertEqual(Ratio(2, 1, 3).widened(0.04), Ratio(2, 1, 3))


if __name__ == "__main__":
    unittest.main()
