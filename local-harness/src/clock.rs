//! The one place where the harness reads clocks. Everything else is handed a time.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signalroom_core::time::Millis;
use tokio::time::Instant;

/// The time of day.
#[allow(
    clippy::disallowed_methods,
    reason = "an adapter owns the clock, and this is where"
)]
pub fn now() -> Millis {
    // A clock before 1970 is no clock; the epoch is the least wrong answer.
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    Millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// The monotonic moment as a time since one that stays the same.
pub(crate) fn ticks() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(|| in_(Duration::ZERO));
    START.elapsed()
}

/// The monotonic moment that is `at` by the time of day; now, if that has passed.
pub(crate) fn instant(at: Millis) -> Instant {
    let left = at.0.saturating_sub(now().0);
    in_(Duration::from_millis(
        u64::try_from(left).unwrap_or_default(),
    ))
}

/// The monotonic moment after `wait`.
pub(crate) fn in_(wait: Duration) -> Instant {
    // A year is as good as for ever, and no addition overflows.
    Instant::now() + wait.min(Duration::from_secs(365 * 24 * 3600))
}
