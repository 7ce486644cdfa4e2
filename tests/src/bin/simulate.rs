//! Runs the simulation: many seeds over all cores, or one of them step by step.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use signalroom_tests::simulation::{CountedFaults, Outcome, run};

/// Seeds between two lines of progress.
const PROGRESS: u64 = 250;

/// Every so many seeds, one is run twice: the same must come of it.
const TWICE: u64 = 50;

/// A deterministic simulation of rooms, the feed, clients and cron under faults.
#[derive(Parser)]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// This seed alone, with all of its steps.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
}

/// What has come of all seeds so far.
#[derive(Default)]
struct Sum {
    passed: u64,
    failed: u64,
    steps: usize,
    faults: CountedFaults,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A broken rule is reported with its seed and its steps, below.
    std::panic::set_hook(Box::new(|_| {}));
    match args.seed {
        Some(seed) => one(seed),
        None => many(args.from, args.seeds),
    }
}

/// Replays a seed, and sees that it is the same each time.
fn one(seed: u64) -> ExitCode {
    let (outcome, again) = (run(seed, true), run(seed, true));
    for line in &outcome.lines {
        println!("{line}");
    }
    println!(
        "seed {seed}: {} steps, hash {:016x}",
        outcome.steps, outcome.hash
    );
    let same = outcome == again;
    if !same {
        println!("seed {seed}: the second run came to {:016x}", again.hash);
    }
    if let Some(broken) = &outcome.broken {
        println!("seed {seed} failed at step {}: {broken}", outcome.steps);
    }
    end(u64::from(same && outcome.broken.is_none()), 1)
}

fn many(from: u64, seeds: u64) -> ExitCode {
    let started = now();
    let next = AtomicU64::new(from);
    let sum = Mutex::new(Sum::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from.saturating_add(seeds) {
                        break;
                    }
                    let mut outcome = run(seed, false);
                    if seed.is_multiple_of(TWICE) && run(seed, false) != outcome {
                        outcome.broken = Some("a second run came to something else".to_owned());
                    }
                    count(&sum, &outcome, seeds);
                }
            });
        }
    });
    let sum = sum
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = started.elapsed().as_secs_f64();
    println!("{} steps in {seconds:.1} s; {:?}", sum.steps, sum.faults);
    end(sum.passed, sum.passed + sum.failed)
}

fn count(sum: &Mutex<Sum>, outcome: &Outcome, seeds: u64) {
    let mut sum = sum
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    sum.steps += outcome.steps;
    sum.faults += outcome.faults;
    match &outcome.broken {
        None => sum.passed += 1,
        Some(broken) => {
            sum.failed += 1;
            let Outcome { seed, steps, .. } = outcome;
            println!("{}", outcome.lines.join("\n"));
            println!("seed {seed} failed at step {steps}: {broken}");
            println!("replay it with: cargo xtask simulate --seed {seed}\n");
        }
    }
    let done = sum.passed + sum.failed;
    if done.is_multiple_of(PROGRESS) {
        println!("{done} of {seeds} seeds, {} failed", sum.failed);
    }
}

/// The closing line, and the exit code.
fn end(passed: u64, all: u64) -> ExitCode {
    println!("{passed} passed, {} failed", all - passed);
    if passed == all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how fast the simulation is, is a matter of real time"
)]
fn now() -> Instant {
    Instant::now()
}
