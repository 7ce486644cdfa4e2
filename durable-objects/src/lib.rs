//! Rooms as Durable Objects.
//!
//! Translates between the core and the platform: SQL, sockets, alarms. Decides nothing.

pub mod ask;
pub mod config;
pub mod dev;
pub mod fetch;
pub mod keys;
pub mod platform;
mod room;
mod sockets;
pub mod sql;

pub use room::Room;
