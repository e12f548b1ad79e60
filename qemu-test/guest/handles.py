# SPDX-License-Identifier: GPL-2.0
"""name_to_handle_at(2) and open_by_handle_at(2), which Python does not have."""

import ctypes
import os

AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
# The handle leads to the name too, not only to the inode (Linux 6.13).
CONNECTABLE = 0x002
MOST = 128

_libc = ctypes.CDLL(None, use_errno=True)


class Handle(ctypes.Structure):
    """struct file_handle."""

    _fields_ = [("length", ctypes.c_uint), ("kind", ctypes.c_int), ("data", ctypes.c_ubyte * MOST)]


def _checked(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def handle_of(path, flags=0):
    """A file's handle; links are not followed."""
    handle, mount = Handle(length=MOST), ctypes.c_int()
    _checked(_libc.name_to_handle_at(AT_FDCWD, os.fsencode(path), ctypes.byref(handle), ctypes.byref(mount), flags))
    return handle


def open_handle(top, handle, flags=os.O_RDONLY):
    """Opens a handle's file, of the mount at `top`."""
    mount = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return _checked(_libc.open_by_handle_at(mount, ctypes.byref(handle), flags))
    finally:
        os.close(mount)
