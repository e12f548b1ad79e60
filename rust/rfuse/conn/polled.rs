// SPDX-License-Identifier: GPL-2.0

//! Files that are polled: the server says when to look again, by a number for each.

use super::Connection;
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, Arc},
};
use rfuse_kapi::wait::PollQueue;

/// A file that is polled, or was.
#[pin_data]
pub(crate) struct PolledFile {
    /// The number (`kh`).
    pub(crate) kh: u64,
    /// Who polls.
    #[pin]
    pub(crate) queue: PollQueue,
}

impl Connection {
    /// A number for a file, and a queue for those who poll it. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add_polled(&self) -> Result<Arc<PolledFile>> {
        let kh = self.next_kh.fetch_add(1, Relaxed);
        let file = Arc::pin_init(
            pin_init!(PolledFile { kh, queue <- PollQueue::new() }),
            GFP_KERNEL,
        )?;
        self.polled.lock().push(file.clone(), GFP_KERNEL)?;
        Ok(file)
    }

    /// The file is polled no longer. May sleep.
    pub(crate) fn remove_polled(&self, file: &Arc<PolledFile>) {
        self.polled.lock().retain(|other| !Arc::ptr_eq(other, file));
    }

    /// Has those who poll the file with this number look again, if there is one. May sleep.
    pub(crate) fn wake_polled(&self, kh: u64) {
        let found = {
            let polled = self.polled.lock();
            polled.iter().find(|file| file.kh == kh).cloned()
        };
        if let Some(file) = found {
            file.queue.wake_all();
        }
    }
}
