# SPDX-License-Identifier: GPL-2.0
"""What a server of raw requests tells unasked, and a tree that is cached until it tells."""

import os
import struct

from device import GETATTR, LOOKUP, OPEN, REGULAR, Tree, attr_out, entry, open_out
from ktap import errno_of

POLL, INVAL_INODE, INVAL_ENTRY, STORE, RETRIEVE, DELETE, RESEND, INC_EPOCH, PRUNE = range(1, 10)
NOTIFY_REPLY = 41
EXPIRE_ONLY = 1
RESENT = 1 << 63
FOREVER = 1 << 20
KEEP_CACHE = 2


class LastingTree(Tree):
    """What it says holds for ever, unless it tells."""

    def reply(self, request):
        """As the tree, for ever."""
        payload, error = super().reply(request)
        if error:
            return payload, error
        if request.opcode == LOOKUP:
            index = self.names.index(request.body.rstrip(b"\0").decode())
            return entry(index + 2, REGULAR, len(self.contents[index]), FOREVER), 0
        if request.opcode == GETATTR:
            mode, content = self.node(request.nodeid)
            return attr_out(request.nodeid, mode, len(content), FOREVER), 0
        if request.opcode == OPEN:
            return open_out(flags=KEEP_CACHE), 0
        return payload, 0


def tell(fd, code, body=b""):
    """Writes a notification; the error it ends in."""
    return errno_of(os.write, fd, struct.pack("<IiQ", 16 + len(body), code, 0) + body)


def inval_inode(fd, nodeid, offset=-1, length=0):
    """INVAL_INODE."""
    return tell(fd, INVAL_INODE, struct.pack("<Qqq", nodeid, offset, length))


def inval_entry(fd, parent, name, flags=0, cut=0):
    """INVAL_ENTRY; `cut` bytes are missing at its end."""
    body = struct.pack("<QII", parent, len(name), flags) + name.encode() + b"\0"
    return tell(fd, INVAL_ENTRY, body[:len(body) - cut])


def delete(fd, parent, child, name):
    """DELETE."""
    return tell(fd, DELETE, struct.pack("<QQII", parent, child, len(name), 0) + name.encode() + b"\0")


def store(fd, nodeid, offset, body, size=None):
    """STORE; `size` is what it says of the body."""
    return tell(fd, STORE, struct.pack("<QQII", nodeid, offset, len(body) if size is None else size, 0) + body)


def retrieve(fd, unique, nodeid, offset, size):
    """RETRIEVE."""
    return tell(fd, RETRIEVE, struct.pack("<QQQII", unique, nodeid, offset, size, 0))
