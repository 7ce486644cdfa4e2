//! The native binary: built once, started as its users start it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::{Start, process::Running, root};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// The binary `signalroom`, built at the first call.
pub async fn binary() -> Result<PathBuf> {
    static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
    BINARY.get_or_try_init(build).await.cloned()
}

static RELEASE: AtomicBool = AtomicBool::new(false);

/// Makes [`binary`] the release build, as benchmarks want it, or the one that `SIGNALROOM_BIN`
/// names.
pub fn release() {
    RELEASE.store(true, Ordering::Relaxed);
}

async fn build() -> Result<PathBuf> {
    if RELEASE.load(Ordering::Relaxed)
        && let Some(path) = std::env::var_os("SIGNALROOM_BIN")
    {
        return Ok(PathBuf::from(path));
    }
    let (profile, folder) = if RELEASE.load(Ordering::Relaxed) {
        ("release", "release")
    } else {
        ("dev", "debug")
    };
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = Command::new(&cargo)
        .args([
            "build",
            "--quiet",
            "--profile",
            profile,
            "-p",
            "signalroom-harness",
            "--bin",
            "signalroom",
        ])
        .current_dir(root())
        .status()
        .await
        .context("cargo build")?;
    ensure!(
        built.success(),
        "expected the native binary to build, cargo ended with {built}"
    );
    let metadata = Command::new(&cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .await
        .context("cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&metadata.stdout).context("cargo metadata")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("the target directory")?;
    Ok(PathBuf::from(target).join(folder).join("signalroom"))
}

/// `signalroom serve` on a port of its own choice.
pub async fn start(start: &Start) -> Result<Running> {
    let mut command = Command::new(binary().await?);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&start.data);
    let parent = start
        .data
        .parent()
        .context("the data folder has a parent")?;
    std::fs::create_dir_all(parent)?;
    // Its own log at every start: an address of the last start must not be found again.
    let log = tempfile::Builder::new()
        .prefix("serve-")
        .suffix(".log")
        .tempfile_in(parent)?;
    let (_, log) = log.keep()?;
    let mut running = Running::spawn(command, &start.vars, &log)?;
    let deadline = Instant::now() + START_DEADLINE;
    let url = loop {
        if let Some(url) = address(&running.log()) {
            break url;
        }
        running.tick(deadline).await?;
    };
    running.listens_on(&url);
    Ok(running)
}

/// The address in the line `listening on http://…`.
fn address(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on http://")?;
    let (line, _) = rest.split_once('\n').unwrap_or((rest, ""));
    let host = line.split_whitespace().next()?.trim_end_matches('/');
    let complete = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    complete.then(|| format!("http://{host}"))
}
