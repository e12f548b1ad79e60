# SPDX-License-Identifier: GPL-2.0
"""The tree on the host that both clients mount."""

import os
import random
import shutil
import subprocess

from .places import TREE

# Counts and sizes (bytes, MiB) of these three are known to in_guest/ops.c too.
SMALL = 4096
DATA = 16
ENTRIES = 10000
# What fio reads: one large file, or a part for each of several jobs.
LARGE, PART, PARTS = 256, 64, 4
REPO_FOLDERS, REPO_FILES = 200, 4000
STAMP = TREE.with_name("tree-stamp")
VERSION = "3"


def _random(name, source, mib):
    with open(TREE / name, "wb") as file:
        for _ in range(mib):
            file.write(source.randbytes(1 << 20))


def _repository():
    """A git repository whose index is fresh, so that `git status` compares attributes only."""
    repo = TREE / "repo"
    for number in range(REPO_FILES):
        folder = repo / f"folder{number % REPO_FOLDERS:03}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"file{number:04}"
        file.write_text(f"content of {number}\n" * 40)
        # As old as the index a file would be compared by its content.
        os.utime(file, (1_000_000_000, 1_000_000_000))
    git = ["git", "-C", repo, "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "all"], ["gc", "-q"]):
        subprocess.run([*git, *words], check=True)


def make():
    """Makes the tree unless it is there."""
    if STAMP.exists() and STAMP.read_text() == VERSION:
        return
    print("bench: makes the tree that both clients mount", flush=True)
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    source = random.Random(7)
    (TREE / "small").write_bytes(source.randbytes(SMALL))
    for name, mib in (("data", DATA), ("large", LARGE), *((f"part{number}", PART) for number in range(PARTS))):
        _random(name, source, mib)
    (TREE / "entries").mkdir()
    for number in range(ENTRIES):
        (TREE / "entries" / f"file{number:05}").touch()
    _repository()
    STAMP.write_text(VERSION)
