# SPDX-License-Identifier: GPL-2.0
"""The benchmark: rfuse beside the kernel's own client, in one boot, on equal devices."""
