# SPDX-License-Identifier: GPL-2.0
"""Rows of words, on the terminal and in CSV files."""

import csv

from . import places


def aligned(rows):
    """The first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(word.rjust(width) if column else word.ljust(width)
                  for column, (word, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def write_markdown(name, machine, rows):
    """build/bench/NAME.md: the table for a document."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|---" + "|---:" * (len(rows[0]) - 1) + "|")
    text = "\n".join([*lines, "", *(f"* {line}" for line in machine)])
    (places.OUT / f"{name}.md").write_text(text + "\n", encoding="utf-8")


def short(number):
    """A number with three digits that count."""
    if number != number:
        return "-"
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if abs(number) >= 0.001 else "0"


def pair(first, second):
    """C's and rfuse's figure in one column."""
    return f"{short(first)}/{short(second)}"


def write_csv(name, machine, head, rows):
    """build/bench/NAME.csv, with the machine in comments; the one before becomes NAME-previous.csv."""
    path = places.OUT / f"{name}.csv"
    if path.exists():
        path.replace(previous(name))
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.writelines(f"# {line}\n" for line in machine)
        writer = csv.writer(out)
        writer.writerow(head)
        writer.writerows(rows)
    return path


def previous(name):
    """Where the run before keeps its table."""
    return places.OUT / f"{name}-previous.csv"


def guest_of(path):
    """The line that tells which guest such a file is of."""
    with open(path, encoding="utf-8") as lines:
        return next((line.strip() for line in lines if line.startswith("# guest:")), "")


def read_csv(path):
    """The rows of such a file, each a {column: word}."""
    with open(path, encoding="utf-8") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))
