//! Rooms on a bench: their hosts, databases, sockets and a clock, moved by commands in text.

mod commands;
mod market;
pub mod script;
pub mod world;

pub use signalroom_tests::bench::{bars, brief, sockets, sql};
