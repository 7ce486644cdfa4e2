//! `signalroom serve`: the whole product on one machine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use signalroom_core::auth::Role;
use signalroom_harness::{Hibernate, Options, Server};
use tokio::signal::unix::{SignalKind, signal};

/// How long rooms may idle before they hibernate, as on workerd.
const IDLE: Duration = Duration::from_secs(10);

/// How long the printed sign-in link is valid, milliseconds.
const LINK_TTL: i64 = 12 * 3_600_000;

/// Where to listen and what to keep.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address to listen on; anything but loopback is open to the network
    #[arg(long, default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Folder that keeps all state
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Fill an empty data folder with a generated series
    #[arg(long)]
    demo: bool,
}

impl Serve {
    pub(crate) async fn run(self) -> Result<bool> {
        // Before anything is promised: a signal from here on is an orderly stop.
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
        let settings = super::settings()?;
        let verifier = super::verifier(&settings)?;
        let server = Server::start(Options {
            listen: self.listen,
            data: self.data,
            vars: settings.vars,
            hibernate: Hibernate::After(IDLE),
            cron: true,
            demo: self.demo,
        })
        .await?;
        let address = server.addr();
        println!("listening on http://{address}");
        let token = super::sign(&verifier, "admin", Role::Admin, LINK_TTL)?;
        println!("sign in at http://{address}/signals#token={token}");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        server.stop().await;
        Ok(true)
    }
}
