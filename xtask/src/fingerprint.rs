//! Stamps: is what was built still what would be built now?
//!
//! A stamp is a file holding a fingerprint of the inputs by content, so that neither a fresh
//! checkout nor a touched file builds anything again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::shell;

/// The fingerprint of files and folders (relative to the root) together with `more`.
pub(crate) fn of(inputs: &[&str], more: &[String]) -> Result<String> {
    let mut files = Vec::new();
    for input in inputs {
        collect(&shell::root().join(input), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    more.hash(&mut hasher);
    for file in &files {
        file.hash(&mut hasher);
        fs::read(file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Whether the stamp holds this fingerprint.
pub(crate) fn matches(stamp: &Path, fingerprint: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|held| held == fingerprint)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}
