//! The dashboard's own scripts: npm runs them, against the native binary where they need a server.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{browser, shell};

/// The page's package.
pub(crate) const DASHBOARD: &str = "@signalroom/dashboard";

/// A script of a package, with an output that can be read line by line.
pub(crate) fn npm(script: &str, package: &str) -> Command {
    let mut command = shell::command("npm");
    command
        .args(["run", "--silent", script, "-w", package])
        .env("NO_COLOR", "1")
        .env("CI", "1");
    command
}

/// Builds the native binary with a cargo profile; where it is.
pub(crate) fn native(profile: &str) -> Result<PathBuf> {
    binary("signalroom-harness", "signalroom", profile)
}

/// Builds the provider of market data that the page is shown with; where it is.
pub(crate) fn market_provider() -> Result<PathBuf> {
    binary("signalroom-tests", "market-provider", "dev")
}

/// Builds a binary with a cargo profile; where it is.
pub(crate) fn binary(package: &str, name: &str, profile: &str) -> Result<PathBuf> {
    let what = ["-p", package, "--bin", name];
    let mut build = shell::cargo();
    build.args(["build", "--quiet", "--profile", profile]);
    shell::run(build.args(what))?;
    let metadata = ["metadata", "--format-version", "1", "--no-deps"];
    let metadata = shell::ask(shell::cargo().args(metadata)).context("cargo metadata failed")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let target = metadata["target_directory"].as_str();
    let target = target.context("cargo metadata names no target folder")?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(PathBuf::from(target).join(folder).join(name))
}

/// What the page promises about speed, in a browser against the release build.
pub(crate) fn bench() -> Result<()> {
    with_server("bench")
}

/// Takes the pictures that the documents show.
pub(crate) fn screens() -> Result<()> {
    with_server("screens")
}

fn with_server(script: &str) -> Result<()> {
    let browser = browser::ready()?;
    let mut command = npm(script, DASHBOARD);
    command
        .env("CHROMIUM", browser)
        .env("SIGNALROOM_BIN", native("release")?)
        .env("MARKET_PROVIDER_BIN", market_provider()?);
    shell::run(&mut command)
}
