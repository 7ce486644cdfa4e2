//! `cargo xtask test`: every check and test there is, part by part, counted.
//!
//! A part that fails does not stop the next one. A tool counts as one test; a runner of tests
//! counts as many as it reports. The last line printed is `N passed, N failed`.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::build::{self, Profile};
use crate::shell::{self, Watched};
use crate::wasm::{Compiler, TARGET};
use crate::{assets, browser, counts, deploy, page, python, setup, tidy};

/// Crates that are also compiled for the Worker.
const WASM_CRATES: [&str; 6] = [
    "-p",
    "signalroom-core",
    "-p",
    "signalroom-durable-objects",
    "-p",
    "signalroom-worker",
];

/// What is built and tested by npm.
const WORKSPACES: [&str; 2] = ["@signalroom/client", page::DASHBOARD];

/// A named part and what it does.
type Part = (&'static str, fn() -> Result<Count>);

const PARTS: [Part; 16] = [
    ("setup", || one(setup::run())),
    ("fmt", || {
        one(shell::run(shell::cargo().args(["fmt", "--all", "--check"])))
    }),
    ("clippy", clippy),
    ("doc", doc),
    ("tidy", tidy),
    ("unit", unit),
    ("simulation", simulation),
    ("counts", counts),
    ("build", || {
        one(build::run(Profile::Wasm).and_then(|()| build::check_exports()))
    }),
    ("check-deploy", || one(deploy::run())),
    ("page", dashboard),
    ("conformance-inproc", || conformance("inproc")),
    ("conformance-harness", || conformance("harness")),
    ("conformance-workerd", || conformance("workerd")),
    ("browser-harness", || in_browser("harness")),
    ("browser-workerd", || in_browser("workerd")),
];

/// How many tests a part had.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Count {
    passed: usize,
    failed: usize,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs the parts whose names equal or start with one of `wanted`; all of them when it is empty.
pub(crate) fn run(wanted: &[&str]) -> Result<ExitCode> {
    for name in wanted {
        if !PARTS.iter().any(|(part, _)| part.starts_with(name)) {
            let known: Vec<_> = PARTS.iter().map(|(part, _)| *part).collect();
            bail!("no part is called {name}; there are {}", known.join(", "));
        }
    }
    let mut total = Count::default();
    let mut report = Vec::new();
    for (name, part) in PARTS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| name.starts_with(wanted)) {
            continue;
        }
        println!("\n=== {name}");
        let started = now();
        let count = part().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Count {
                passed: 0,
                failed: 1,
            }
        });
        let seconds = started.elapsed().as_secs_f64();
        report.push(format!(
            "{name:<20} {:>5} passed {:>4} failed {seconds:>8.1} s",
            count.passed, count.failed
        ));
        total += count;
    }
    println!("\n=== report\n{}", report.join("\n"));
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(if total.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "durations in the report are of real time"
)]
fn now() -> Instant {
    Instant::now()
}

/// A tool's outcome as one test.
fn one(outcome: Result<()>) -> Result<Count> {
    outcome.map(|()| Count {
        passed: 1,
        failed: 0,
    })
}

/// Several tools' outcomes, all of them run.
fn each(outcomes: impl IntoIterator<Item = Result<()>>) -> Result<Count> {
    let mut count = Count::default();
    for outcome in outcomes {
        match outcome {
            Ok(()) => count.passed += 1,
            Err(error) => {
                println!("{error:#}");
                count.failed += 1;
            }
        }
    }
    Ok(count)
}

/// Cargo for the crates of the Worker.
fn wasm_cargo() -> Result<Command> {
    let Some(compiler) = Compiler::find()? else {
        bail!("no compiler for {TARGET}: run `cargo xtask setup`");
    };
    compiler.cargo()
}

fn clippy() -> Result<Count> {
    let mut native = shell::cargo();
    native.args(["clippy", "--all-targets", "--all-features"]);
    native.args(["--", "-D", "warnings"]);
    let wasm = || {
        let mut wasm = wasm_cargo()?;
        wasm.args(["clippy", "--target", TARGET]).args(WASM_CRATES);
        shell::run(wasm.args(["--", "-D", "warnings"]))
    };
    each([shell::run(&mut native), wasm()])
}

fn doc() -> Result<Count> {
    let mut native = shell::cargo();
    native
        .args(["doc", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    let wasm = || {
        let mut wasm = wasm_cargo()?;
        wasm.args(["doc", "--no-deps", "--target", TARGET])
            .args(WASM_CRATES);
        shell::run(wasm.env("RUSTDOCFLAGS", "-D warnings"))
    };
    each([shell::run(&mut native), wasm()])
}

fn tidy() -> Result<Count> {
    let broken = tidy::check()?;
    ensure!(broken.is_empty(), "\n{}", broken.join("\n"));
    one(Ok(()))
}

fn unit() -> Result<Count> {
    let watched = shell::watch(shell::cargo().args(["test", "--all-features", "--no-fail-fast"]))?;
    Ok(counted(&watched, |lines| {
        lines.iter().fold(Count::default(), |mut total, line| {
            total += test_result(line).unwrap_or_default();
            total
        })
    }))
}

fn conformance(target: &str) -> Result<Count> {
    let runner = [
        "run",
        "--quiet",
        "-p",
        "signalroom-tests",
        "--bin",
        "conformance",
    ];
    let mut command = shell::cargo();
    command.args(runner).args(["--", "--target", target]);
    command.env(python::VARIABLE, python::schemathesis()?);
    Ok(counted(&shell::watch(&mut command)?, last_line))
}

/// As many seeds as the simulation takes by itself.
fn simulation() -> Result<Count> {
    let runner = ["run", "--quiet", "-p", "signalroom-tests"];
    let watched = shell::watch(shell::cargo().args(runner).args(["--bin", "simulate"]))?;
    Ok(counted(&watched, last_line))
}

/// A hot path counts as one test.
fn counts() -> Result<Count> {
    let compared = counts::check()?;
    Ok(Count {
        passed: compared.good,
        failed: compared.bad,
    })
}

/// The page and its client: types and format, unit tests (the client's with the native server),
/// builds, and what a first visit loads.
fn dashboard() -> Result<Count> {
    let mut count = each(
        ["build", "check"]
            .iter()
            .flat_map(|script| WORKSPACES.map(|workspace| page::npm(script, workspace)))
            .map(|mut command| shell::run(&mut command)),
    )?;
    // The client meets the real server too.
    let server = page::native("dev")?;
    for workspace in WORKSPACES {
        let mut tests = page::npm("test", workspace);
        tests.env("SIGNALROOM_BIN", &server);
        count += counted(&shell::watch(&mut tests)?, vitest);
    }
    count += counted(
        &shell::watch(&mut page::npm("test:size", page::DASHBOARD))?,
        vitest,
    );
    Ok(count)
}

/// The product's acceptance: the page in a real browser, the server on one of the runtimes.
fn in_browser(target: &str) -> Result<Count> {
    let browser = browser::ready()?;
    match target {
        "harness" => setup::ready().and_then(|_| assets::write())?,
        _ => build::run(Profile::Wasm)?,
    }
    let mut command = page::npm("test:browser", page::DASHBOARD);
    command.env("TARGET", target).env("CHROMIUM", browser);
    command.env("MARKET_PROVIDER_BIN", page::market_provider()?);
    if target == "harness" {
        command.env("SIGNALROOM_BIN", page::native("dev")?);
    }
    Ok(counted(&shell::watch(&mut command)?, vitest))
}

/// Reads `Tests  1 failed | 2 passed (3)`.
fn vitest(lines: &[String]) -> Count {
    let tally = lines
        .iter()
        .rev()
        .find_map(|line| line.trim().strip_prefix("Tests  "));
    let mut count = Count::default();
    for part in tally.unwrap_or_default().split(" | ") {
        let mut words = part.split_whitespace();
        let number = words.next().and_then(|number| number.parse().ok());
        match (number, words.next()) {
            (Some(number), Some("passed")) => count.passed = number,
            (Some(number), Some("failed")) => count.failed = number,
            _ => {}
        }
    }
    count
}

/// Reads the tally that a runner ends with.
fn last_line(lines: &[String]) -> Count {
    let tally = lines.last().and_then(|line| closing_line(line));
    tally.unwrap_or_default()
}

/// What a runner reported; a runner that fails or reports nothing has at least one failure.
fn counted(watched: &Watched, read: impl Fn(&[String]) -> Count) -> Count {
    let mut count = read(&watched.lines);
    if count.failed == 0 && (!watched.ok || count.passed == 0) {
        count.failed = 1;
    }
    count
}

/// Reads `test result: ok. 3 passed; 0 failed; ...`.
fn test_result(line: &str) -> Option<Count> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = counts
        .split("; ")
        .map(|part| part.split(' ').next()?.parse().ok());
    Some(Count {
        passed: numbers.next()??,
        failed: numbers.next()??,
    })
}

/// Reads `3 passed, 0 failed`.
fn closing_line(line: &str) -> Option<Count> {
    let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
    Some(Count {
        passed: passed.parse().ok()?,
        failed: failed.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(ok: bool, lines: &[&str]) -> Watched {
        Watched {
            ok,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn reports_are_counted() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 1 filtered out";
        assert_eq!(
            test_result(line),
            Some(Count {
                passed: 12,
                failed: 3
            })
        );
        assert_eq!(test_result("test a::b ... ok"), None);
        assert_eq!(
            closing_line("7 passed, 0 failed"),
            Some(Count {
                passed: 7,
                failed: 0
            })
        );
        assert_eq!(closing_line("7 passed"), None);
        let lines = |line: &str| ["Test Files  9 failed".to_owned(), line.to_owned()];
        let both = vitest(&lines("      Tests  3 failed | 12 passed | 1 skipped (16)"));
        assert_eq!(
            both,
            Count {
                passed: 12,
                failed: 3
            }
        );
        assert_eq!(vitest(&lines("      Tests  7 passed (7)")).passed, 7);
        assert_eq!(vitest(&lines("no tests")), Count::default());
    }

    #[test]
    fn a_runner_that_breaks_down_is_a_failure() {
        let last = |lines: &[String]| closing_line(&lines[0]).unwrap_or_default();
        let seven = Count {
            passed: 7,
            failed: 0,
        };
        assert_eq!(
            counted(&watched(true, &["7 passed, 0 failed"]), last),
            seven
        );
        assert_eq!(
            counted(&watched(false, &["7 passed, 0 failed"]), last).failed,
            1
        );
        assert_eq!(
            counted(&watched(false, &["5 passed, 2 failed"]), last).failed,
            2
        );
        assert_eq!(counted(&watched(true, &["nothing"]), last).failed, 1);
    }
}
