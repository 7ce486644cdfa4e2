//! Every decision of Signalroom, for both runtimes: pure functions and plain data.
//!
//! Nothing here does I/O, reads a clock, draws randomness or awaits. Time, ids and storage are
//! passed in; what is to be written and sent is handed back, and the adapters carry it out.
#![forbid(unsafe_code)]

pub mod api;
pub mod audit;
pub mod auth;
mod broadcast;
pub mod calendar;
pub mod config;
pub mod cron;
pub mod fetch;
pub mod host;
pub mod market;

pub mod rate;
pub mod revocation;
pub mod room;
pub mod signals;
pub mod store;
pub mod symbol;
pub mod text;
pub mod time;
pub mod wire;
