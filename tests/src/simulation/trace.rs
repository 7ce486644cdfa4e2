//! What happened in a run: the newest steps in words, and all of them as one number.

use std::collections::VecDeque;

use super::CountedFaults;

/// Steps that a failure shows.
const SHOWN: usize = 30;

/// Lines that a failure shows at most.
const LINES: usize = 150;

/// The trace of a run.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    /// Whether all lines are kept, not the newest steps' alone.
    pub(super) whole: bool,
    /// The current step.
    pub(super) step: usize,
    pub(super) faults: CountedFaults,
    hash: u64,
    lines: VecDeque<(usize, String)>,
}

impl Trace {
    pub(super) fn new(whole: bool) -> Self {
        Self {
            whole,
            step: 0,
            faults: CountedFaults::default(),
            hash: 0xcbf2_9ce4_8422_2325,
            lines: VecDeque::new(),
        }
    }

    /// A line for people, which counts for the hash too.
    pub(super) fn note(&mut self, line: String) {
        self.count(&line);
        self.lines.push_back((self.step, line));
        while !self.whole
            && let Some((step, _)) = self.lines.front()
            && (step + SHOWN < self.step || self.lines.len() > LINES)
        {
            self.lines.pop_front();
        }
    }

    /// FNV-1a over everything that was seen.
    pub(super) fn count(&mut self, text: &str) {
        for byte in text.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.iter();
        lines
            .map(|(step, line)| format!("{step:>4}  {line}"))
            .collect()
    }
}
