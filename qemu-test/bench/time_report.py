# SPDX-License-Identifier: GPL-2.0
"""Wall and processor time, and counters: tables, CSV, plot."""

from . import plot, timing
from .sides import BASE, USUAL, compared, row_about, row_name
from .stats import median
from .table import aligned, pair, short, write_csv, write_markdown

HEAD = ["job", "", "C", "rfuse", "speed", "spread", "", "cpu C", "cpu rfuse", "cpu", "spread", "",
        "x ping C", "rfuse"]


def _comparisons(results):
    """A row each: a result, and the side that is compared with C."""
    return [(result, side) for result in results for side in compared(result.job.sides)]


def _amount(result, side):
    """Microseconds of one operation, or MiB a second."""
    wall = median(result.wall[side])
    return result.job.mib / wall * 1e9 if result.job.mib else wall / 1000


def _row(result, side, ping):
    speed, cost, both = result.speed(side), result.cost(side), (BASE, side)
    multiples = [short(median(result.wall[each]) / ping) for each in both]
    return [row_about(result.job.about, side), "MiB/s" if result.job.mib else "us",
            *(short(_amount(result, each)) for each in both),
            f"{speed.median:.2f}", f"{speed.spread:.0%}", speed.verdict(1, timing.NOISY, higher=True),
            *(short(median(result.busy[each]) / 1000) for each in both),
            f"{cost.median:.2f}", f"{cost.spread:.0%}", cost.verdict(1, timing.NOISY),
            *(["", ""] if result.job.mib else multiples)]


def _table(results, ping):
    return [HEAD, *(_row(*each, ping) for each in _comparisons(results))]


def table(results, ping):
    """For the terminal: times."""
    return aligned(_table(results, ping))


def _count(result, side, counter):
    return result.counts.get(side, {}).get(counter, float("nan"))


def _counts(result, side):
    """C's and that side's counts, a pair for each counter."""
    return [[_count(result, each, counter) for each in (BASE, side)] for counter in timing.COUNTERS]


def counters(results):
    """For the terminal: what one operation puts on the queues."""
    return aligned([["job (C/rfuse)", *timing.COUNTERS],
                    *([row_about(result.job.about, side), *(pair(*both) for both in _counts(result, side))]
                      for result, side in _comparisons(results))])


def _summary(result, side):
    speed, cost, both = result.speed(side), result.cost(side), (BASE, side)
    return [row_name(result.job.name, side), *(median(result.wall[each]) for each in both),
            speed.median, speed.low, speed.high, *(median(result.busy[each]) for each in both),
            cost.median, cost.low, cost.high, *(count for pair_of in _counts(result, side) for count in pair_of)]


def _rounds(result):
    for side in result.job.sides:
        for number, (wall, busy) in enumerate(zip(result.wall[side], result.busy[side])):
            yield [result.job.name, side, number, wall, busy]


def _panels(results):
    speed, cost = [], []
    for result, side in _comparisons(results):
        about, quick, cheap = row_about(result.job.about, side), result.speed(side), result.cost(side)
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
    counts = [f"{counter} {side}" for counter in timing.COUNTERS for side in (BASE, USUAL)]
    head = ["name", "c ns", "rfuse ns", "ratio", "low", "high", "c busy ns", "rfuse busy ns",
            "busy ratio", "busy low", "busy high", *counts]
    return write_csv(name, machine, head, [_summary(*each) for each in _comparisons(results)])
