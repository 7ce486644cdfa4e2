//! What benchmarks run on: how thorough they are, and servers without the limits of a user.

use anyhow::Result;
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::Start;
use tempfile::TempDir;

/// How often a benchmark repeats what it measures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// In place of a benchmark's own number of rounds.
    pub(crate) rounds: Option<usize>,
    /// A first look: few rounds, little load.
    pub(crate) quick: bool,
}

impl Effort {
    /// Repetitions that a median is taken of; `usual` unless the caller wants others.
    pub(crate) fn rounds(self, usual: usize) -> usize {
        let quick = if self.quick { usual.min(2) } else { usual };
        self.rounds.unwrap_or(quick).max(1)
    }
}

/// A server's folder, gone with the first value, and its settings with `more` beside them. One
/// user stands for all of them, so limits of a user are out of the way.
pub(crate) fn folder_start(more: &[(&str, &str)]) -> Result<(TempDir, Start)> {
    let folder = tempfile::tempdir()?;
    let usual = [
        ("JWT_SECRET", SECRET),
        ("BARS_RATE", "1000000"),
        ("MAX_CONNECTIONS_PER_USER", "32768"),
        ("READ_RATE", "1000000"),
    ];
    let vars = usual.into_iter().chain(more.iter().copied());
    let start = Start {
        vars: vars
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        data: folder.path().join("data"),
    };
    Ok((folder, start))
}
