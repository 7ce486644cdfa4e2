//! What stands beside the wasm: the page for both runtimes, and the local secrets.
//!
//! Files are only written when they differ, because a running `wrangler dev` watches them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{setup, shell};

/// Where wrangler takes the static files from.
pub(crate) const FOLDER: &str = "build/assets";

/// Builds the page if its sources changed, and puts it where wrangler takes it from, with its
/// second address, `/signals`.
pub(crate) fn write() -> Result<()> {
    let project = setup::project()?;
    let lock = project.lock().context("cannot lock the page's build")?;
    if let Some(step) = project.build()? {
        setup::take(step, &lock)?;
    }
    let page = project.page();
    let mut files = BTreeSet::new();
    collect(&page, Path::new(""), &mut files)?;
    let to = shell::root().join(FOLDER);
    // The page last: by then everything that it names is there.
    let (pages, parts): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_page(file));
    for file in parts.into_iter().chain(pages) {
        write_if_changed(&to.join(file), &fs::read(page.join(file))?)?;
    }
    let second = PathBuf::from("signals.html");
    write_if_changed(&to.join(&second), &fs::read(page.join("index.html"))?)?;
    files.insert(second);

    let mut held = BTreeSet::new();
    collect(&to, Path::new(""), &mut held)?;
    for stale in held.difference(&files) {
        fs::remove_file(to.join(stale))?;
    }
    drop(lock);
    Ok(())
}

fn is_page(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "html")
}

/// The files below `root`/`folder`, relative to `root`.
fn collect(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    let whole = root.join(folder);
    let entries =
        fs::read_dir(&whole).with_context(|| format!("cannot read {}", whole.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else {
            files.insert(path);
        }
    }
    Ok(())
}

/// Makes `.dev.vars` with a random signing key, unless there is one.
pub(crate) fn write_dev_vars() -> Result<()> {
    let path = shell::root().join(".dev.vars");
    let created = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    let mut file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error).context("cannot create .dev.vars"),
    };
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).context("the system gives no random bytes")?;
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(file, "JWT_SECRET={key}")?;
    eprintln!("build: .dev.vars with a new random JWT_SECRET");
    Ok(())
}

fn write_if_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|held| held == content) {
        return Ok(());
    }
    let written = match path.parent() {
        Some(folder) => fs::create_dir_all(folder),
        None => Ok(()),
    };
    written
        .and_then(|()| fs::write(path, content))
        .with_context(|| format!("cannot write {}", path.display()))
}
