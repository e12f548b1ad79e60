# SPDX-License-Identifier: GPL-2.0
"""The control file system.

    with shown(), mounted() as top:
        read("stats", folder(top))
"""

import contextlib
import os
import subprocess

TOP = "/sys/fs/rfuse/connections"


@contextlib.contextmanager
def shown():
    """The control file system, mounted for the block."""
    if not os.path.exists(TOP):
        subprocess.run(["modprobe", "rfuse"], check=True)
    subprocess.run(["mount", "-t", "rfusectl", "none", TOP], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", TOP], check=True)


def folder(point="/mnt"):
    """The folder of what is mounted there. The server may be asked for attributes."""
    return f"{TOP}/{os.minor(os.stat(point).st_dev)}"


def read(name, where=None):
    """A file of a connection's folder, of that of /mnt by itself."""
    with open(f"{where or folder()}/{name}", encoding="utf-8") as file:
        return file.read()
