# SPDX-License-Identifier: GPL-2.0
"""How much a second both clients do of something, or what one costs, measured in turns."""

from dataclasses import dataclass, field

from . import table
from .sides import BASE
from .stats import median, ratio
from .timing import BOOTS, LEAST, NOISY

CLIENTS = (BASE, "rfuse")
# Has a guest both devices, and gives the module up.
BEGIN, END = "modprobe rfuse; [ -e /dev/rfuse ] && [ -e /dev/fuse ]", "rmmod rfuse"


@dataclass
class Result:
    """All rounds of one thing; `key` are the columns that name it."""

    key: tuple
    # Whether the cost of one is shown, not how many there are in a second.
    is_cost: bool = False
    # Nanoseconds of one, or what it costs, by client.
    times: dict = field(default_factory=lambda: {client: [] for client in CLIENTS})

    def measure(self, rounds, once):
        """Rounds of both clients, in an order that alternates; `once` gives what one takes, or costs."""
        for turn in range(rounds):
            for client in CLIENTS[::-1 if turn % 2 else 1]:
                self.times[client].append(once(client))
        print(f"  {', '.join(self.key)}: rfuse {self.row()[-3]} of C", flush=True)

    @property
    def complete(self):
        """Whether nothing failed."""
        return len({len(times) for times in self.times.values()}) == 1 and all(self.times.values())

    def row(self):
        """For the table."""
        ours, theirs = self.times["rfuse"], self.times[BASE]
        parts = ratio(theirs, ours, LEAST) if self.is_cost else ratio(ours, theirs, LEAST).widened(BOOTS)
        middles = [median(self.times[client]) for client in CLIENTS]
        shown = [f"{middle if self.is_cost else 1e9 / middle:,.0f}" for middle in middles]
        return (*self.key, *shown, f"{parts.median:.2f}", f"{parts.spread:.0%}",
                parts.verdict(1.0, NOISY, higher=not self.is_cost))


def report(name, results, machine, columns, unit):
    """Prints the table and writes it; the path of the CSV."""
    head = (*columns, f"C {unit}", f"rfuse {unit}", "rfuse/C", "spread", "verdict")
    rows = [result.row() for result in results]
    print(table.aligned([head, *rows]))
    table.write_markdown(name, machine, [head, *rows])
    return table.write_csv(name, machine, head, rows)
