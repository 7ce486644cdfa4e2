//! Black-box conformance of Signalroom: one list of cases, every target.
//!
//! A *case* is one behaviour of the contract. It knows a base URL, a way to mint tokens and, when
//! it asked for a server of its own, how to kill and restart it; it never sees a type of the
//! product. A *target* is a way to run the product: in process with hibernation forced after
//! every event, the native binary as users start it, and the Worker on real workerd.
//!
//! The expected numbers come from [`oracle`], an implementation of the golden README of its own,
//! over the series of [`bars`].
//!
//! Beside that the rooms are driven without a runtime: by scripts and random commands over a
//! [`mod@bench`], and in a deterministic [`simulation`] of everything that can go wrong. For the
//! benchmarks there is a [`load`] of thousands of WebSocket clients.

pub mod bars;
pub mod bench;
pub mod case;
pub mod cases;
pub mod check;
pub mod client;
pub mod identity_provider;
pub mod load;
pub mod market;
pub mod oracle;
pub mod runner;
pub mod simulation;
pub mod target;
