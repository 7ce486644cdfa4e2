//! Running other programs, and the folders they work in.
//!
//! Every program starts in the workspace's root and is named before it runs, so that a log can be
//! replayed by hand.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace")
}

/// Where tools are kept: shared by all clones of one user, keyed by version.
pub(crate) fn tools() -> Result<PathBuf> {
    if let Some(folder) = set("SIGNALROOM_TOOLS") {
        return Ok(folder);
    }
    let cache = match set("XDG_CACHE_HOME") {
        Some(folder) => folder,
        None => std::env::home_dir()
            .context("no home folder: set SIGNALROOM_TOOLS")?
            .join(".cache"),
    };
    Ok(cache.join("signalroom").join("tools"))
}

fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// A program to be started in the workspace's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs this very program.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a program whose output goes straight to the terminal; an exit code but 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", line(command));
    }
    Ok(())
}

/// What a program printed, and whether it ended well.
pub(crate) struct Watched {
    /// Exit code 0.
    pub(crate) ok: bool,
    /// The lines of its standard output.
    pub(crate) lines: Vec<String>,
}

/// Runs a program, shows its standard output as it comes, and keeps it.
pub(crate) fn watch(command: &mut Command) -> Result<Watched> {
    announce(command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", line(command)))?;
    let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    let mut lines = Vec::new();
    for raw in BufReader::new(stdout).split(b'\n') {
        let text = String::from_utf8_lossy(&raw?).into_owned();
        println!("{text}");
        lines.push(text);
    }
    let ok = child.wait()?.success();
    Ok(Watched { ok, lines })
}

/// The standard output of a program that is only asked something; `None` if it fails or is absent.
pub(crate) fn ask(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn announce(command: &Command) {
    eprintln!("$ {}", line(command));
}

fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
