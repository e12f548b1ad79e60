# SPDX-License-Identifier: GPL-2.0
"""Wall and processor time, and counters: tables, CSV, plot."""

from . import plot, timing
from .stats import median
from .table import aligned, pair, short, write_csv, write_markdown

SIDES = timing.SIDES
HEAD = ["job", "", "C", "rfuse", "speed", "spread", "", "cpu C", "cpu rfuse", "cpu", "spread", "",
        "x ping C", "rfuse"]


def _amount(result, side):
    """Microseconds of one operation, or MiB a second."""
    wall = median(result.wall[side])
    return result.job.mib / wall * 1e9 if result.job.mib else wall / 1000


def _row(result, ping):
    speed, cost = result.speed(), result.cost()
    multiples = [short(median(result.wall[side]) / ping) for side in SIDES]
    return [result.job.about, "MiB/s" if result.job.mib else "us",
            *(short(_amount(result, side)) for side in SIDES),
            f"{speed.median:.2f}", f"{speed.spread:.0%}", speed.verdict(1, timing.NOISY, higher=True),
            *(short(median(result.busy[side]) / 1000) for side in SIDES),
            f"{cost.median:.2f}", f"{cost.spread:.0%}", cost.verdict(1, timing.NOISY),
            *(["", ""] if result.job.mib else multiples)]


def _table(results, ping):
    return [HEAD, *(_row(result, ping) for result in results)]


def table(results, ping):
    """For the terminal: times."""
    return aligned(_table(results, ping))


def _count(result, side, counter):
    return result.counts.get(side, {}).get(counter, float("nan"))


def counters(results):
    """For the terminal: what one operation puts on the queues."""
    return aligned([["job (C/rfuse)", *timing.COUNTERS],
                    *([result.job.about, *(pair(*(_count(result, side, counter) for side in SIDES))
                                           for counter in timing.COUNTERS)] for result in results)])


def _summary(result):
    speed, cost = result.speed(), result.cost()
    return [result.job.name, *(median(result.wall[side]) for side in SIDES), speed.median, speed.low, speed.high,
            *(median(result.busy[side]) for side in SIDES), cost.median, cost.low, cost.high,
            *(_count(result, side, counter) for counter in timing.COUNTERS for side in SIDES)]


def _rounds(result):
    for side in SIDES:
        for number, (wall, busy) in enumerate(zip(result.wall[side], result.busy[side])):
            yield [result.job.name, side, number, wall, busy]


def _panels(results):
    speed, cost = [], []
    for result in results:
        about, quick, cheap = result.job.about, result.speed(), result.cost()
        speed.append(plot.Bar(about, quick, 1, quick.verdict(1, timing.NOISY, higher=True)))
        cost.append(plot.Bar(about, cheap, 1, cheap.verdict(1, timing.NOISY)))
    return [plot.Panel("speed: C's time / rfuse's (more is better)", speed),
            plot.Panel("processor time: rfuse / C (less is better)", cost)]


def write(name, results, ping, machine):
    """Writes the files of that name; the summary's path."""
    write_markdown(name, machine, _table(results, ping))
    write_csv(f"{name}-rounds", machine, ["name", "client", "round", "wall ns", "busy ns"],
              [row for result in results for row in _rounds(result)])
    plot.bars(name, "rfuse beside the kernel's C client", machine, _panels(results))
    counts = [f"{counter} {side}" for counter in timing.COUNTERS for side in SIDES]
    head = ["name", "c ns", "rfuse ns", "ratio", "low", "high", "c busy ns", "rfuse busy ns",
            "busy ratio", "busy low", "busy high", *counts]
    return write_csv(name, machine, head, [_summary(result) for result in results])
