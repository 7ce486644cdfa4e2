//! One function per parser, to be given any bytes: it panics where the parser breaks its word.
//!
//! `fuzz/` hands the same functions to libFuzzer; a test here runs what that found.

mod decoders;
mod http;
mod market;
mod sockets;

/// A parser's name, as in `corpus/`, and what is done with it.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("attachment", decoders::attachment),
    ("audit_export", decoders::audit_export),
    ("bars_csv", decoders::bars_csv),
    ("bars_json", decoders::bars_json),
    ("config", decoders::config),
    ("follower", sockets::follower),
    ("keys", decoders::keys),
    ("market", market::market),
    ("names", decoders::names),
    ("request", http::request),
    ("room", sockets::room),
    ("text", decoders::text),
    ("token", decoders::token),
];

/// The target of this name.
///
/// # Panics
/// When there is none.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, target) = target.expect("a target of this name");
    target(data);
}
