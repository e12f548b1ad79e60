// SPDX-License-Identifier: GPL-2.0

//! Locks on files and on ranges of them.
//!
//! C header: [`include/linux/filelock.h`](srctree/include/linux/filelock.h)

use crate::{
    bindings,
    file::{File, FileOperations},
};
use core::{marker::PhantomData, ptr, ptr::NonNull};
use kernel::{
    error::{from_result, to_result},
    prelude::*,
};

/// Of what kind a lock is, `F_RDLCK` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Shared.
    Read,
    /// Exclusive.
    Write,
    /// None: the range is given up.
    Unlock,
}

impl LockKind {
    fn from_raw(kind: u8) -> Self {
        match kind {
            bindings::F_RDLCK => Self::Read,
            bindings::F_WRLCK => Self::Write,
            _ => Self::Unlock,
        }
    }

    fn into_raw(self) -> u8 {
        match self {
            Self::Read => bindings::F_RDLCK,
            Self::Write => bindings::F_WRLCK,
            Self::Unlock => bindings::F_UNLCK,
        }
    }
}

/// What is to be done about a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockCommand {
    /// Look for one in the way.
    Get,
    /// Take it or give it up.
    Set,
    /// Give up waiting for it.
    Cancel,
}

/// Whether a lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It was.
    Now,
    /// The VFS waits for one in the way, and asks again (`FILE_LOCK_DEFERRED`).
    Deferred,
}

/// A lock that is in the way of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Its kind.
    pub kind: LockKind,
    /// Its first byte.
    pub start: i64,
    /// Its last byte.
    pub end: i64,
    /// The process that has it, in the initial namespace.
    pub pid: i32,
}

/// A lock that a hook is asked for (`struct file_lock`).
///
/// # Invariants
///
/// The pointer is valid, and used by this thread alone, during `'a`.
pub struct FileLock<'a>(NonNull<bindings::file_lock>, PhantomData<&'a mut ()>);

impl FileLock<'_> {
    /// Wraps a pointer.
    ///
    /// # Safety
    ///
    /// `lock` is that of a hook, which runs during the lifetime of the result.
    unsafe fn from_raw(lock: *mut bindings::file_lock) -> Self {
        // INVARIANT: By the safety requirements.
        // SAFETY: A valid pointer is not null.
        Self(unsafe { NonNull::new_unchecked(lock) }, PhantomData)
    }

    fn get(&self) -> &bindings::file_lock {
        // SAFETY: By the type invariant.
        unsafe { self.0.as_ref() }
    }

    fn has(&self, flag: u32) -> bool {
        self.get().c.flc_flags & flag != 0
    }

    /// The kind.
    pub fn kind(&self) -> LockKind {
        LockKind::from_raw(self.get().c.flc_type)
    }

    /// The first byte.
    pub fn start(&self) -> i64 {
        self.get().fl_start
    }

    /// The last byte; `i64::MAX` for the end of the file, wherever that is.
    pub fn end(&self) -> i64 {
        self.get().fl_end
    }

    /// The address of whom it belongs to. It only tells owners apart.
    pub fn owner(&self) -> usize {
        self.get().c.flc_owner.addr()
    }

    /// Whether the caller waits for it (`FL_SLEEP`).
    pub fn waits(&self) -> bool {
        self.has(bindings::FL_SLEEP)
    }

    /// Whether it belongs to an open file (`FL_OFDLCK`).
    pub fn is_of_file(&self) -> bool {
        self.has(bindings::FL_OFDLCK)
    }

    /// Whether whoever asks wants to be told later (`lm_grant`), as the lock manager of NFS does.
    pub fn is_granted_later(&self) -> bool {
        let manager = self.get().fl_lmops;
        // SAFETY: A table of operations is static.
        !manager.is_null() && unsafe { (*manager).lm_grant.is_some() }
    }

    /// Answers with a lock in the way, or with none.
    pub fn set_conflict(&mut self, conflict: Option<Conflict>) {
        // SAFETY: By the type invariant.
        let lock = unsafe { self.0.as_mut() };
        let Some(conflict) = conflict else {
            lock.c.flc_type = LockKind::Unlock.into_raw();
            return;
        };
        lock.c.flc_type = conflict.kind.into_raw();
        lock.c.flc_pid = conflict.pid;
        lock.fl_start = conflict.start;
        lock.fl_end = conflict.end;
    }

    /// Looks for a lock of this system in the way, and answers with it (`posix_test_lock`).
    pub fn posix_test_lock<K: FileOperations>(&mut self, file: &File<'_, K>) {
        // SAFETY: Both are valid, by their type invariants.
        unsafe { bindings::posix_test_lock(file.as_ptr(), self.0.as_ptr()) };
    }

    /// Takes a lock on a range, or gives it up, in this system alone (`posix_lock_file`).
    ///
    /// # Errors
    ///
    /// `EAGAIN`, `EDEADLK`, `ENOLCK`.
    pub fn posix_lock_file<K: FileOperations>(&mut self, file: &File<'_, K>) -> Result<Locked> {
        // SAFETY: Both are valid, by their type invariants.
        let result =
            unsafe { bindings::posix_lock_file(file.as_ptr(), self.0.as_ptr(), ptr::null_mut()) };
        if result == bindings::FILE_LOCK_DEFERRED {
            return Ok(Locked::Deferred);
        }
        to_result(result).map(|()| Locked::Now)
    }

    /// Takes a lock, or gives it up, in this system alone, and waits for it if it is to be waited for
    /// (`locks_lock_inode_wait`). May sleep.
    ///
    /// # Errors
    ///
    /// `EAGAIN`, `ERESTARTSYS`.
    pub fn locks_lock_file_wait<K: FileOperations>(&mut self, file: &File<'_, K>) -> Result {
        // SAFETY: Both are valid, by their type invariants; an open file has an inode.
        to_result(unsafe {
            bindings::locks_lock_inode_wait(bindings::file_inode(file.as_ptr()), self.0.as_ptr())
        })
    }
}

/// Handles a lock on a range.
///
/// # Safety
///
/// Called by the VFS with a file that the operations `K` opened, and a valid lock.
pub(crate) unsafe extern "C" fn lock<K: FileOperations>(
    file: *mut bindings::file,
    command: c_int,
    lock: *mut kernel::bindings::file_lock,
) -> c_int {
    let command = match command {
        bindings::F_GETLK => LockCommand::Get,
        bindings::F_CANCELLK => LockCommand::Cancel,
        _ => LockCommand::Set,
    };
    from_result(|| {
        // SAFETY: By the safety requirements. The kernel crate knows the type by name only.
        let (file, mut lock) =
            unsafe { (File::<K>::from_raw(file), FileLock::from_raw(lock.cast())) };
        Ok(match K::lock(&file, command, &mut lock)? {
            Locked::Now => 0,
            Locked::Deferred => bindings::FILE_LOCK_DEFERRED,
        })
    })
}

/// Handles a lock on a file.
///
/// # Safety
///
/// As [`fn@lock`].
pub(crate) unsafe extern "C" fn flock<K: FileOperations>(
    file: *mut bindings::file,
    _command: c_int,
    lock: *mut kernel::bindings::file_lock,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements.
        let (file, mut lock) =
            unsafe { (File::<K>::from_raw(file), FileLock::from_raw(lock.cast())) };
        K::flock(&file, &mut lock)?;
        Ok(0)
    })
}
