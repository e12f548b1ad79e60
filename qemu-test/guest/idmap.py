# SPDX-License-Identifier: GPL-2.0
"""Idmapped mounts: open_tree(2), mount_setattr(2) and move_mount(2), which Python does not have."""

import contextlib
import ctypes
import os
import subprocess
import time

AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
MOUNT_ATTR_IDMAP = 0x100000
CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


class MountAttr(ctypes.Structure):
    """struct mount_attr."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


def _call(number, *args):
    result = _libc.syscall(number, *args)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


@contextlib.contextmanager
def user_namespace(mapping):
    """A descriptor of a user namespace with that mapping of users and groups: `FIRST OUTSIDE COUNT`."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(writer)
        _libc.unshare(CLONE_NEWUSER)
        # To the end of the block.
        os.read(reader, 1)
        os._exit(0)
    try:
        os.close(reader)
        _write_maps(child, mapping)
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
        try:
            yield namespace
        finally:
            os.close(namespace)
    finally:
        os.close(writer)
        os.waitpid(child, 0)


def _write_maps(child, mapping):
    """Gives the child's namespace, as soon as it is there, its mapping."""
    own = os.readlink("/proc/self/ns/user")
    while os.readlink(f"/proc/{child}/ns/user") == own:
        time.sleep(0.01)
    for kind in ("uid_map", "gid_map"):
        with open(f"/proc/{child}/{kind}", "w", encoding="ascii") as file:
            file.write(mapping)


def idmap(source, target, mapping):
    """Mounts what is at `source` at `target` too, with ids mapped: those in the file system are `FIRST` and so on,
    those that are seen `OUTSIDE` and so on."""
    tree = _call(OPEN_TREE, AT_FDCWD, os.fsencode(source), OPEN_TREE_CLONE | os.O_CLOEXEC)
    try:
        with user_namespace(mapping) as namespace:
            attr = MountAttr(attr_set=MOUNT_ATTR_IDMAP, userns_fd=namespace)
            _call(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, ctypes.byref(attr), ctypes.sizeof(attr))
        _call(MOVE_MOUNT, tree, b"", AT_FDCWD, os.fsencode(target), MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree)


@contextlib.contextmanager
def idmapped(source, target, mapping):
    """The same for the block."""
    os.makedirs(target, exist_ok=True)
    idmap(source, target, mapping)
    try:
        yield target
    finally:
        subprocess.run(["umount", target], check=True)
