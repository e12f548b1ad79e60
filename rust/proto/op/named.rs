// SPDX-License-Identifier: GPL-2.0

//! What requests name.

/// A node that a request names, maybe with a handle: the server must not lose them before it has answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The node; 0 for none.
    pub nodeid: u64,
    /// The handle.
    pub fh: Option<u64>,
}

impl Named {
    /// A node alone.
    pub const fn node(nodeid: u64) -> Self {
        Self { nodeid, fh: None }
    }

    /// A node with a handle.
    pub const fn open(nodeid: u64, fh: u64) -> Self {
        Self {
            nodeid,
            fh: Some(fh),
        }
    }

    /// Nothing beside it.
    pub const fn alone(self) -> [Self; 2] {
        [self, Self::node(0)]
    }
}
