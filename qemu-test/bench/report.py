# SPDX-License-Identifier: GPL-2.0
"""Tables on the terminal and in files."""

import csv

from . import insn, places


def aligned(rows):
    """Rows of words as text: the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(word.rjust(width) if column else word.ljust(width)
                  for column, (word, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def pair(result, event):
    """C's and rfuse's count of an event."""
    return "/".join(f"{result.event(side, event):.2f}".rstrip("0").rstrip(".") for side in insn.SIDES)


def insn_row(result):
    """One operation's words."""
    quotient, goal = result.ratio(), result.operation.goal
    words = [result.operation.about, f"{result.client('c'):,.0f}", f"{result.client('rfuse'):,.0f}",
             f"{quotient.median:.3f}", f"{quotient.spread:.1%}"]
    words += [f"{goal:.2f}", quotient.verdict(goal, insn.NOISY)] if goal else ["", ""]
    return words + [pair(result, event) for event in insn.EVENTS]


def insn_table(results):
    """The instructions of each operation."""
    head = ["operation (C/rfuse)", "C", "rfuse", "ratio", "spread", "goal", "", *insn.EVENTS]
    return aligned([head, *map(insn_row, results)])


def insn_csv(results, machine):
    """build/bench/insn.csv: every round."""
    path = places.OUT / "insn.csv"
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.writelines(f"# {line}\n" for line in machine)
        writer = csv.writer(out)
        writer.writerow(["operation", "client", "round", "instructions", *insn.EVENTS])
        for result in results:
            for side in insn.SIDES:
                for number, cost in enumerate(result.clients[side]):
                    events = [f"{result.events[side][event][number]:.3f}" for event in insn.EVENTS]
                    writer.writerow([result.operation.name, side, number, f"{cost:.1f}", *events])
    return path
