//! `conformance`: runs the list of cases against a target; the last line is the tally.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use signalroom_tests::runner::{self, Plan};
use signalroom_tests::{cases, target::Kind};

/// Black-box conformance of Signalroom.
#[derive(Debug, Parser)]
struct Arguments {
    /// The way to run the product.
    #[arg(long, value_enum, env = "TARGET")]
    target: Kind,
    /// Only cases whose name contains this.
    #[arg(long)]
    filter: Option<String>,
    /// A server that runs already; its secret is taken from JWT_SECRET.
    #[arg(long)]
    url: Option<String>,
    /// How many cases run at a time.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Print the names of the cases and stop.
    #[arg(long)]
    list: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let cases = cases::cases();
    if arguments.list {
        for case in cases {
            println!("{}", case.name);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let secret = match (&arguments.url, std::env::var("JWT_SECRET")) {
        (Some(_), Ok(secret)) => secret,
        (Some(_), Err(_)) | (None, _) => runner::SECRET.to_owned(),
    };
    let plan = Plan {
        kind: arguments.target,
        filter: arguments.filter,
        url: arguments.url,
        secret,
        jobs: arguments.jobs,
    };
    // A dropped run kills the servers it started; a plain Ctrl-C would leave them.
    let tally = tokio::select! {
        tally = runner::run(cases, &plan) => tally?,
        _ = tokio::signal::ctrl_c() => {
            println!("interrupted");
            return Ok(ExitCode::from(130));
        }
    };
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(if tally.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
