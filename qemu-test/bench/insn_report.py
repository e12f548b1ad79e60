# SPDX-License-Identifier: GPL-2.0
"""Instructions: table, CSV, plot."""

from . import insn, plot
from .table import aligned, pair, write_csv, write_markdown


def _row(result):
    quotient, goal = result.ratio(), result.operation.goal
    words = [result.operation.about, f"{result.client('c'):,.0f}", f"{result.client('rfuse'):,.0f}",
             f"{quotient.median:.3f}", f"{quotient.spread:.1%}"]
    words += [f"{goal:.2f}", quotient.verdict(goal, insn.NOISY)] if goal else ["", ""]
    return words + [pair(*(result.event(side, event) for side in insn.SIDES)) for event in insn.EVENTS]


def _table(results):
    return [["operation", "C", "rfuse", "ratio", "spread", "goal", "", *insn.EVENTS], *map(_row, results)]


def table(results):
    """For the terminal."""
    return aligned(_table(results))


def _summary(result):
    quotient = result.ratio()
    return [result.operation.name, result.client("c"), result.client("rfuse"),
            quotient.median, quotient.low, quotient.high, result.operation.goal,
            *(result.event(side, event) for event in insn.EVENTS for side in insn.SIDES)]


def _rounds(result):
    for side in insn.SIDES:
        for number, cost in enumerate(result.clients[side]):
            events = [result.events[side][event][number] for event in insn.EVENTS]
            yield [result.operation.name, side, number, cost, *events]


def write(name, results, machine):
    """Writes the files of that name; the summary's path."""
    events = [f"{event} {side}" for event in insn.EVENTS for side in insn.SIDES]
    write_csv(f"{name}-rounds", machine, ["name", "client", "round", "instructions", *insn.EVENTS],
              [row for result in results for row in _rounds(result)])
    write_markdown(name, machine, _table(results))
    clients = [result for result in results if result.operation.goal]
    plot.bars(name, "Guest instructions of one operation: rfuse / C (less is better)", machine,
              [plot.Panel("rfuse / C", [plot.Bar(result.operation.about, result.ratio(), result.operation.goal,
                                                 result.ratio().verdict(result.operation.goal, insn.NOISY))
                                        for result in clients])])
    return write_csv(name, machine, ["name", "c", "rfuse", "ratio", "low", "high", "goal", *events],
                     [_summary(result) for result in results])
