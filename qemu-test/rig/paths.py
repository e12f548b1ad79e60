# SPDX-License-Identifier: GPL-2.0
"""Where things lie."""

from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BUILD = REPO / "build"
RIG = REPO / "qemu-test"
CASES = RIG / "cases"
GUEST = RIG / "guest"
HOST = RIG / "host"
RUNS = BUILD / "test"
KERNEL = BUILD / "kernel"
IMAGE = BUILD / "guest.ext4"
PROGRAMS = BUILD / "cargo" / "release"
HELPER = PROGRAMS / "mount-rfuse"
HOSTILE = PROGRAMS / "hostile-server"
SUITES = BUILD / "suites"
VIRTIOFSD = "/usr/libexec/virtiofsd"


def kernel_version():
    """The version that set-up chose (the second word of build/kernel-version)."""
    return (BUILD / "kernel-version").read_text().split()[1]
