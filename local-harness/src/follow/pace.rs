//! When to come back, and whether at all.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Close codes that mean: do not come back.
const FINAL: [RangeInclusive<u16>; 3] = [1000..=1000, 1009..=1009, 4500..=4999];

/// Whether a close code forbids to come back.
pub fn is_final(code: u16) -> bool {
    FINAL.iter().any(|codes| codes.contains(&code))
}

/// Whether an HTTP status that refuses an upgrade forbids to come back. 401 is apart: it asks for
/// another token.
pub(super) fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status) && ![408, 425, 429].contains(&status)
}

/// How fast a client comes back, and how long it waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Longest window for a first reconnect, whatever the server names.
    pub window: Duration,
    /// Shortest wait of the exponential backoff.
    pub least: Duration,
    /// Longest wait of the exponential backoff.
    pub most: Duration,
    /// A connection that lived this long was well: the backoff starts anew.
    pub well: Duration,
    /// How long a connect, or a question to REST, may take.
    pub connect: Duration,
    /// How long a JSON ping may stay without an answer.
    pub answer: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            least: Duration::from_secs(3),
            most: Duration::from_secs(60),
            well: Duration::from_secs(10),
            connect: Duration::from_secs(15),
            answer: Duration::from_secs(5),
        }
    }
}

impl Pace {
    /// How long to wait before connecting for the `attempt`-th time; 0 is the first since the
    /// socket was well, which is spread over the server's `window`. `random` is in [0, 1).
    pub fn wait(&self, attempt: u32, window: Duration, random: f64) -> Duration {
        let random = random.clamp(0.0, 1.0);
        if attempt == 0 {
            return window.min(self.window).mul_f64(random);
        }
        let doubled = self.least.saturating_mul(1 << attempt.min(16));
        let spread = doubled.min(self.most).saturating_sub(self.least);
        self.least + spread.mul_f64(random)
    }
}
