//! Signalroom on one machine: the core over rusqlite and tokio.
//!
//! Everything here translates: SQL, sockets, HTTP, timers, files. What is decided is decided in
//! `signalroom-core`, the same as on Cloudflare Workers.
#![forbid(unsafe_code)]

pub mod clock;
pub mod cost;
mod demo;
mod drive;
mod fetch;
mod files;
pub mod follow;
pub mod generated;
mod handshake;
mod http;
mod keys;
mod limits;
mod pace;
mod page;
mod phase;
pub mod random;
mod room;
mod schedule;
mod server;
pub mod sql;
mod upload;
pub mod vars;

pub use demo::Demo;
pub use http::DATA_HEADER;
pub use limits::Limits;
pub use page::{Page, PageError, PageSource};
pub use room::Hibernate;
pub use server::{Options, Server, StartError};
