# SPDX-License-Identifier: GPL-2.0
"""Whether two runs agree within the spreads that they state."""

from .stats import Ratio
from .table import guest_of, previous, read_csv, short

COLUMNS = ("ratio", "low", "high")


def ratios(path):
    """{name: Ratio} of a summary."""
    return {row["name"]: Ratio(*(float(row[column]) for column in COLUMNS)) for row in read_csv(path)}


def compare(now, before):
    """Lines that tell how two {name: Ratio} compare."""
    both = [name for name in now if name in before and now[name].is_stated and before[name].is_stated]
    if not both:
        return []
    apart = [name for name in both if not now[name].agrees(before[name])]
    lines = [f"{len(both) - len(apart)} of {len(both)} ratios agree with the run before within their spreads"]
    return lines + [f"  {name}: {short(now[name].median)}, before {short(before[name].median)}"
                    for name in apart]


def with_previous(name, path):
    """The same for a summary just written and the one before it."""
    if not previous(name).exists():
        return []
    before = guest_of(previous(name))
    note = [] if before == guest_of(path) else [f"the run before was of another {before.strip('# ')}"]
    return note + compare(ratios(path), ratios(previous(name)))
