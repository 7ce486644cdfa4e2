//! `cargo xtask fuzz`: libFuzzer on the parsers. What it finds worth keeping goes into the corpus,
//! which every test run goes through.

use std::fs;

use anyhow::{Result, bail, ensure};

use crate::{setup, shell};

/// The driver, built once per machine.
const CARGO_FUZZ: &str = "0.13.2";

/// Where the targets are, each with its corpus beside.
const FOLDER: &str = "fuzzing/fuzz";

/// How long each target runs, seconds.
const SECONDS: u32 = 60;

/// Fuzzes what `args` name, else everything.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let (names, seconds) = match args {
        [names @ .., "--seconds", seconds] => (names, seconds.parse()?),
        names => (names, SECONDS),
    };
    let known = targets()?;
    for name in names {
        ensure!(
            known.iter().any(|it| it == name),
            "there is {}",
            known.join(", ")
        );
    }
    let lock = setup::lock()?;
    let driver = setup::cargo_tool("cargo-fuzz", "cargo-fuzz", CARGO_FUZZ)?;
    drop(lock);
    let chosen = known
        .iter()
        .filter(|it| names.is_empty() || names.contains(&it.as_str()));
    let mut failed = Vec::new();
    for name in chosen {
        // No code here is unsafe, so sanitizers, which take another compiler, have little to find.
        let mut fuzz = shell::command(&driver);
        fuzz.args(["fuzz", "run", "--sanitizer", "none", "--fuzz-dir", FOLDER])
            .arg(name)
            .arg(format!("fuzzing/corpus/{name}"))
            .args([
                "--",
                "-timeout=10",
                "-max_len=65536",
                "-print_final_stats=1",
            ])
            .arg(format!("-max_total_time={seconds}"));
        if shell::run(&mut fuzz).is_err() {
            failed.push(name.as_str());
        }
    }
    if !failed.is_empty() {
        bail!("broken: {}", failed.join(", "));
    }
    Ok(())
}

fn targets() -> Result<Vec<String>> {
    let folder = shell::root().join(FOLDER).join("fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|name| name.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}
