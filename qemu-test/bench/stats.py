# SPDX-License-Identifier: GPL-2.0
"""Medians and spreads of rounds."""

import math
import statistics
from dataclasses import dataclass


@dataclass
class Ratio:
    """The median of per-round ratios and the quartiles about it. All NaN: one side failed."""

    median: float
    low: float
    high: float

    @property
    def spread(self):
        """The distance of the quartiles in parts of the median."""
        return (self.high - self.low) / self.median if self.median else math.inf

    @property
    def is_stated(self):
        """Whether there are a median and a spread."""
        return math.isfinite(self.median) and math.isfinite(self.high)

    def verdict(self, goal, limit, higher=False):
        """What can be said about a goal that is a maximum (`higher`: a minimum): met, MISSED, 'even'
        when the goal lies between the median and a quartile, 'noisy' when the spread is beyond
        `limit`, FAILED without a ratio."""
        if math.isnan(self.median):
            return "FAILED"
        if self.spread > limit:
            return "noisy"
        sign = -1 if higher else 1
        if sign * self.median <= sign * goal:
            return "met"
        best = self.high if higher else self.low
        return "even" if sign * best <= sign * goal else "MISSED"

    def agrees(self, other):
        """Whether two medians are no farther apart than both their spreads allow."""
        return abs(self.median - other.median) <= (self.high - self.low) + (other.high - other.low)

    def widened(self, least):
        """With a spread of `least` parts of the median at the least: what one boot cannot see, as where
        the kernel's text and data come to lie."""
        half = self.median * least / 2
        return Ratio(self.median, min(self.low, self.median - half), max(self.high, self.median + half))


NONE = Ratio(math.nan, math.nan, math.nan)


def median(values):
    """NaN of nothing."""
    return statistics.median(values) if values else math.nan


def ratio(base, other, least=1):
    """other / base of two series whose members were measured in pairs; fewer than `least` pairs tell
    nothing about their spread."""
    if len(base) != len(other):
        return NONE
    pairs = [b / a for a, b in zip(base, other) if a]
    if not pairs:
        return NONE
    if len(pairs) < least:
        return Ratio(statistics.median(pairs), 0, math.inf)
    if len(pairs) == 1:
        return Ratio(pairs[0], pairs[0], pairs[0])
    low, middle, high = statistics.quantiles(pairs, n=4, method="inclusive")
    return Ratio(middle, low, high)
