// SPDX-License-Identifier: GPL-2.0

//! usage: seeds FOLDER: writes the inputs to begin with, one folder for each target.

use rfuse_proto_fuzz::{seeds, TARGETS};
use std::{env, fs, io, path::PathBuf};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("usage: seeds FOLDER"))?;
    for (target, _) in TARGETS {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for (index, seed) in seeds::of(target).into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{index:02}")), seed)?;
        }
    }
    Ok(())
}
