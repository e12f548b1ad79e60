// SPDX-License-Identifier: GPL-2.0

//! What a server has read and not answered yet.

use crate::conn::request::{OwnedRequest, Request};
use kernel::prelude::*;
use rfuse_kapi::handoff::Chain;

/// How many chains the requests are spread over, by number.
const BUCKETS: usize = 256;

/// Requests by number.
pub(super) struct Processing(KVec<Chain<Request>>);

impl Processing {
    /// None. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        let mut buckets = KVec::with_capacity(BUCKETS, GFP_KERNEL)?;
        for _ in 0..BUCKETS {
            buckets.push(Chain::new(), GFP_KERNEL)?;
        }
        Ok(Self(buckets))
    }

    fn bucket(&mut self, unique: u64) -> Option<&mut Chain<Request>> {
        // Numbers are even.
        let index = (unique >> 1) as usize & BUCKETS.wrapping_sub(1);
        self.0.get_mut(index)
    }

    pub(super) fn add(&mut self, request: OwnedRequest) {
        if let Some(bucket) = self.bucket(request.unique()) {
            bucket.push_back(request);
        }
    }

    /// How many they are. Counts them.
    pub(super) fn len(&self) -> usize {
        self.0.iter().flat_map(Chain::iter).count()
    }

    /// Takes the request with this number out.
    pub(super) fn take(&mut self, unique: u64) -> Option<OwnedRequest> {
        self.bucket(unique)?
            .remove_first(|request| request.unique() == unique)
    }

    /// Whether the request with this number is here.
    pub(super) fn has(&mut self, unique: u64) -> bool {
        self.bucket(unique)
            .is_some_and(|bucket| bucket.iter().any(|request| request.unique() == unique))
    }

    /// Those that `wanted` is said of.
    pub(super) fn extract(&mut self, wanted: impl Fn(&OwnedRequest) -> bool) -> Chain<Request> {
        let mut found = Chain::new();
        for bucket in &mut self.0 {
            found.append(&mut bucket.extract(&wanted));
        }
        found
    }

    /// All of them.
    pub(super) fn take_all(&mut self) -> Chain<Request> {
        let mut all = Chain::new();
        for bucket in &mut self.0 {
            all.append(bucket);
        }
        all
    }
}
