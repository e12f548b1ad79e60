// SPDX-License-Identifier: GPL-2.0

//! A temporary directory tree that stands for `/` in tests.

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Removed with its contents when dropped.
pub struct Tree(PathBuf);

impl Tree {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("mount-rfuse-{}-{number}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn directory(&self, name: &str) {
        fs::create_dir_all(self.0.join(name)).unwrap();
    }

    pub fn file(&self, name: &str, text: &str) {
        self.parent(name);
        fs::write(self.0.join(name), text).unwrap();
    }

    pub fn program(&self, name: &str, script: &str) {
        self.file(name, &format!("#!/bin/sh\n{script}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.0.join(name), mode).unwrap();
    }

    pub fn link(&self, name: &str, target: &str) {
        self.parent(name);
        symlink(target, self.0.join(name)).unwrap();
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    fn parent(&self, name: &str) {
        fs::create_dir_all(self.0.join(name).parent().unwrap()).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}
