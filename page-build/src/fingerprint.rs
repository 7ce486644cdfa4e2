//! Stamps: is what was built still what would be built now?
//!
//! A stamp is a file holding a fingerprint of the inputs by content, so that neither a fresh
//! checkout nor a touched file builds anything again.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// The fingerprint of files and folders (relative to `root`, wherever that is) together with
/// `more`. Files and folders called as one of `without` are left out.
///
/// # Errors
/// The system's, naming the file that cannot be read.
pub fn of(root: &Path, inputs: &[&str], without: &[&str], more: &[String]) -> io::Result<String> {
    let mut files = Vec::new();
    for input in inputs {
        collect(&root.join(input), without, &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    more.hash(&mut hasher);
    for file in &files {
        file.strip_prefix(root).unwrap_or(file).hash(&mut hasher);
        let content = fs::read(file).map_err(|error| named(file, &error))?;
        content.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Whether the stamp holds this fingerprint.
pub fn matches(stamp: &Path, fingerprint: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|held| held == fingerprint)
}

fn collect(path: &Path, without: &[&str], files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|error| named(path, &error))? {
        let entry = entry?;
        if !without.iter().any(|name| entry.file_name() == *name) {
            collect(&entry.path(), without, files)?;
        }
    }
    Ok(())
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
