# SPDX-License-Identifier: GPL-2.0
"""Who takes part: the clients that are compared, each on servers of its own.

Every one is compared with BASE. A comparison is a row of the tables, named after what was measured,
and after the client where that is not the usual one (`write-4k-inplace`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """A client, and how it is mounted."""

    fs: str
    options: str = ""
    # Appended to the words for a row of the tables.
    about: str = ""


BASE, USUAL, INPLACE = "c", "rfuse", "inplace"
SIDES = {BASE: Side("virtiofs"), USUAL: Side("rfuse"), INPLACE: Side("rfuse", "writeback=inplace", "inplace")}
# Appended to names of devices, jobs and operations on servers with --writeback.
WRITEBACK = "-wb"
WRITEBACK_ABOUT = "server --writeback"


def taking_part(written_back):
    """Names of the sides that something is measured with: how rfuse writes back matters to what is written back."""
    return [BASE, USUAL, *([INPLACE] if written_back else [])]


def compared(names):
    """Those that are compared with BASE, in their order."""
    return [name for name in names if name != BASE]


def row_name(name, side):
    """The name of a comparison."""
    return name if side == USUAL else f"{name}-{side}"


def row_about(about, side):
    """The words of a comparison."""
    return f"{about}, {SIDES[side].about}" if SIDES[side].about else about


def device(side, writeback):
    """The tag of a side's device on a server of that kind."""
    return f"{side}{WRITEBACK if writeback else ''}"
