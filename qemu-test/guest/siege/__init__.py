# SPDX-License-Identifier: GPL-2.0
"""Work on a file system whose server lies: whatever it does, nothing may hang or crash."""
