// SPDX-License-Identifier: GPL-2.0

//! How a path is walked.
//!
//! C header: [`include/linux/namei.h`](srctree/include/linux/namei.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// Tells hooks that path walks call whether they may sleep.
#[derive(Clone, Copy)]
pub enum Walk<'a> {
    /// Under RCU: the hook must not sleep. It answers `ECHILD` to be called again in reference walk.
    Rcu,
    /// With references held; sleeping is allowed.
    Ref(RefWalk<'a>),
}

/// Proof that a hook was called in reference walk.
///
/// # Invariants
///
/// Exists only during a hook of a path walk that holds references: every inode and dentry lent to
/// that hook is referenced by its caller.
#[derive(Clone, Copy)]
pub struct RefWalk<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl Walk<'_> {
    /// Makes the walk of a hook.
    ///
    /// # Safety
    ///
    /// If `rcu` is false, the caller of the hook holds references for what it lends to it, for as
    /// long as the returned value exists.
    pub(crate) unsafe fn new(rcu: bool) -> Self {
        if rcu {
            Self::Rcu
        } else {
            // INVARIANT: By the safety requirements.
            Self::Ref(RefWalk(PhantomData, NotThreadSafe))
        }
    }

    /// Whether the hook must not sleep.
    pub fn is_rcu(&self) -> bool {
        matches!(self, Self::Rcu)
    }
}

/// The flags of a lookup, `LOOKUP_*`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LookupFlags(u32);

impl LookupFlags {
    pub(crate) fn new(flags: u32) -> Self {
        Self(flags)
    }

    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// The name must not exist (`LOOKUP_EXCL`).
    pub fn excl(self) -> bool {
        self.has(bindings::LOOKUP_EXCL)
    }

    /// Caches are not to be trusted: a former walk ended in `ESTALE` (`LOOKUP_REVAL`).
    pub fn reval(self) -> bool {
        self.has(bindings::LOOKUP_REVAL)
    }

    /// The name is the target of a rename (`LOOKUP_RENAME_TARGET`).
    pub fn rename_target(self) -> bool {
        self.has(bindings::LOOKUP_RENAME_TARGET)
    }

    /// The last component will be created if it is missing (`LOOKUP_CREATE`).
    pub fn create(self) -> bool {
        self.has(bindings::LOOKUP_CREATE)
    }

    /// The last component will be opened (`LOOKUP_OPEN`).
    pub fn open(self) -> bool {
        self.has(bindings::LOOKUP_OPEN)
    }

    /// The result must be a directory (`LOOKUP_DIRECTORY`).
    pub fn directory(self) -> bool {
        self.has(bindings::LOOKUP_DIRECTORY)
    }
}
