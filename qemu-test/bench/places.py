# SPDX-License-Identifier: GPL-2.0
"""Where the benchmark's files lie."""

from pathlib import Path

from rig.paths import BUILD, kernel_version

OUT = BUILD / "bench"
BIN = OUT / "bin"
MODULES = OUT / "modules"
GUEST = Path(__file__).resolve().parent / "in_guest"
TREE = OUT / "tree"
PROFILE = OUT / "profile"


def kallsyms():
    """Addresses of the stock kernel's functions, as a guest once told them."""
    return OUT / f"kallsyms-{kernel_version()}"
