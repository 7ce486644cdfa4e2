//! Rooms as Durable Objects.
//!
//! Translates between the core and the platform: SQL, sockets, alarms. Decides nothing.

pub mod platform;
mod room;
pub mod sql;

pub use room::Room;
