//! The harness in this process, hibernation forced after every event. The only file that knows
//! the harness's Rust API.

use anyhow::{Context, Result};
use signalroom_harness::{Hibernate, Options, Server};

use super::{Start, Stop};

/// A server in this process.
pub struct Running {
    url: String,
    server: Option<Server>,
}

impl Running {
    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it in order, or drops it, which ends everything at once as a crash would.
    pub async fn stop(&mut self, how: Stop) {
        match (self.server.take(), how) {
            (Some(server), Stop::Gently) => server.stop().await,
            (Some(server), Stop::Kill) => drop(server),
            (None, _) => {}
        }
    }
}

/// Starts the product in this process.
pub async fn start(start: &Start) -> Result<Running> {
    let server = Server::start(Options {
        listen: ([127, 0, 0, 1], 0).into(),
        data: start.data.clone(),
        vars: start.vars.clone(),
        hibernate: Hibernate::EveryEvent,
        cron: false,
        demo: false,
    })
    .await
    .context("the harness in this process")?;
    Ok(Running {
        url: format!("http://{}", server.addr()),
        server: Some(server),
    })
}
