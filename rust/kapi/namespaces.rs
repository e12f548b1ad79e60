// SPDX-License-Identifier: GPL-2.0

//! The namespaces of whoever mounts, in whose numbers a server hears of users and processes.
//!
//! C headers: [`include/linux/user_namespace.h`](srctree/include/linux/user_namespace.h),
//! [`include/linux/pid_namespace.h`](srctree/include/linux/pid_namespace.h)

use crate::{bindings, fs::FileSystem, fs_context::FsContext, ids::MntIdmap};
use core::ptr::NonNull;

/// A user namespace and a process id namespace.
///
/// # Invariants
///
/// Both are valid, with references of their own.
pub struct Namespaces {
    users: NonNull<bindings::user_namespace>,
    pids: NonNull<bindings::pid_namespace>,
}

// SAFETY: Namespaces may be used and put by any thread.
unsafe impl Send for Namespaces {}
// SAFETY: As above.
unsafe impl Sync for Namespaces {}

impl Namespaces {
    /// Those of a mount context, and of the current task.
    pub fn of_mounter<T: FileSystem>(fc: &FsContext<'_, T>) -> Self {
        // INVARIANT: The helpers count a reference.
        // SAFETY: A context has a user namespace, the current task one of process ids.
        unsafe {
            Self {
                users: NonNull::new_unchecked(bindings::get_user_ns_ref(fc.user_ns())),
                pids: NonNull::new_unchecked(bindings::current_pid_ns_ref()),
            }
        }
    }

    /// Whether the users are those of the whole system.
    pub fn is_initial(&self) -> bool {
        self.users.as_ptr() == &raw mut bindings::init_user_ns
    }

    /// The file system user and group id of the current task; those of nobody if it has none here.
    #[inline]
    pub fn current_fsids(&self) -> (u32, u32) {
        let users = self.users.as_ptr();
        // SAFETY: By the type invariant; the current task has credentials.
        unsafe {
            (
                bindings::from_kuid_munged(users, bindings::current_fsuid()),
                bindings::from_kgid_munged(users, bindings::current_fsgid()),
            )
        }
    }

    /// As [`Self::current_fsids`], as they are below a mount with the map `idmap`; `u32::MAX` for one that has none.
    pub fn mapped_fsids(&self, idmap: &MntIdmap) -> (u32, u32) {
        let users = self.users.as_ptr();
        // SAFETY: By the type invariants.
        unsafe {
            (
                bindings::from_kuid(users, bindings::mapped_fsuid(idmap.as_ptr(), users)),
                bindings::from_kgid(users, bindings::mapped_fsgid(idmap.as_ptr(), users)),
            )
        }
    }

    /// The id of the current thread, 0 if it has none here.
    #[inline]
    pub fn current_pid(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { bindings::current_pid_in(self.pids.as_ptr()) }.unsigned_abs()
    }

    /// The id of the current process, 0 if it has none here.
    pub fn current_tgid(&self) -> u32 {
        // SAFETY: As in `current_pid`.
        unsafe { bindings::current_tgid_in(self.pids.as_ptr()) }.unsigned_abs()
    }

    /// Whether the current task is of the user namespace, or of one below it (`current_in_userns`).
    pub fn have_current(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::current_in_userns(self.users.as_ptr()) }
    }

    /// Whether there is such a user, and such a group.
    pub fn have_ids(&self, uid: u32, gid: u32) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::user_ns_has_ids(self.users.as_ptr(), uid, gid) }
    }
}

/// A user and a group, whatever the namespace.
#[derive(Clone, Copy)]
pub struct Owner {
    pub(crate) uid: bindings::kuid_t,
    pub(crate) gid: bindings::kgid_t,
}

impl Owner {
    /// Whether all user ids of the current task, real, effective and saved, are the user's, and all its group ids the
    /// group's.
    #[inline]
    pub fn is_all_of_current(&self) -> bool {
        let (uid, gid) = (self.uid.val, self.gid.val);
        // SAFETY: The current task has its credentials while it is in a call.
        let cred = unsafe { &*bindings::current_cred() };
        let uids = [cred.euid, cred.suid, cred.uid].map(|it| it.val);
        let gids = [cred.egid, cred.sgid, cred.gid].map(|it| it.val);
        uids == [uid; 3] && gids == [gid; 3]
    }
}

impl Namespaces {
    /// The user and the group that have these numbers here. Nobody is, who has none.
    pub fn owner(&self, uid: u32, gid: u32) -> Owner {
        // SAFETY: By the type invariant.
        unsafe {
            Owner {
                uid: bindings::make_kuid(self.users.as_ptr(), uid),
                gid: bindings::make_kgid(self.users.as_ptr(), gid),
            }
        }
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the references are ours.
        unsafe {
            bindings::put_user_ns_ref(self.users.as_ptr());
            bindings::put_pid_ns(self.pids.as_ptr());
        }
    }
}
