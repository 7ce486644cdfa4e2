//! Packages of Debian and its relatives, where they may be installed.

use std::process::Command;

use crate::shell;

/// Installs a package by `apt-get` where that may be used. What goes wrong is only told: whoever
/// needs the package looks whether it is there.
pub(crate) fn install(package: &str) {
    let Some(mut apt) = apt() else { return };
    // A fresh system knows no packages yet.
    let installed = shell::run(apt().args(["update", "-q"]))
        .and_then(|()| shell::run(apt().args(["install", "-y", "-q", package])));
    if let Err(error) = installed {
        eprintln!("setup: {error:#}");
    }
}

/// How `apt-get` is started here, if it may be: as root, or by `sudo` without a question.
fn apt() -> Option<impl FnMut() -> Command> {
    shell::ask(shell::command("apt-get").arg("--version"))?;
    let root = shell::ask(shell::command("id").arg("-u"))? == "0";
    if !root {
        shell::ask(shell::command("sudo").args(["-n", "true"]))?;
    }
    Some(move || {
        let mut command = shell::command(if root { "env" } else { "sudo" });
        if !root {
            command.args(["-n", "env"]);
        }
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        command
    })
}
