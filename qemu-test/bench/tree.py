# SPDX-License-Identifier: GPL-2.0
"""The tree on the host that both clients mount."""

import random
import shutil

from .places import TREE

# Counts and sizes are known to insn/ops.c too.
SMALL = 4096
DATA = 16 << 20
ENTRIES = 10000
STAMP = TREE.with_name("tree-stamp")
VERSION = "1"


def make():
    """Makes the tree unless it is there."""
    if STAMP.exists() and STAMP.read_text() == VERSION:
        return
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    source = random.Random(7)
    (TREE / "small").write_bytes(source.randbytes(SMALL))
    (TREE / "data").write_bytes(source.randbytes(DATA))
    (TREE / "entries").mkdir()
    for number in range(ENTRIES):
        (TREE / "entries" / f"file{number:05}").touch()
    STAMP.write_text(VERSION)
