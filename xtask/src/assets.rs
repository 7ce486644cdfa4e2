//! What stands beside the wasm: static files for both runtimes, and the local secrets.
//!
//! Files are only written when they differ, because a running `wrangler dev` watches them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell;

/// Where the static files are served from.
pub(crate) const FOLDER: &str = "build/assets";

/// Copies `static/` (page, styles, `_headers`) and gives the page its second address, `/signals`.
pub(crate) fn write() -> Result<()> {
    let from = shell::root().join("static");
    let to = shell::root().join(FOLDER);
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(&from).context("cannot read static/")? {
        let entry = entry?;
        write_if_changed(&to.join(entry.file_name()), &fs::read(entry.path())?)?;
    }
    write_if_changed(
        &to.join("signals.html"),
        &fs::read(from.join("index.html"))?,
    )
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
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
