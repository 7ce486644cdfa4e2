//! `cargo xtask counts`: how many instructions the core's hot paths take, against the record in
//! `benchmarks/counts.json`.
//!
//! Valgrind counts them, so the machine's mood does not matter: two runs of one build differ by far
//! less than the tolerance. Each path is counted twice, with a number of passages and with double
//! that number; the difference is passages alone, without start-up and preparation. Growth beyond
//! the tolerance is a failure; a path that shrank beyond it is told, for its gain to be put on
//! record. Counts are of one architecture: on another there is nothing to compare with.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{apt, page, shell};

/// The record, from the workspace's root.
const RECORD: &str = "benchmarks/counts.json";

/// Percent that a count may differ from the record: another patch of the compiler moves a count by
/// about one, a hot path that copies once more moves it by ten.
const TOLERANCE: u64 = 5;

/// Instructions per passage, by hot path.
type Counts = BTreeMap<String, u64>;

/// What a comparison came to.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Paths within the tolerance, or below it.
    pub(crate) good: usize,
    /// Paths that grew, or that only one side knows.
    pub(crate) bad: usize,
}

impl Compared {
    /// The exit code it ends with.
    pub(crate) fn code(&self) -> ExitCode {
        if self.bad == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Sees that Valgrind is there, installing it where that may be done.
pub(crate) fn ready() -> Result<()> {
    let there = || shell::ask(shell::command("valgrind").arg("--version")).is_some();
    if there() {
        return Ok(());
    }
    eprintln!("setup: Valgrind, to count instructions");
    apt::install("valgrind");
    ensure!(
        there(),
        "no Valgrind to count instructions: install it (as `apt-get install valgrind`)"
    );
    Ok(())
}

/// Counts and compares with the record.
pub(crate) fn check() -> Result<Compared> {
    let text = fs::read_to_string(record()).with_context(|| format!("no {RECORD}"))?;
    let (arch, recorded) = read(&text).with_context(|| format!("{RECORD} has another shape"))?;
    let counted = count()?;
    if arch != ARCH {
        println!("{RECORD} is of {arch}, this is {ARCH}: nothing to compare with");
        return Ok(Compared {
            good: counted.len(),
            bad: 0,
        });
    }
    let (lines, compared) = compare(&recorded, &counted);
    println!("{}", lines.join("\n"));
    if compared.bad > 0 {
        println!("what grew on purpose: cargo xtask counts --write, and say why in the commit");
    }
    Ok(compared)
}

/// Counts and makes that the record.
pub(crate) fn write() -> Result<()> {
    let counted = count()?;
    for (name, instructions) in &counted {
        println!("{name:<28} {instructions:>10}");
    }
    let record_of = json!({"arch": ARCH, "instructions_per_passage": counted});
    let path = record();
    fs::create_dir_all(path.parent().context("the record has a folder")?)?;
    fs::write(path, format!("{record_of:#}\n"))?;
    Ok(())
}

fn record() -> PathBuf {
    shell::root().join(RECORD)
}

/// The architecture and counts of a record.
fn read(text: &str) -> Option<(String, Counts)> {
    let record: Value = serde_json::from_str(text).ok()?;
    let counts = record["instructions_per_passage"].as_object()?;
    let counts = counts
        .iter()
        .map(|(name, count)| Some((name.clone(), count.as_u64()?)));
    Some((
        record["arch"].as_str()?.to_owned(),
        counts.collect::<Option<_>>()?,
    ))
}

fn count() -> Result<Counts> {
    ready()?;
    let program = page::binary("signalroom-counts", "counts", "counts")?;
    let list = shell::ask(&mut shell::command(&program)).context("counts names no paths")?;
    let mut counts = Counts::new();
    for line in list.lines() {
        let path = line.rsplit_once(' ');
        let path = path.and_then(|(name, times)| Some((name, times.parse::<u64>().ok()?)));
        let (name, times) = path.with_context(|| format!("not a path: {line}"))?;
        let one = collected(&program, name, times)?;
        let two = collected(&program, name, 2 * times)?;
        let passages = two.checked_sub(one);
        let passages = passages.with_context(|| format!("{name}: more is less"))?;
        counts.insert(name.to_owned(), passages / times);
    }
    Ok(counts)
}

/// Instructions of the program with so many passages, start-up included.
fn collected(program: &Path, name: &str, times: u64) -> Result<u64> {
    let mut valgrind = shell::command("valgrind");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &times.to_string()]);
    let output = valgrind.output().context("valgrind does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{name} ended with {}:\n{said}", output.status);
    }
    total(&said).with_context(|| format!("valgrind says no total:\n{said}"))
}

/// Reads `==123== Collected : 4081897`.
fn total(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected : "))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// A line for each path, and how many are good.
fn compare(recorded: &Counts, counted: &Counts) -> (Vec<String>, Compared) {
    let mut lines = Vec::new();
    let mut compared = Compared::default();
    for (name, now) in counted {
        let Some(before) = recorded.get(name) else {
            compared.bad += 1;
            lines.push(format!("{name:<28} {now:>10}  FAILED: not on record"));
            continue;
        };
        let percent = change(*before, *now);
        let verdict = if now * 100 > before * (100 + TOLERANCE) {
            compared.bad += 1;
            "  FAILED: it grew"
        } else {
            compared.good += 1;
            if now * 100 < before * (100 - TOLERANCE) {
                "  it shrank: cargo xtask counts --write"
            } else {
                ""
            }
        };
        lines.push(format!("{name:<28} {now:>10} {percent:>+7.1} %{verdict}"));
    }
    for name in recorded.keys().filter(|name| !counted.contains_key(*name)) {
        compared.bad += 1;
        lines.push(format!(
            "{name:<28}             FAILED: on record, but not counted"
        ));
    }
    (lines, compared)
}

/// By how many percent a count changed.
#[expect(
    clippy::cast_precision_loss,
    reason = "a percentage needs no more digits than a float has"
)]
fn change(before: u64, now: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, u64)]) -> Counts {
        let list = list
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        list.collect()
    }

    #[test]
    fn growth_is_a_failure_and_a_gain_is_told() {
        let recorded = counts(&[("a", 1_000), ("b", 1_000), ("c", 1_000), ("d", 1_000)]);
        let counted = counts(&[("a", 1_051), ("b", 1_050), ("c", 940), ("d", 1_000)]);
        let (lines, compared) = compare(&recorded, &counted);
        assert_eq!((compared.good, compared.bad), (3, 1));
        assert!(lines[0].ends_with("FAILED: it grew"), "{lines:?}");
        assert!(lines[1].ends_with("+5.0 %"), "{lines:?}");
        assert!(lines[2].contains("it shrank"), "{lines:?}");
    }

    #[test]
    fn both_sides_know_the_same_paths() {
        let (recorded, counted) = (counts(&[("old", 1)]), counts(&[("new", 1)]));
        assert_eq!(compare(&recorded, &counted).1.bad, 2);
    }

    #[test]
    fn valgrind_is_understood() {
        let said = "==7== Events    : Ir\n==7== Collected : 4081897\n==7== \n";
        assert_eq!(total(said), Some(4_081_897));
        assert_eq!(total("==7== nothing"), None);
        let record = fs::read_to_string(record()).unwrap();
        assert!(read(&record).is_some_and(|(_, counts)| !counts.is_empty()));
        assert_eq!(read("{}"), None);
    }
}
