//! Durations in buckets: recording one costs no allocation, and a quantile is off by at most 1.6 %.

use std::time::Duration;

/// Below so many nanoseconds every one has a bucket; above, each power of two has half as many.
const STEPS: u64 = 128;
const BITS: u32 = STEPS.trailing_zeros();
/// Powers of two above the exact ones; the last ends beyond an hour.
const POWERS: usize = 36;

/// How many durations were about how long.
#[derive(Debug, Clone)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; (POWERS + 1) * STEPS as usize / 2],
            count: 0,
        }
    }
}

impl Histogram {
    /// Counts `duration`; what is far longer than an hour counts as an hour.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let last = self.buckets.len() - 1;
        self.buckets[bucket(nanos).min(last)] += 1;
        self.count += 1;
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that a share `quantile` (0 to 1) of them does not exceed; none of none.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let rank = (self.count as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        let found = self.buckets.iter().position(|&count| {
            seen += count;
            seen >= rank
        });
        found.map(|bucket| Duration::from_nanos(longest(bucket)))
    }
}

fn bucket(nanos: u64) -> usize {
    let power = nanos.checked_ilog2().unwrap_or(0).saturating_sub(BITS - 1);
    let step = nanos >> power;
    (u64::from(power) * (STEPS / 2) + step) as usize
}

/// The longest duration of a bucket, nanoseconds.
fn longest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let half = STEPS / 2;
    let power = (bucket / half).saturating_sub(1);
    let step = bucket - power * half;
    ((step + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_a_bucket_that_ends_close_above_it() {
        for nanos in (0..2000).chain((11..41).flat_map(|power| {
            let round = 1_u64 << power;
            [round - 1, round, round + 1, round / 3 * 4]
        })) {
            let end = longest(bucket(nanos));
            assert!(end >= nanos, "{nanos} in a bucket that ends at {end}");
            assert!(
                (end - nanos) as f64 <= nanos as f64 / 64.0,
                "{nanos}: {end}"
            );
            assert_eq!(bucket(end), bucket(nanos), "{nanos}");
            assert_eq!(bucket(end + 1), bucket(nanos) + 1, "{nanos}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_recorded() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for millis in 1..=100 {
            histogram.record(Duration::from_millis(millis));
        }
        assert_eq!(histogram.count(), 100);
        for (quantile, millis) in [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let found = histogram
                .quantile(quantile)
                .expect("a hundred")
                .as_secs_f64()
                * 1000.0;
            assert!(
                (found / millis - 1.0).abs() < 0.016,
                "expected about {millis} ms at {quantile}, got {found}"
            );
        }
        histogram.record(Duration::MAX);
        assert!(histogram.quantile(1.0) > Some(Duration::from_secs(3600)));
    }
}
