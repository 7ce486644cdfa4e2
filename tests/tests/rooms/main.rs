//! Rooms without a runtime: the core's host is driven directly, with a clock that is moved by
//! hand, recorded sockets and a real SQLite.

mod audit;
mod commands;
mod feed;
mod gathering;
mod incremental;
mod ingest;
mod lifecycle;
mod limits;
mod outbox;
mod properties;
mod reconnect;
mod renewal;
mod resume;
mod revocation;
mod silence;
mod sockets;
mod steady;
mod supply;
mod support;
mod tickets;
mod tokens;
mod watchdog;
