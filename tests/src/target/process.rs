//! A server in processes of its own, in a process group of their own, so that nothing is left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::Stop;

/// How long a server may take to stop after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A running process group.
pub struct Running {
    url: String,
    child: Child,
    group: u32,
    log: PathBuf,
}

impl Running {
    /// Starts `command` in a group of its own; what it prints goes to the file `log`.
    pub fn spawn(
        mut command: Command,
        vars: &BTreeMap<String, String>,
        log: &Path,
    ) -> Result<Self> {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("the log {}", log.display()))?;
        command
            .envs(vars)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("starting {command:?}"))?;
        let group = child.id().context("it ended at once")?;
        Ok(Self {
            url: String::new(),
            child,
            group,
            log: log.to_owned(),
        })
    }

    /// Sets the address, once it is known.
    pub fn listens_on(&mut self, url: &str) {
        url.clone_into(&mut self.url);
    }

    /// Its first process, until it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The most memory it had at once, bytes, as Linux tells.
    pub fn peak_memory(&self) -> Option<u64> {
        self.told("VmHWM:").ok().map(|kilobytes| kilobytes * 1024)
    }

    /// The memory it has now, bytes.
    ///
    /// # Errors
    /// When it has ended, or this is not Linux.
    pub fn memory(&self) -> Result<u64> {
        Ok(self.told("VmRSS:")? * 1024)
    }

    /// The processor time that all its threads have taken so far; not those that have ended.
    ///
    /// # Errors
    /// When it has ended, or this is not Linux.
    pub fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(self.proc("task")?)? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let first = text.split_whitespace().next().context("schedstat")?;
            nanoseconds += first.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn proc(&self, file: &str) -> Result<PathBuf> {
        let id = self.child.id().context("it has ended")?;
        Ok(PathBuf::from(format!("/proc/{id}/{file}")))
    }

    /// The number after `name` in what Linux tells of its state.
    fn told(&self, name: &str) -> Result<u64> {
        let text = std::fs::read_to_string(self.proc("status")?)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        let value = value.with_context(|| format!("no {name}"))?;
        let number = value.split_whitespace().next().context("a number")?;
        Ok(number.parse()?)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// One step of a wait for it to be ready: fails with the log when it has ended or `deadline`
    /// has passed.
    pub async fn tick(&mut self, deadline: Instant) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!(
                "it ended with {status} before it was ready:\n{}",
                self.log()
            );
        }
        if Instant::now() > deadline {
            bail!("it was not ready in time:\n{}", self.log());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        Ok(())
    }

    /// Stops it and waits for its end.
    pub async fn stop(&mut self, how: Stop) -> Result<ExitStatus> {
        match how {
            Stop::Gently => signal("-TERM", &self.group.to_string()),
            Stop::Kill => signal("-KILL", &format!("-{}", self.group)),
        }
        match tokio::time::timeout(STOP_DEADLINE, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!(
                "expected it to end within {STOP_DEADLINE:?}, it runs on:\n{}",
                self.log()
            ),
        }
    }

    /// What it printed last.
    pub fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        signal("-KILL", &format!("-{}", self.group));
    }
}

fn signal(name: &str, to: &str) {
    let _ = std::process::Command::new("kill")
        .args([name, "--", to])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// A port nobody listens on now.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("a free port")?;
    Ok(listener.local_addr()?.port())
}
