# SPDX-License-Identifier: GPL-2.0
"""A case: one executable file under qemu-test/cases, described by comments at its top.

    # about: one line that says what it proves
    # timeout: 60            seconds (60)
    # long: 600              it has a long form (RIG_LONG=percent, for `make test-long`), of that many seconds at most
    # programs: fsx          programs that it calls, of scripts/suites.crates, fuse-NAME of scripts/libfuse.examples,
                             or of our own (rfuse-run)
    # share: TAG [OPTIONS]   a shared directory, and options for its virtiofsd; may be repeated
    # share: TAG of=OTHER [OPTIONS]   another server of OTHER's directory
    # share: TAG server=hostile [OPTIONS]   the tree of qemu-test/hostile, and options for that
    # boot: own              a guest of its own; another word: a guest for the cases that have that word
    # cpus: 2                processors of its guest (1)
    # memory: 1G             memory of its guest (2G)
    # append: OPTION…        more of the kernel's command line
    # fs: rfuse              only for this file system; skipped for another
    # kernel: debug          only for this kernel; skipped for another
    # expect: PATTERN        the checks must find this fault: the case proves that they do
"""

import os
import re
from dataclasses import dataclass, field

from .paths import CASES

HEADER = re.compile(r"^# (about|timeout|long|programs|share|boot|cpus|memory|append|fs|kernel|expect):\s*(.*?)\s*$")


@dataclass
class Case:
    """What the comments say."""

    name: str
    about: str = ""
    timeout: int = 60
    long: int = 0
    programs: str = ""
    shares: dict = field(default_factory=dict)
    boot: str = ""
    cpus: int = 1
    memory: str = "2G"
    append: str = ""
    fs: str = ""
    kernel: str = ""
    expect: str = ""

    @property
    def machine(self):
        """Cases of equal value can share a guest, unless they want their own."""
        return (self.cpus, self.memory, self.append)


def load(path):
    """Reads one case's comments. ValueError names what is wrong in them."""
    case = Case(path.name)
    if not os.access(path, os.X_OK):
        raise ValueError(f"{path} is not executable: chmod +x it")
    for line in path.read_text().splitlines()[:30]:
        match = HEADER.match(line)
        if not match:
            continue
        key, value = match.groups()
        if key == "share":
            tag, _, options = value.partition(" ")
            case.shares[tag] = options.strip()
        elif key in ("timeout", "long", "cpus"):
            setattr(case, key, int(value))
        else:
            setattr(case, key, value)
    case.shares = case.shares or {"main": ""}
    if not case.about:
        raise ValueError(f"{path} has no '# about:' line")
    return case


def load_all():
    """Every case by name, sorted."""
    paths = sorted(path for path in CASES.iterdir() if not path.name.startswith("."))
    return {path.name: load(path) for path in paths}


# A group of fewer cases is not worth another guest's boot.
WORTH_A_BOOT = 6


def boots(cases, parts=1):
    """Groups cases into guests: shared ones first, those with their own last. Large groups are divided into
    `parts` guests."""
    groups = {}
    for case in cases:
        key = (case.machine, case.name if case.boot == "own" else case.boot)
        groups.setdefault(key, []).append(case)
    order = sorted(groups, key=lambda key: bool(key[1]))
    whole = [groups[key] for key in order]
    return [part for group in whole
            for part in ([group[first::parts] for first in range(parts)] if len(group) >= WORTH_A_BOOT else [group])]


def shares_of(cases):
    """{tag: options} of a guest. ValueError when two cases want one tag in two ways."""
    shares = {}
    for case in cases:
        for tag, options in case.shares.items():
            if shares.setdefault(tag, options) != options:
                raise ValueError(f"case {case.name} wants tag {tag} with options {options!r}, another "
                                 f"case of its guest with {shares[tag]!r}: use another tag")
    return shares
