//! Targets: the ways to run the product. One file each; a case sees only the address.

pub mod harness;
pub mod inproc;
pub mod plain;
pub mod process;
pub mod workerd;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// A way to run the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The harness in this process; every room is dropped and restored after every event.
    Inproc,
    /// The native binary, as users start it.
    Harness,
    /// The Worker on real workerd, by `wrangler dev`.
    Workerd,
    /// The Worker on plain `workerd serve`, without its page: for benchmarks.
    #[value(skip)]
    Plain,
}

impl Kind {
    /// Those that have to behave alike.
    pub const ALL: [Self; 3] = [Self::Inproc, Self::Harness, Self::Workerd];
}

/// How a server is started: vars and data folder. The same value starts it again.
#[derive(Debug, Clone)]
pub struct Start {
    /// Configuration of the contract, secret included.
    pub vars: BTreeMap<String, String>,
    /// State; made when absent.
    pub data: PathBuf,
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// As an operator does: SIGTERM.
    Gently,
    /// As a power cut does: SIGKILL to the whole group.
    Kill,
}

/// A running server.
pub enum Server {
    /// In this process.
    Inproc(inproc::Running),
    /// The native binary.
    Harness(process::Running),
    /// Wrangler and workerd.
    Workerd(process::Running),
    /// Workerd alone.
    Plain(process::Running),
}

impl Server {
    /// Starts the product, and waits until it answers.
    pub async fn start(kind: Kind, start: &Start) -> Result<Self> {
        Ok(match kind {
            Kind::Inproc => Self::Inproc(inproc::start(start).await?),
            Kind::Harness => Self::Harness(harness::start(start).await?),
            Kind::Workerd => Self::Workerd(workerd::start(start).await?),
            Kind::Plain => Self::Plain(plain::Script::ours()?.start(start).await?),
        })
    }

    /// Its address, without a slash at its end.
    pub fn url(&self) -> &str {
        match self {
            Self::Inproc(running) => running.url(),
            Self::Harness(running) | Self::Workerd(running) | Self::Plain(running) => running.url(),
        }
    }

    /// Stops it, and waits until it is gone. Gently, the native binary must exit with 0.
    pub async fn stop(&mut self, how: Stop) -> Result<()> {
        match self {
            Self::Inproc(running) => {
                running.stop(how).await;
                Ok(())
            }
            Self::Harness(running) => {
                let status = running.stop(how).await?;
                if how == Stop::Gently && !status.success() {
                    bail!(
                        "expected exit 0 after SIGTERM, got {status}\n{}",
                        running.log()
                    );
                }
                Ok(())
            }
            Self::Workerd(running) | Self::Plain(running) => running.stop(how).await.map(|_| ()),
        }
    }

    /// The most memory that the native binary or a plain workerd had at once, bytes; none of other
    /// targets, and where the system does not tell.
    pub fn peak_memory(&self) -> Option<u64> {
        match self {
            Self::Harness(running) | Self::Plain(running) => running.peak_memory(),
            Self::Inproc(_) | Self::Workerd(_) => None,
        }
    }

    /// The process that was started; none in this process, and once it has ended.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Inproc(_) => None,
            Self::Harness(running) | Self::Workerd(running) | Self::Plain(running) => running.pid(),
        }
    }

    /// What it printed last.
    pub fn log(&self) -> String {
        match self {
            Self::Inproc(_) => String::new(),
            Self::Harness(running) | Self::Workerd(running) | Self::Plain(running) => running.log(),
        }
    }
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}
