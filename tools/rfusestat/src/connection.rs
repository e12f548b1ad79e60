// SPDX-License-Identifier: GPL-2.0

//! Mounts, and the folders of their connections.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail, Context as _, Result};
use mount_rfuse::mountinfo::{self, Mount};
use serde::Serialize;

use crate::operation::{self, Operations};

/// Where the control file system is mounted.
const CONTROL: &str = "sys/fs/rfuse/connections";

/// The names of our types, those of the kernel's own client among them: rfuse may have them.
const TYPES: [&str; 5] = ["rfuse", "rfuseblk", "fuse", "fuseblk", "virtiofs"];

/// The files that its state is read from.
const FILES: [&str; 3] = ["stats", "latency", "waiting"];

/// The connection of a mount.
#[derive(Debug)]
pub struct Connection {
    mount: Mount,
    folder: PathBuf,
}

/// What a connection has done, and does.
#[derive(Debug, Serialize)]
pub struct State {
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// What is mounted.
    pub source: String,
    /// The name of its folder.
    pub connection: u32,
    /// How many requests wait for the server.
    pub waiting: u64,
    /// Seconds that the operations were counted for; since the mount if there are none.
    pub seconds: Option<f64>,
    /// The operations.
    pub operations: Operations,
}

/// The connections of the mounts at `directories`; if there are none, those of all mounts that the caller may see.
///
/// # Errors
///
/// The control file system is not mounted, or a directory is no mount of rfuse.
pub fn find(root: &Path, directories: &[PathBuf]) -> Result<Vec<Connection>> {
    if directories.is_empty() {
        let mut all = all(root)?;
        all.retain(|connection| fs::File::open(connection.folder.join(FILES[0])).is_ok());
        return Ok(all);
    }
    directories
        .iter()
        .map(|directory| at(root, directory))
        .collect()
}

/// The connection of the mount at `directory`.
///
/// # Errors
///
/// As for [`find`].
pub fn at(root: &Path, directory: &Path) -> Result<Connection> {
    let all = all(root)?;
    // Not by its real path: to look that up the server would be asked, which may be dead.
    let wanted = std::path::absolute(directory)?;
    all.into_iter()
        .rev()
        .find(|connection| connection.mount.mount_point == wanted)
        .ok_or_else(|| anyhow!("{} is no mount point of rfuse", directory.display()))
}

fn all(root: &Path) -> Result<Vec<Connection>> {
    let control = root.join(CONTROL);
    let path = root.join("proc/self/mountinfo");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mounts = mountinfo::parse(&text);
    if !mounts.iter().any(|mount| mount.fs_type == "rfusectl") {
        bail!(
            "the control file system is not mounted: mount -t rfusectl none {}",
            control.display()
        );
    }
    let mut seen = HashSet::new();
    Ok(mounts
        .into_iter()
        .filter(|mount| TYPES.contains(&mount.fs_type.split('.').next().unwrap_or_default()))
        // Others are of the same superblock.
        .filter(|mount| seen.insert(mount.device))
        .map(|mount| Connection {
            folder: control.join(mount.device.to_string()),
            mount,
        })
        // Submounts have no connection of their own, and mounts of the kernel's own client have none here.
        .filter(|connection| connection.folder.exists())
        .collect())
}

impl Connection {
    /// Its state; nothing if its mount is gone.
    ///
    /// # Errors
    ///
    /// The files cannot be read, or are not known.
    pub fn read(&self) -> Result<Option<State>> {
        let Some(files) = self.files()? else {
            return Ok(None);
        };
        let [stats, latency, waiting] = &files;
        let state = State {
            mount_point: self.mount.mount_point.clone(),
            source: self.mount.source.to_string_lossy().into_owned(),
            connection: self.mount.device,
            waiting: waiting.trim().parse()?,
            seconds: None,
            operations: operation::parse(stats, latency)
                .with_context(|| format!("{}", self.folder.display()))?,
        };
        Ok(Some(state))
    }

    fn files(&self) -> Result<Option<[String; 3]>> {
        let mut texts: [String; 3] = Default::default();
        for (name, text) in FILES.iter().zip(&mut texts) {
            let path = self.folder.join(name);
            *text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot read {}", path.display()))
                }
            };
        }
        Ok(Some(texts))
    }

    /// Cuts it off from its server.
    ///
    /// # Errors
    ///
    /// Those of writing its file `abort`.
    pub fn abort(&self) -> Result<()> {
        let path = self.folder.join("abort");
        fs::write(&path, "1").with_context(|| format!("cannot write {}", path.display()))
    }
}

impl State {
    /// What has happened since the time of `earlier`, which was `elapsed` ago. All of it for one that is new.
    pub fn since(&self, earlier: &[Self], elapsed: Duration) -> Self {
        let before = earlier
            .iter()
            .find(|state| state.connection == self.connection);
        let nothing = operation::Operation::default();
        let change = |(name, now): (&String, &operation::Operation)| {
            let then = before.and_then(|state| state.operations.get(name));
            (name.clone(), now.since(then.unwrap_or(&nothing)))
        };
        Self {
            mount_point: self.mount_point.clone(),
            source: self.source.clone(),
            seconds: Some(elapsed.as_secs_f64()),
            operations: self.operations.iter().map(change).collect(),
            ..*self
        }
    }
}
