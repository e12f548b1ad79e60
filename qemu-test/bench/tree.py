# SPDX-License-Identifier: GPL-2.0
"""The tree on the host that all clients mount."""

import os
import random
import shutil
import subprocess
import tarfile

from .places import TREE

# Counts and sizes (bytes, MiB) of these three are known to in_guest/ops.c too.
SMALL = 4096
DATA = 16
ENTRIES = 10000
# What fio reads: one large file, or a part for each of several jobs.
LARGE, PART, PARTS = 256, 64, 4
REPO_FOLDERS, REPO_FILES = 200, 4000
# What fio writes to: MiB of the file of each job.
WRITE_PART = 16
# The repository with two commits: its files, those that differ, the commits' names.
CHECKOUT_FILES, CHANGED = 300, 200
COMMITS = ("older", "newer")
# Files of the archive that is unpacked.
ARCHIVED = 300
STAMP = TREE.with_name("tree-stamp")
VERSION = "5"


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
    _git(repo, ["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "all"], ["gc", "-q"])


def _git(repo, *commands):
    """Runs git's commands in a repository."""
    for words in commands:
        subprocess.run(["git", "-C", repo, "-c", "user.name=bench", "-c", "user.email=bench@localhost", *words],
                       check=True)


def _commits(source):
    """A git repository with two commits, tagged: files that change, that go and that come."""
    repo = TREE / "checkout"
    repo.mkdir()
    _git(repo, ["init", "-q", "-b", "main"])
    for number, name in enumerate(COMMITS):
        for file in range(CHECKOUT_FILES):
            path = repo / f"folder{file % 25:02}" / f"file{file:03}"
            path.parent.mkdir(exist_ok=True)
            if not number or file < CHANGED:
                # Some files have another name in the newer commit.
                path.unlink(missing_ok=True)
                path = path.with_name(f"{path.name}-{number}") if file % 10 == 0 and file < CHANGED else path
                path.write_bytes(source.randbytes(file % 16 * 512 + 100))
        for old in repo.glob("folder*/file*-0") if number else ():
            old.unlink()
        _git(repo, ["add", "-A"], ["commit", "-qm", name], ["tag", name])
    _git(repo, ["gc", "-q"])


def _archive(source):
    """An archive of files of 0 to 16 KiB in 20 folders."""
    folder = TREE / "archived"
    for number in range(ARCHIVED):
        path = folder / f"folder{number % 20:02}" / f"file{number:03}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(number % 32 * 512))
    with tarfile.open(TREE / "archive.tar", "w") as archive:
        archive.add(folder, "archived")
    shutil.rmtree(folder)


def make():
    """Makes the tree unless it is there."""
    if STAMP.exists() and STAMP.read_text() == VERSION:
        return
    print("bench: makes the tree that all clients mount", flush=True)
    shutil.rmtree(TREE, ignore_errors=True)
    TREE.mkdir(parents=True)
    source = random.Random(7)
    (TREE / "small").write_bytes(source.randbytes(SMALL))
    for name, mib in (("data", DATA), ("large", LARGE), *((f"part{number}", PART) for number in range(PARTS)),
                      *((f"write{number}", WRITE_PART) for number in range(PARTS))):
        _random(name, source, mib)
    (TREE / "entries").mkdir()
    for number in range(ENTRIES):
        (TREE / "entries" / f"file{number:05}").touch()
    _repository()
    _commits(source)
    _archive(source)
    STAMP.write_text(VERSION)
