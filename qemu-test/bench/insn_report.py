# SPDX-License-Identifier: GPL-2.0
"""Instructions: table, CSV, plot."""

from . import insn, plot
from .sides import BASE, USUAL, compared, row_about, row_name
from .table import aligned, pair, write_csv, write_markdown


def _comparisons(results):
    """A row each: a result, and the side that is compared with C."""
    return [(result, side) for result in results for side in compared(result.operation.sides)]


def _row(result, side):
    quotient, goal = result.ratio(side), result.operation.goal
    words = [row_about(result.operation.about, side), f"{result.client(BASE):,.0f}", f"{result.client(side):,.0f}",
             f"{quotient.median:.3f}", f"{quotient.spread:.1%}"]
    words += [f"{goal:.2f}", quotient.verdict(goal, insn.NOISY)] if goal else ["", ""]
    return words + [pair(*(result.event(each, event) for each in (BASE, side))) for event in insn.EVENTS]


def _table(results):
    return [["operation", "C", "rfuse", "ratio", "spread", "goal", "", *insn.EVENTS],
            *(_row(*each) for each in _comparisons(results))]


def table(results):
    """For the terminal."""
    return aligned(_table(results))


def _summary(result, side):
    quotient = result.ratio(side)
    return [row_name(result.operation.name, side), result.client(BASE), result.client(side),
            quotient.median, quotient.low, quotient.high, result.operation.goal,
            *(result.event(each, event) for event in insn.EVENTS for each in (BASE, side))]


def _rounds(result):
    for side in result.operation.sides:
        for number, cost in enumerate(result.clients[side]):
            events = [result.events[side][event][number] for event in insn.EVENTS]
            yield [result.operation.name, side, number, cost, *events]


def _bar(result, side):
    quotient, goal = result.ratio(side), result.operation.goal
    return plot.Bar(row_about(result.operation.about, side), quotient, goal, quotient.verdict(goal, insn.NOISY))


def write(name, results, machine):
    """Writes the files of that name; the summary's path."""
    events = [f"{event} {side}" for event in insn.EVENTS for side in (BASE, USUAL)]
    write_csv(f"{name}-rounds", machine, ["name", "client", "round", "instructions", *insn.EVENTS],
              [row for result in results for row in _rounds(result)])
    write_markdown(name, machine, _table(results))
    clients = [result for result in results if result.operation.goal]
    plot.bars(name, "Guest instructions of one operation: rfuse / C (less is better)", machine,
              [plot.Panel("rfuse / C", [_bar(*each) for each in _comparisons(clients)])])
    return write_csv(name, machine, ["name", "c", "rfuse", "ratio", "low", "high", "goal", *events],
                     [_summary(*each) for each in _comparisons(results)])
