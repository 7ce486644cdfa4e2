//! The harness in this process, hibernation forced after every event. The only file that knows
//! the harness's Rust API.

use anyhow::{Result, bail};

use super::Start;

/// A server in this process.
pub struct Running {
    url: String,
}

impl Running {
    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it.
    pub async fn stop(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Starts the product in this process.
pub async fn start(_start: &Start) -> Result<Running> {
    bail!("the harness cannot be started in process yet")
}
