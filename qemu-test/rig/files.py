# SPDX-License-Identifier: GPL-2.0
"""What a run carries into its guest, under /rig."""

import subprocess

from . import paths


def guest_files(cases, kernel=None, module=None, extra=()):
    """{path in the guest: path here} of the guest side, the cases, the module and the mount helper."""
    files = {f"rig/guest/{path.relative_to(paths.GUEST)}": path
             for path in paths.GUEST.rglob("*") if path.is_file() and path.name != "initrd-init"}
    files |= {f"rig/cases/{case.name}": paths.CASES / case.name for case in cases}
    files |= {f"rig/guest/bin/{name}": program(name) for case in cases for name in case.programs.split()}
    files["rig/guest/mktree"] = paths.HOST / "mktree"
    files["rig/hostile/seeds"] = paths.RIG / "hostile" / "seeds"
    if module:
        files["rig/rfuse.ko"] = module
        files["rig/mount.rfuse"] = paths.HELPER
        files |= {f"rig/modules/{path.name}": path for path in kernel.rig_modules.glob("*.ko")}
    files |= dict(extra)
    return files


def program(name):
    """A program of scripts/suites.crates, of scripts/libfuse.examples, or of our own."""
    for folder in (paths.SUITES, paths.PROGRAMS):
        if (folder / name).exists():
            return folder / name
    raise RuntimeError(f"{name} is not built: run 'make suites tools hostile' first")


def stripped_module(run, kernel):
    """The module without debug information, which would only fill the guest's memory."""
    for needed, how in ((kernel.module, kernel.module_built_by), (paths.HELPER, "make tools")):
        if not needed.exists():
            raise SystemExit(f"qemu-test: {needed} is not built: run '{how}' first")
    out = run / "rfuse.ko"
    subprocess.run(["strip", "--strip-debug", "-o", out, kernel.module], check=True)
    return out
