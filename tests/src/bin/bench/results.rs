//! What a benchmark found, as it is written to `benchmarks/NAME.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use signalroom_tests::client::token;
use signalroom_tests::target::root;

/// Everything of one run of one benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The benchmark's name on the command line.
    pub(crate) name: String,
    /// The day, `YYYY-MM-DD`.
    pub(crate) date: String,
    /// What measures it again.
    pub(crate) command: String,
    pub(crate) machine: Machine,
    /// The candidate that others are compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<String>,
    /// What a reader must know, such as what was left out; a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    pub(crate) figures: Vec<Figure>,
}

/// Where it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_mb: u64,
    pub(crate) kernel: String,
    /// Programs by name.
    pub(crate) versions: BTreeMap<String, String>,
}

/// Which quantity, over which other one: `deliveries` in `1/s` over `sockets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) what: String,
    pub(crate) unit: String,
    pub(crate) over: String,
}

impl Series {
    pub(crate) fn new(what: &str, unit: &str, over: &str) -> Self {
        Self {
            what: what.to_owned(),
            unit: unit.to_owned(),
            over: over.to_owned(),
        }
    }
}

/// One figure of one candidate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) candidate: String,
    #[serde(flatten)]
    pub(crate) series: Series,
    /// How much of [`Series::over`].
    pub(crate) at: u64,
    pub(crate) median: f64,
    /// What the median is of.
    pub(crate) rounds: Vec<f64>,
}

impl Results {
    /// Nothing yet, found today on this machine.
    pub(crate) fn new(name: &str, command: String) -> Result<Self> {
        let date = DateTime::from_timestamp(token::now(), 0).context("a date")?;
        Ok(Self {
            name: name.to_owned(),
            date: date.date_naive().to_string(),
            command,
            machine: Machine::here(),
            baseline: None,
            notes: Vec::new(),
            figures: Vec::new(),
        })
    }

    /// Adds the median of what the rounds found, and prints it. Nothing without rounds.
    pub(crate) fn add(
        &mut self,
        candidate: &str,
        of: &Series,
        at: impl TryInto<u64>,
        rounds: Vec<f64>,
    ) {
        let (Some(median), Ok(at)) = (median(&rounds), at.try_into()) else {
            return;
        };
        println!(
            "{candidate:<24} {:<44} {at:>7} {:<12} {median:>12.3} {}",
            of.what, of.over, of.unit
        );
        self.figures.push(Figure {
            candidate: candidate.to_owned(),
            series: of.clone(),
            at,
            median,
            rounds,
        });
    }

    /// Writes `benchmarks/NAME.json` and tells where.
    pub(crate) fn write(&self) -> Result<PathBuf> {
        let path = folder().join(format!("{}.json", self.name));
        fs::create_dir_all(folder())?;
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// Where results are kept.
pub(crate) fn folder() -> PathBuf {
    root().join("benchmarks")
}

impl Machine {
    /// What Linux tells; empty or 0 what it does not.
    fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.split_once(':'));
            value.map_or_else(String::new, |(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        let mut versions = BTreeMap::new();
        versions.insert(
            "signalroom".to_owned(),
            concat!("signalroom ", env!("CARGO_PKG_VERSION")).to_owned(),
        );
        for (name, arguments) in [("rustc", "--version"), ("nats-server", "--version")] {
            // What is not there has no version.
            if let Ok(output) = Command::new(name).arg(arguments).output() {
                let text = String::from_utf8_lossy(&output.stdout);
                versions.insert(name.to_owned(), text.trim().to_owned());
            }
        }
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mb: kilobytes / 1024,
            // The release alone: what follows it says who built it.
            kernel: read("/proc/sys/kernel/osrelease")
                .trim()
                .split('-')
                .next()
                .unwrap_or_default()
                .to_owned(),
            versions,
        }
    }
}

/// The middle of `values`, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some((sorted[middle - 1] + upper) / 2.0)
}

/// The value that a share `rank` (0 to 1) of `values` does not exceed.
pub(crate) fn quantile(values: &[f64], rank: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = (sorted.len() as f64 * rank).ceil().max(1.0) as usize;
    sorted.get(place - 1).copied()
}

/// In milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_quantile_is_not_exceeded_by_that_share() {
        let values: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(quantile(&values, 0.5), Some(100.0));
        assert_eq!(quantile(&values, 0.99), Some(198.0));
        assert_eq!(quantile(&values, 1.0), Some(200.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let mut results = Results::new("some", "a command".to_owned()).unwrap();
        let of = Series::new("deliveries", "1/s", "sockets");
        results.add("ours", &of, 100_u32, vec![1.0, 3.0]);
        results.add("ours", &of, 1000_u32, Vec::new());
        let text = serde_json::to_string(&results).unwrap();
        let back: Results = serde_json::from_str(&text).unwrap();
        assert_eq!(back.machine, results.machine);
        assert_eq!(back.figures.len(), 1);
        assert_eq!((back.figures[0].at, back.figures[0].median), (100, 2.0));
        assert_eq!(back.figures[0].series, of);
    }
}
