//! `signalroom cost`: what a desk costs on Cloudflare Workers.

use anyhow::Result;
use clap::Args;
use signalroom_harness::cost::{Desk, Table};

use super::say;

/// How large the desk is.
#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// Symbols watched
    #[arg(long, value_name = "N")]
    symbols: u32,
    /// Dashboards open at any time, around the clock
    #[arg(long, value_name = "N")]
    dashboards: u32,
    /// New signals a day, of all symbols
    #[arg(long, value_name = "N")]
    signals_per_day: u32,
    /// Decisions a day
    #[arg(long, value_name = "N")]
    approvals_per_day: u32,
    /// Only what it would cost if objects stayed awake
    #[arg(long)]
    no_hibernation: bool,
}

impl Cost {
    pub(crate) fn run(self) -> Result<bool> {
        let desk = Desk {
            symbols: self.symbols,
            dashboards: self.dashboards,
            signals_per_day: self.signals_per_day,
            approvals_per_day: self.approvals_per_day,
        };
        let awake = ("no hibernation", desk.usage(false));
        let table = if self.no_hibernation {
            vec![awake]
        } else {
            vec![("hibernating", desk.usage(true)), awake]
        };
        say(format_args!("{}", Table(table)))?;
        Ok(true)
    }
}
