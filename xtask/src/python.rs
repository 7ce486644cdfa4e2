//! Schemathesis, which tries the API by its own description; kept per version like other tools.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::{setup, shell};

/// What is installed, pinned.
const REQUIREMENTS: &str = "tests/schema/requirements.txt";

/// What names the program to the tests.
pub(crate) const VARIABLE: &str = "SCHEMATHESIS";

/// The program, installed into an environment of its own if it is not there yet.
pub(crate) fn schemathesis() -> Result<PathBuf> {
    let wanted = fs::read_to_string(shell::root().join(REQUIREMENTS))?;
    let version = wanted.trim().replace("==", "-");
    ensure!(
        !version.contains(char::is_whitespace),
        "{REQUIREMENTS} pins one package"
    );
    let folder = shell::tools()?.join(version);
    let program = folder.join("bin/schemathesis");
    let complete = folder.join("complete");
    let _lock = setup::lock()?;
    if complete.exists() {
        return Ok(program);
    }
    eprintln!("setup: {}", wanted.trim());
    let python = shell::ask(shell::command("python3").arg("--version"));
    ensure!(
        python.is_some(),
        "python3 is not there: install Python 3.10 or later, with venv and pip"
    );
    shell::run(shell::command("python3").args(["-m", "venv"]).arg(&folder))?;
    shell::run(
        shell::command(folder.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(REQUIREMENTS)
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    )?;
    fs::write(complete, "")?;
    Ok(program)
}
