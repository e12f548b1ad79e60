# SPDX-License-Identifier: GPL-2.0
"""The QEMU test rig: boots the stock kernel beside stock virtiofsd processes and runs cases in it.

The rig itself runs inside the Debian tree (scripts/in-root), so QEMU, virtiofsd and Python are the
tree's, and process ids and signals are direct.
"""
