//! `cargo xtask setup`: what a machine needs beyond Rust, Node and git.
//!
//! Each step can tell whether it is done, so an interrupted set-up goes on where it stopped and a
//! second one finds nothing to do. Tools are kept per user and version; npm packages per clone.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use signalroom_page_build::{Project, Step};

use crate::wasm::{self, Compiler};
use crate::{browser, counts, shell};

/// The Worker's bundler; goes with the `worker` crate of the same version.
const WORKER_BUILD: &str = "0.8.7";
/// Must equal the `wasm-bindgen` crate's version in the lock file.
const WASM_BINDGEN: &str = "0.2.129";

/// What the steps leave behind for a build.
pub(crate) struct Ready {
    /// The compiler for wasm.
    pub(crate) compiler: Compiler,
    /// `worker-build`.
    pub(crate) worker_build: PathBuf,
    /// `wasm-bindgen`.
    pub(crate) wasm_bindgen: PathBuf,
    /// `node_modules/.bin`: wrangler, wasm-opt, esbuild and a Node new enough for them.
    pub(crate) npm_bin: PathBuf,
}

/// Runs the set-up and reports.
pub(crate) fn run() -> Result<()> {
    let ready = ready()?;
    let browser = browser::ready()?;
    // Where there is no Valgrind all else can be done.
    if let Err(error) = counts::ready() {
        eprintln!("setup: {error:#}");
    }
    println!(
        "setup: complete; wasm by {}, tests in {}",
        ready.compiler.name(),
        browser.display()
    );
    Ok(())
}

/// Does what is not done yet.
pub(crate) fn ready() -> Result<Ready> {
    let _lock = lock()?;
    Ok(Ready {
        compiler: compiler()?,
        worker_build: cargo_tool("worker-build", "worker-build", WORKER_BUILD)?,
        wasm_bindgen: cargo_tool("wasm-bindgen-cli", "wasm-bindgen", WASM_BINDGEN)?,
        npm_bin: npm_packages()?,
    })
}

/// Waits for the tools folder: clones share it, so only one of them installs at a time.
pub(crate) fn lock() -> Result<File> {
    let tools = shell::tools()?;
    fs::create_dir_all(&tools)?;
    let lock = File::create(tools.join("setup.lock"))?;
    lock.lock().context("cannot lock the tools folder")?;
    Ok(lock)
}

fn compiler() -> Result<Compiler> {
    if let Some(compiler) = Compiler::find()? {
        return Ok(compiler);
    }
    eprintln!("setup: a compiler for {}", wasm::TARGET);
    wasm::install()
}

pub(crate) fn cargo_tool(package: &str, program: &str, version: &str) -> Result<PathBuf> {
    let folder = shell::tools()?.join(format!("{program}-{version}"));
    let installed = folder.join("bin").join(program);
    if !installed.exists() {
        eprintln!("setup: {package} {version} (a few minutes, once per machine)");
        shell::run(
            shell::cargo()
                .args([
                    "install",
                    package,
                    "--version",
                    version,
                    "--locked",
                    "--root",
                ])
                .arg(&folder)
                .env_remove("CARGO_TARGET_DIR"),
        )?;
    }
    Ok(installed)
}

fn npm_packages() -> Result<PathBuf> {
    let project = project()?;
    let lock = project.lock().context("cannot lock the npm packages")?;
    if let Some(step) = project.packages()? {
        if shell::ask(shell::command("npm").arg("--version")).is_none() {
            bail!("npm is not there: install Node.js (any version that npm comes with)");
        }
        take(step, &lock)?;
    }
    drop(lock);
    Ok(shell::root().join("node_modules/.bin"))
}

/// This clone, as far as its page is concerned.
pub(crate) fn project() -> Result<Project> {
    Project::at(shell::root()).context("the dashboard's folder is not complete")
}

/// Does a step towards the page while `lock` is held.
pub(crate) fn take(step: Step, lock: &File) -> Result<()> {
    eprintln!("setup: {}", step.doing);
    shell::run(&mut step.command(lock)?)?;
    Ok(step.done()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_have_the_versions_of_their_crates() {
        let lock = fs::read_to_string(shell::root().join("Cargo.lock")).unwrap();
        let lock: toml::Table = lock.parse().unwrap();
        let locked = |name: &str| {
            let packages = lock["package"].as_array().unwrap();
            let mut versions = packages.iter().filter(|p| p["name"].as_str() == Some(name));
            versions.next().unwrap()["version"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(locked("wasm-bindgen"), WASM_BINDGEN);
        assert_eq!(locked("worker"), WORKER_BUILD);
    }
}
