//! Rooms as tasks: a mailbox each, one thing at a time, found by name.
//!
//! Nothing is decided here. A room's task carries events and calls to the core's host, and what
//! the host owes others to them.

mod backlog;
mod delivery;
mod frame;
mod registry;
mod socket;
mod table;
mod task;
mod writer;

pub(crate) use registry::{Registry, Settings, room_files};
pub(crate) use socket::{Accepted, serve};
pub(crate) use writer::DRAIN_WINDOW;

/// Messages that may wait for a room; senders wait beyond that.
const MAILBOX: usize = 256;

/// When rooms forget their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hibernate {
    /// After this long without anything to do; sockets stay.
    After(std::time::Duration),
    /// After every single event, call and delivery: for tests.
    EveryEvent,
}
