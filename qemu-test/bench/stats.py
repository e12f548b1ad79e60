# SPDX-License-Identifier: GPL-2.0
"""Medians and spreads of rounds."""

import math
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
        if math.isnan(self.median):
            return "FAILED"
        if self.spread > limit:
            return "noisy"
        return "met" if self.median <= goal else "MISSED"


def median(values):
    """NaN of nothing."""
    return statistics.median(values) if values else math.nan


def ratio(base, other):
    """The ratio of two series whose members were measured in pairs; NaN where one side failed."""
    pairs = [b / a for a, b in zip(base, other, strict=True) if a] if len(base) == len(other) else []
    if not pairs:
        return Ratio(math.nan, math.nan, math.nan)
    if len(pairs) == 1:
        return Ratio(pairs[0], pairs[0], pairs[0])
    low, middle, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return Ratio(middle, low, high)
