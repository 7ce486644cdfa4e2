//! `cargo xtask check-deploy`: would a deployment of each environment carry what the Worker needs?
//!
//! Environments inherit neither vars nor bindings, and a dry run without them ends well, so its
//! report is read and compared with the top level of `wrangler.toml`.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// The largest upload, gzipped: a little more than it was when this was last looked at, 812 KiB.
const MOST_KIB: f64 = 840.0;

/// Dry-runs the default and every named environment.
pub(crate) fn run() -> Result<()> {
    let config = fs::read_to_string(shell::root().join("wrangler.toml"))?;
    let config: toml::Table = config.parse().context("wrangler.toml is not TOML")?;
    let wanted = bindings(&config);
    for name in ["ROOM", "READS"] {
        let bound = format!("env.{name} (");
        ensure!(
            wanted.iter().any(|binding| binding.starts_with(&bound)),
            "wrangler.toml binds no {name}"
        );
    }

    let named = config.get("env").and_then(|env| env.as_table());
    let mut environments = vec![""];
    environments.extend(
        named
            .into_iter()
            .flat_map(toml::Table::keys)
            .map(String::as_str),
    );
    for environment in environments {
        let report = dry_run(environment)?;
        let size = check(&report, &wanted)
            .with_context(|| format!("environment \"{environment}\" cannot be deployed"))?;
        println!(
            "environment \"{environment}\": {} bindings, {size} KiB gzipped",
            wanted.len()
        );
    }
    Ok(())
}

fn dry_run(environment: &str) -> Result<Vec<String>> {
    let folder = format!(
        "target/deploy/{}",
        if environment.is_empty() {
            "default"
        } else {
            environment
        }
    );
    let mut command = shell::command("npx");
    command
        .args([
            "--no-install",
            "wrangler",
            "deploy",
            "--dry-run",
            "--outdir",
            &folder,
        ])
        // Also for the default: wrangler warns when named environments exist and none is chosen.
        .arg(format!("--env={environment}"))
        .env("WRANGLER_SEND_METRICS", "false");
    let watched = shell::watch(&mut command)?;
    ensure!(watched.ok, "wrangler failed");
    Ok(watched.lines)
}

/// The bindings that the top level of the configuration asks for, as wrangler prints them.
fn bindings(config: &toml::Table) -> Vec<String> {
    let rooms = config
        .get("durable_objects")
        .and_then(|objects| objects.get("bindings"))
        .and_then(|bindings| bindings.as_array());
    let rooms = rooms.into_iter().flatten().filter_map(|room| {
        let name = room.get("name")?.as_str()?;
        let class = room.get("class_name")?.as_str()?;
        Some(format!("env.{name} ({class})"))
    });
    let vars = config.get("vars").and_then(|vars| vars.as_table());
    let vars = vars
        .into_iter()
        .flatten()
        .map(|(name, _)| format!("env.{name} ("));
    let limits = config
        .get("ratelimits")
        .and_then(|limits| limits.as_array());
    let limits = limits.into_iter().flatten().filter_map(|limit| {
        let name = limit.get("name")?.as_str()?;
        let simple = limit.get("simple")?;
        let (requests, seconds) = (simple.get("limit")?, simple.get("period")?);
        Some(format!("env.{name} ({requests} requests/{seconds}s)"))
    });
    rooms.chain(limits).chain(vars).collect()
}

/// The gzipped size in KiB, when nothing is missing and it is small enough.
fn check(report: &[String], wanted: &[String]) -> Result<f64> {
    for binding in wanted {
        if !report
            .iter()
            .any(|line| line.trim_start().starts_with(binding))
        {
            bail!("wrangler lists no {binding}");
        }
    }
    let size = report
        .iter()
        .find_map(|line| {
            let (_, gzipped) = line.split_once("gzip: ")?;
            gzipped.strip_suffix(" KiB")?.parse().ok()
        })
        .context("wrangler named no upload size")?;
    ensure!(
        size <= MOST_KIB,
        "{size} KiB gzipped, at most {MOST_KIB:.0} are allowed"
    );
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
        durable_objects.bindings = [{ name = "ROOM", class_name = "Room" }]
        ratelimits = [{ name = "READS", namespace_id = "1", simple = { limit = 9, period = 60 } }]
        vars = { WATCHLIST = "SPY" }
    "#;

    fn report(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn a_report_must_name_every_binding_and_stay_small() {
        let wanted = bindings(&CONFIG.parse().unwrap());
        assert_eq!(
            wanted,
            [
                "env.ROOM (Room)",
                "env.READS (9 requests/60s)",
                "env.WATCHLIST ("
            ]
        );

        let room = "env.ROOM (Room)        Durable Object";
        let limit = "env.READS (9 requests/60s)   Rate Limit";
        let var = "env.WATCHLIST (\"SPY\")  Environment Variable";
        let small = "Total Upload: 400.00 KiB / gzip: 150.50 KiB";
        let large = "Total Upload: 4000.00 KiB / gzip: 1500.50 KiB";
        assert_eq!(
            check(&report(&[small, room, limit, var]), &wanted).unwrap(),
            150.5
        );
        assert!(check(&report(&[small, room, var]), &wanted).is_err());
        assert!(check(&report(&[small, limit, var]), &wanted).is_err());
        assert!(check(&report(&[small, room, limit]), &wanted).is_err());
        assert!(check(&report(&[large, room, limit, var]), &wanted).is_err());
        assert!(check(&report(&[room, limit, var]), &wanted).is_err());
    }
}
