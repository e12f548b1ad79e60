# SPDX-License-Identifier: GPL-2.0
"""Orders to the hostile server, and what it has to say of a client."""

import ktap
from ktap import FS, check, host, mounted, same

COMPLAINTS = ("bad-requests", "excess-forgets", "bad-handles", "early-releases", "early-forgets",
              "unreleased", "unforgotten", "bad-writes", "bad-locks",
              "locks-left", "bad-dots", "bad-ioctls", "bad-ids", "bad-extensions")


def counted(text):
    """Counts, one a line, as a dictionary."""
    return {name: int(number) for name, number in (line.rsplit(" ", 1) for line in text.splitlines())}


def counters(tag):
    """The server's counts."""
    return counted(host("ask", tag, "counters"))


def blameless(tag):
    """Checks that the server has nothing to say of a client that it told no lie; its counts."""
    # The next INIT settles what the last DESTROY left.
    with mounted(tag):
        pass
    counts = counters(tag)
    for name in COMPLAINTS:
        # The C client takes no lookups back when it unmounts.
        if name == "unforgotten" and FS != "rfuse":
            continue
        same(f"{tag}: no {name}", counts.get(name, 0), 0)
    return counts


def settle(tag, most):
    """That, for a server that damaged nothing."""
    counts = blameless(tag)
    check(f"{tag}: {counts['answers']} answers, none damaged", counts["answers"] > most and not counts["damaged"])


def served(tag, *operations):
    """How many requests of these operations the server got."""
    counts = counters(tag)
    return sum(counts.get(f"op {name}", 0) for name in operations)


def drop_caches(what=3):
    """As ktap's, until nothing is left."""
    # Names that were used lately go at the second order, and their directories after them.
    for _ in range(6):
        ktap.drop_caches(what)
