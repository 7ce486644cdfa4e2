//! The WebSocket protocol: what clients may say, what they hear, and how it is encoded.

pub mod client;
pub mod close;
pub mod depth;
pub mod frame;
pub mod limits;
pub mod server;
