//! What rooms without a runtime stand on: databases that fail on demand, sockets that write down
//! what is sent to them, bars that suggest what a test wants,
//! events of rooms that are not there, and frames in few words.

pub mod bars;
pub mod brief;
pub mod entries;
pub mod sockets;
pub mod sql;
