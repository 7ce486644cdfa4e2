//! The Worker on real workerd, by `wrangler dev` in the project's root.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Start, process, process::Running, root};

/// The first start builds the Worker.
const START_DEADLINE: Duration = Duration::from_secs(300);

/// `wrangler dev` runs the project's build at every start: one at a time.
static STARTING: Mutex<()> = Mutex::const_new(());

/// `wrangler dev` with its state in the data folder.
pub async fn start(start: &Start) -> Result<Running> {
    let _turn = STARTING.lock().await;
    let port = process::free_port()?;
    let inspector = process::free_port()?;
    let mut command = Command::new("npx");
    command
        .args(["wrangler", "dev", "--ip", "127.0.0.1", "--test-scheduled"])
        .args([
            "--show-interactive-dev-session=false",
            "--log-level",
            "info",
        ])
        .arg(format!("--port={port}"))
        .arg(format!("--inspector-port={inspector}"))
        .arg("--persist-to")
        .arg(&start.data)
        .env("WRANGLER_SEND_METRICS", "false")
        .env("CI", "1")
        .env("NO_COLOR", "1")
        .current_dir(root());
    for (name, value) in &start.vars {
        command.arg("--var").arg(format!("{name}:{value}"));
    }
    let parent = start
        .data
        .parent()
        .context("the data folder has a parent")?;
    std::fs::create_dir_all(parent)?;
    let mut running = Running::spawn(
        command,
        &std::collections::BTreeMap::new(),
        &parent.join("wrangler.log"),
    )?;
    let url = format!("http://127.0.0.1:{port}");
    running.listens_on(&url);
    let http = crate::client::rest::http()?;
    let deadline = Instant::now() + START_DEADLINE;
    let health = format!("{url}/healthz");
    while http.get(&health).send().await.is_err() {
        running.tick(deadline).await?;
    }
    Ok(running)
}
