//! `bench`: times what the product promises about speed, on the release build and on workerd.
//!
//! Timings belong here, never in a test. Every figure is a median; run it on a quiet machine. A
//! file each for the benchmarks; what they found goes to `benchmarks/NAME.json`.

mod approve;
mod fanout;
mod fetch;
mod growth;
mod ideal;
mod import;
mod place;
mod report;
mod results;
mod resume;
mod scores;
mod setting;
mod start;
mod threads;
mod workerd;

use std::future::Future;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use signalroom_tests::target::harness;
use tokio::runtime::Builder;

use results::Results;
use setting::Effort;

/// Signalroom's benchmarks.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which; all of them without any.
    #[arg(value_enum)]
    names: Vec<Name>,
    /// Repetitions that medians are taken of, in place of each benchmark's own number.
    #[arg(long)]
    rounds: Option<usize>,
    /// A first look: few rounds and little load.
    #[arg(long)]
    quick: bool,
    /// Is the ideal writer, of payloads of so many bytes.
    #[arg(long, hide = true)]
    serve_ideal: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// All scores of one symbol, native and in workerd.
    Scores,
    /// 80 symbols of 1,440 bars over REST, their first run, and a start with that data.
    Import,
    /// 80 symbols from a provider on this machine to the last of 50 clients, and 1,000 symbols.
    Fetch,
    /// 1,000 clients that each missed 500 events, all back at once.
    Resume,
    /// Ours against the least that fans out on workerd, and a run over 80 symbols.
    Workerd,
    /// The Worker's size, and the first answers of a cold one.
    Start,
    /// Deliveries per second, CPU, memory and latency beside an ideal writer and nats-server.
    Fanout,
    /// One worker thread against two.
    Threads,
    /// A decision to the last of 1,000 clients, native and on workerd.
    Approve,
    /// The cost of an event and of a resume as sockets, symbols and missed events grow.
    Growth,
    /// No benchmark: writes `BENCHMARKS.md` from what those before have found.
    Report,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let effort = Effort {
        rounds: arguments.rounds,
        quick: arguments.quick,
    };
    if let Some(length) = arguments.serve_ideal {
        return ideal::serve(length);
    }
    harness::release();
    for &name in Name::value_variants() {
        if arguments.names.is_empty() || arguments.names.contains(&name) {
            match name {
                Name::Report => report::write()?,
                _ => measure(name, effort)?,
            }
        }
    }
    Ok(())
}

/// Runs one of them and keeps what it found.
fn measure(name: Name, effort: Effort) -> Result<()> {
    let value = name.to_possible_value().context("a benchmark's name")?;
    let mut command = format!("cargo xtask bench {}", value.get_name());
    if effort.quick {
        command += " --quick";
    }
    if let Some(rounds) = effort.rounds {
        command += &format!(" --rounds {rounds}");
    }
    println!("{command}");
    let mut results = Results::new(value.get_name(), command)?;
    let found = &mut results;
    match name {
        Name::Scores => on_all_cores(scores::run(effort, found)),
        Name::Import => on_all_cores(import::run(effort, found)),
        Name::Fetch => on_all_cores(fetch::run(effort, found)),
        Name::Resume => on_all_cores(resume::run(effort, found)),
        Name::Start => on_all_cores(start::run(effort, found)),
        Name::Workerd => on_one_core(workerd::run(effort, found)),
        Name::Fanout => on_one_core(fanout::run(effort, found)),
        Name::Threads => on_one_core(threads::run(effort, found)),
        Name::Approve => on_one_core(approve::run(effort, found)),
        Name::Growth => on_one_core(growth::run(effort, found)),
        Name::Report => Ok(()),
    }?;
    println!("{}", results.write()?.display());
    Ok(())
}

/// Runs what needs no core to itself.
fn on_all_cores(benchmark: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(benchmark)
}

/// Runs what keeps itself on the load's core, with this thread alone. Those after it may run on
/// all cores again.
fn on_one_core(benchmark: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(benchmark);
    place::leave()?;
    measured
}
