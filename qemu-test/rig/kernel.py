# SPDX-License-Identifier: GPL-2.0
"""The kernels that guests boot: the stock one, and the debug kernel that scripts/setup builds."""

import os
from dataclasses import dataclass
from pathlib import Path

from . import paths


@dataclass(frozen=True)
class Kernel:
    """What of a guest depends on its kernel."""

    name: str
    vmlinuz: Path
    initrd: Path
    module: Path
    module_built_by: str
    # Out-of-tree modules of the rig itself, built for this kernel.
    rig_modules: Path
    # Appended to the command line.
    options: str = ""
    # How much longer than on the stock kernel everything may take.
    patience: int = 1
    # Guests at a time: emulated, each keeps a processor busy, and their servers wait for them.
    lanes: int = min(2, os.cpu_count() or 1)


def stock():
    """Debian's kernel, of the version that set-up chose."""
    return Kernel(
        "stock", paths.KERNEL / "image" / f"vmlinuz-{paths.kernel_version()}", paths.BUILD / "initrd",
        paths.BUILD / "module" / "rfuse.ko", "make module", paths.BUILD / "rig-modules")


def debug():
    """KASAN, lockdep and all that."""
    return Kernel(
        "debug", paths.BUILD / "kernel-debug" / "image" / "vmlinuz", paths.BUILD / "initrd-debug",
        paths.BUILD / "module-debug" / "rfuse.ko", "make module-debug", paths.BUILD / "rig-modules-debug",
        # One report must not silence the next; the tests of the kernel itself only cost time at boot.
        options="kasan_multi_shot kunit.autorun=0", patience=4)


KINDS = {"stock": stock, "debug": debug}
