//! A Chromium for the browser tests: one that is there, else one that is installed.
//!
//! Only those tests need it; neither a build nor the product does.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};

use crate::{apt, shell};

/// What Chromium is called where it is installed.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser that is there: `CHROMIUM`, one on the `PATH`, or playwright's own.
pub(crate) fn find() -> Result<Option<PathBuf>> {
    if let Some(chosen) = env::var_os("CHROMIUM").filter(|value| !value.is_empty()) {
        let chosen = PathBuf::from(chosen);
        ensure!(
            works(&chosen),
            "CHROMIUM is {}, which does not start",
            chosen.display()
        );
        return Ok(Some(chosen));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|program| program.is_file() && works(program));
    Ok(on_path.or_else(|| playwrights().filter(works)))
}

/// Finds a browser or installs one: by `apt-get` where that may be used, else by playwright.
pub(crate) fn ready() -> Result<PathBuf> {
    if let Some(found) = find()? {
        return Ok(found);
    }
    eprintln!("setup: a Chromium for the browser tests");
    // What fails here is tried by playwright.
    apt::install("chromium");
    if let Some(found) = find()? {
        return Ok(found);
    }
    let playwright = ["--no-install", "playwright-core", "install", "chromium"];
    if let Err(error) = shell::run(shell::command("npx").args(playwright)) {
        eprintln!("setup: {error:#}");
    }
    match find()? {
        Some(found) => Ok(found),
        None => bail!(
            "no Chromium for the browser tests: install one (as `apt-get install chromium`), or \
             name one in CHROMIUM"
        ),
    }
}

/// Whether it is a browser that runs here; Ubuntu's package, for one, may be a mere pointer.
fn works(program: &PathBuf) -> bool {
    shell::ask(shell::command(program).arg("--version")).is_some_and(|text| text.contains("Chrom"))
}

/// Where playwright keeps the Chromium it installs.
fn playwrights() -> Option<PathBuf> {
    let question = "console.log(require('playwright-core').chromium.executablePath())";
    let mut node = shell::command(shell::root().join("node_modules/.bin/node"));
    let answer = shell::ask(node.args(["-e", question]))?;
    Some(PathBuf::from(answer)).filter(|program| program.is_file())
}
