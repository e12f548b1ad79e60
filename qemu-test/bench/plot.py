# SPDX-License-Identifier: GPL-2.0
"""Plots of ratios, as SVG and PNG."""

import math
from dataclasses import dataclass

import matplotlib

from . import places
from .stats import Ratio

matplotlib.use("Agg")
# pylint: disable=wrong-import-position
from matplotlib import pyplot  # noqa: E402

COLOURS = {"met": "#2a7f62", "even": "#8a8f3c", "MISSED": "#b3412f", "noisy": "#b8b8b8"}
LEGEND = "green: goal met; red: missed; olive: within the spread; grey: too noisy; whiskers: quartiles"
ROW_INCHES = 0.22


@dataclass
class Bar:
    """One ratio, with the goal that it is held against and the verdict."""

    name: str
    ratio: Ratio
    goal: float
    verdict: str


@dataclass
class Panel:
    """One axis of bars."""

    title: str
    bars: list


def _whisker(ratio):
    """The distances of the quartiles, where there are any."""
    return (ratio.median - ratio.low, ratio.high - ratio.median) if math.isfinite(ratio.high) else (0, 0)


def _draw(axes, panel):
    bars = [bar for bar in panel.bars if bar.verdict in COLOURS]
    rows = range(len(bars))
    medians = [bar.ratio.median for bar in bars]
    whiskers = list(zip(*(_whisker(bar.ratio) for bar in bars)))
    axes.barh(rows, medians, xerr=whiskers, color=[COLOURS[bar.verdict] for bar in bars],
              error_kw={"elinewidth": 0.8})
    axes.plot([bar.goal for bar in bars], rows, "k|", markersize=9)
    axes.axvline(1, color="black", linewidth=0.6)
    axes.set_yticks(rows, [bar.name for bar in bars], fontsize=7)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_title(panel.title, fontsize=9)
    axes.tick_params(axis="x", labelsize=7)


def bars(name, title, machine, panels):
    """Writes build/bench/NAME.svg and .png. Whiskers are quartiles, ticks the goals, grey is noisy."""
    height = 1.8 + ROW_INCHES * max(len(panel.bars) for panel in panels)
    figure, axes = pyplot.subplots(1, len(panels), figsize=(7 * len(panels), height), squeeze=False)
    for one, panel in zip(axes[0], panels):
        _draw(one, panel)
    figure.suptitle(title, fontsize=11)
    figure.text(0.01, 0.005, "\n".join([*machine, LEGEND]), fontsize=6, va="bottom")
    figure.tight_layout(rect=(0, 0.5 / height, 1, 1))
    for kind in ("svg", "png"):
        figure.savefig(places.OUT / f"{name}.{kind}", dpi=130)
    pyplot.close(figure)
