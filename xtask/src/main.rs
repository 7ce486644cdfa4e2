//! `cargo xtask`: sets the machine up, builds the Worker, checks and tests everything.
//!
//! Decides nothing about the product. Every command can be run again at any time: what is already
//! done is not done twice.

mod apt;
mod assets;
mod browser;
mod build;
mod counts;
mod deploy;
mod fuzz;
mod page;
mod python;
mod setup;
mod shell;
mod test;
mod tidy;
mod wasm;

use std::process::ExitCode;

use anyhow::{Result, bail};

use build::Profile;

const USAGE: &str = "\
usage: cargo xtask <command>

  setup                    install what building and running the Worker needs
  build [--release|--dev]  wasm, page and .dev.vars: what wrangler's [build] runs
  check-deploy             dry-run a deployment of every environment and check its bindings
  test [part...]           everything, or the named parts (a prefix such as `conformance` will do)
  bench [NAME...] [--quick] [--rounds N]
                           what the product promises about speed, measured; `page` in a browser,
                           `report` writes BENCHMARKS.md
  counts [--write]         instructions of the hot paths against those on record, or a new record
  screens                  take the pictures in docs/screens anew
  simulate [--seeds N] [--from S] | --seed N
                           rooms, feed, clients and cron under every fault; one seed step by step
  fuzz [NAME] [--seconds N]
                           libFuzzer on every parser or the named one, a minute each
  tidy                     the rules about crates and files that no compiler checks";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the benchmarks on the release build; `args` are names, of which `page` is run here, and
/// options of the others.
fn bench(args: &[&str]) -> Result<()> {
    // Neither needs anything that is measured.
    let idle = args == ["report"] || args.iter().any(|arg| matches!(*arg, "-h" | "--help"));
    let names = args
        .iter()
        .filter(|arg| arg.starts_with(|first: char| first.is_ascii_alphabetic()));
    let page = args.contains(&"page") || names.count() == 0;
    if !idle {
        setup::run()?;
        build::run(Profile::Wasm)?;
        if page {
            page::bench()?;
        }
        if args == ["page"] {
            return Ok(());
        }
    }
    let runner = ["run", "--quiet", "--release", "-p", "signalroom-tests"];
    shell::run(
        shell::cargo()
            .args(runner)
            .args(["--bin", "bench", "--"])
            .args(args.iter().filter(|arg| **arg != "page")),
    )
}

/// Runs the simulation; `args` are its own.
fn simulate(args: &[&str]) -> Result<()> {
    let runner = ["run", "--quiet", "-p", "signalroom-tests"];
    shell::run(
        shell::cargo()
            .args(runner)
            .args(["--bin", "simulate", "--"])
            .args(args),
    )
}

fn run(args: &[&str]) -> Result<ExitCode> {
    match args {
        ["setup"] => setup::run()?,
        ["build"] | ["build", "--release"] => build::run(Profile::Wasm)?,
        ["build", "--dev"] => build::run(Profile::Dev)?,
        ["check-deploy"] => deploy::run()?,
        ["tidy"] => {
            let broken = tidy::check()?;
            if !broken.is_empty() {
                bail!("{}", broken.join("\n"));
            }
        }
        ["bench", args @ ..] => bench(args)?,
        ["counts"] => return Ok(counts::check()?.code()),
        ["counts", "--write"] => counts::write()?,
        ["screens"] => {
            setup::run()?;
            assets::write()?;
            page::screens()?;
        }
        ["simulate", args @ ..] => simulate(args)?,
        ["fuzz", args @ ..] => fuzz::run(args)?,
        ["test", parts @ ..] => return test::run(parts),
        ["help" | "--help" | "-h"] => println!("{USAGE}"),
        _ => bail!("{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}
