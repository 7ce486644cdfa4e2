//! `counts NAME TIMES`: takes one hot path so many times and ends; `counts` names them all.
//!
//! Under a tool that counts instructions, twice with different `TIMES`, it tells what one passage
//! costs: start-up and preparation are the same in both, the difference is passages alone. Nothing
//! here reads a clock, the network or a random number of its own.

mod passages;
mod sockets;
#[path = "../../local-harness/src/sql.rs"]
#[allow(
    dead_code,
    reason = "the harness's adapter as it is; its tests, where they are compiled, check a file, no hot path does"
)]
mod sql;

use std::process::ExitCode;

use passages::PASSAGES;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] => {
            for (name, times, _) in PASSAGES {
                println!("{name} {times}");
            }
            ExitCode::SUCCESS
        }
        [name, times] => {
            let passage = PASSAGES.iter().find(|(known, ..)| known == name);
            let (Some((_, _, take)), Ok(times)) = (passage, times.parse()) else {
                eprintln!("usage: counts [NAME TIMES]");
                return ExitCode::FAILURE;
            };
            take(times);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: counts [NAME TIMES]");
            ExitCode::FAILURE
        }
    }
}
