//! How often somebody may do something: one token bucket for every limit there is.
//!
//! A bucket holds a minute's worth of tokens, is full at first and fills evenly. It is kept as one
//! number, the moment at which it will be full again, in microseconds: GCRA, the generic cell rate
//! algorithm. <https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// Microseconds.
const MINUTE: i64 = 60_000_000;

/// Buckets kept in memory at most, of [`Buckets`].
const MAX_BUCKETS: usize = 10_000;

/// So many in a minute, and no more than that at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    per_minute: u32,
}

/// A bucket: when it will be full again, microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bucket(pub i64);

/// The bucket is empty; so many milliseconds later it has a token, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Empty {
    /// Milliseconds.
    pub wait: i64,
}

impl Bucket {
    /// One that nobody has taken from.
    pub const FULL: Self = Self(0);

    /// Whether it is full: nothing needs to be known of it then.
    pub fn is_full(self, now: Millis) -> bool {
        self.0 <= micros(now)
    }
}

fn micros(at: Millis) -> i64 {
    at.0.saturating_mul(1000)
}

impl Rate {
    /// A rate of at least one.
    pub const fn per_minute(per_minute: u32) -> Self {
        Self {
            per_minute: if per_minute == 0 { 1 } else { per_minute },
        }
    }

    /// Takes a token: the bucket afterwards.
    ///
    /// # Errors
    /// [`Empty`] when there is none; the bucket stays as it is.
    pub fn take(self, bucket: Bucket, now: Millis) -> Result<Bucket, Empty> {
        let tokens = i64::from(self.per_minute);
        // Rounded up: never faster than the rate.
        let one = (MINUTE + tokens - 1) / tokens;
        let now = micros(now);
        let empty = now.saturating_add(one * tokens);
        // A clock that was set back keeps nobody out for longer than an empty bucket does.
        let after = bucket.0.clamp(now, empty).saturating_add(one);
        if after > empty {
            let wait = (after - empty + 999) / 1000;
            return Err(Empty { wait });
        }
        Ok(Bucket(after))
    }
}

/// Buckets of one rate by name, in memory.
#[derive(Debug)]
pub struct Buckets {
    rate: Rate,
    held: Mutex<HashMap<String, Bucket>>,
}

impl Buckets {
    /// All of them full.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            held: Mutex::default(),
        }
    }

    /// Takes a token from the bucket of this name.
    ///
    /// # Errors
    /// [`Empty`] when there is none.
    pub fn take(&self, name: &str, now: Millis) -> Result<(), Empty> {
        // Nothing panics while the lock is held.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= MAX_BUCKETS && !held.contains_key(name) {
            held.retain(|_, bucket| !bucket.is_full(now));
            if held.len() >= MAX_BUCKETS {
                held.clear();
            }
        }
        let bucket = held.get(name).copied().unwrap_or(Bucket::FULL);
        held.insert(name.to_owned(), self.rate.take(bucket, now)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);

    #[test]
    fn a_minutes_worth_at_once_then_one_at_a_time() {
        let rate = Rate::per_minute(30);
        let mut bucket = Bucket::FULL;
        for _ in 0..30 {
            bucket = rate.take(bucket, NOW).expect("a token");
        }
        assert_eq!(rate.take(bucket, NOW), Err(Empty { wait: 2000 }));
        assert!(rate.take(bucket, NOW.plus(1999)).is_err());
        let bucket = rate.take(bucket, NOW.plus(2000)).expect("one more");
        assert_eq!(rate.take(bucket, NOW.plus(2001)), Err(Empty { wait: 1999 }));
        assert!(bucket.is_full(NOW.plus(62_000)) && !bucket.is_full(NOW.plus(61_999)));
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out_for_long() {
        let rate = Rate::per_minute(10);
        let later = rate.take(Bucket::FULL, NOW.plus(86_400_000)).expect("full");
        let Err(Empty { wait }) = rate.take(later, NOW) else {
            panic!("an empty bucket is what is left of it");
        };
        assert!(wait <= 6000, "{wait}");
    }

    #[test]
    fn buckets_are_apart_and_so_many_and_no_more() {
        let buckets = Buckets::new(Rate::per_minute(1));
        assert!(buckets.take("ann", NOW).is_ok() && buckets.take("ann", NOW).is_err());
        assert!(buckets.take("bob", NOW).is_ok());
        for n in 0..3 * MAX_BUCKETS {
            let _ = buckets.take(&n.to_string(), NOW);
        }
        let held = buckets.held.lock().expect("not poisoned");
        assert!(held.len() <= MAX_BUCKETS);
    }

    proptest! {
        /// In any stretch of time, no more passes than a full bucket and what flows in meanwhile;
        /// and whoever waits as long as told gets through.
        #[test]
        fn never_more_than_the_rate(
            per_minute in 1_u32..2000,
            steps in prop::collection::vec(0_i64..5000, 1..400),
        ) {
            let rate = Rate::per_minute(per_minute);
            let mut bucket = Bucket::FULL;
            let mut now = NOW;
            let mut passed = Vec::new();
            for step in steps {
                now = now.plus(step);
                match rate.take(bucket, now) {
                    Ok(after) => {
                        prop_assert!(after > bucket);
                        bucket = after;
                        passed.push(now);
                    }
                    Err(Empty { wait }) => {
                        prop_assert!(wait >= 1);
                        prop_assert!(rate.take(bucket, now.plus(wait)).is_ok());
                        prop_assert!(rate.take(bucket, now.plus(wait - 1)).is_err());
                    }
                }
            }
            for (first, from) in passed.iter().enumerate() {
                for (last, to) in passed.iter().enumerate().skip(first) {
                    let count = i64::try_from(last - first + 1).expect("few");
                    let flowed = (to.0 - from.0) * i64::from(per_minute) / 60_000;
                    prop_assert!(count <= i64::from(per_minute) + flowed + 1);
                }
            }
        }
    }
}
