# SPDX-License-Identifier: GPL-2.0
"""Medians and spreads of rounds."""

import statistics
from dataclasses import dataclass


@dataclass
class Ratio:
    """The median of per-round ratios and the quartiles about it."""

    median: float
    low: float
    high: float

    @property
    def spread(self):
        """The distance of the quartiles in parts of the median."""
        return (self.high - self.low) / self.median if self.median else float("inf")

    def verdict(self, goal, limit):
        """'noisy' where the spread is beyond `limit`; else whether the ratio is at most `goal`."""
        if self.spread > limit:
            return "noisy"
        return "met" if self.median <= goal else "MISSED"


def ratio(base, other):
    """The ratio of two series whose members were measured in pairs."""
    pairs = [b / a for a, b in zip(base, other, strict=True) if a]
    if not pairs:
        return Ratio(float("nan"), float("nan"), float("nan"))
    if len(pairs) == 1:
        return Ratio(pairs[0], pairs[0], pairs[0])
    low, median, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return Ratio(median, low, high)
