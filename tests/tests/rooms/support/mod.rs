//! Rooms on a bench: their hosts, databases, sockets and a clock, moved by commands in text.

pub mod bars;
pub mod brief;
mod commands;
pub mod script;
pub mod sockets;
pub mod sql;
pub mod world;
