//! `cargo xtask build`: all that `wrangler dev` and `wrangler deploy` need, in one command.
//!
//! When nothing changed it takes a fraction of a second, since every start of wrangler runs it.

use std::fs::{self, File};

use anyhow::{Context, Result, bail};
use signalroom_page_build::fingerprint;

use crate::setup::{self, Ready};
use crate::{assets, shell};

/// All that ends up in the wasm.
const INPUTS: [&str; 6] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "core",
    "durable-objects",
    "worker",
];
/// Where the Worker is built to; `wrangler.toml` names its `index.js` as `main`.
const FOLDER: &str = "build/worker";

/// How the wasm is compiled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Profile {
    /// The cargo profile `wasm`: small and optimised, what is deployed.
    Wasm,
    /// Unoptimised: compiles fast, too large to deploy.
    Dev,
}

/// Sets up, then builds what changed.
pub(crate) fn run(profile: Profile) -> Result<()> {
    let ready = setup::ready()?;
    fs::create_dir_all(shell::root().join("target"))?;
    // Several wrangler processes may start at once: one builds, the others find it done.
    let lock = File::create(shell::root().join("target/build.lock"))?;
    lock.lock().context("cannot lock the build")?;
    build_wasm(&ready, profile)?;
    assets::write()?;
    assets::write_dev_vars()
}

fn build_wasm(ready: &Ready, profile: Profile) -> Result<()> {
    let folder = shell::root().join(FOLDER);
    let stamp = folder.join(".stamp");
    let made_by = [
        format!("{profile:?}"),
        format!("{:?}", ready.compiler),
        ready.worker_build.display().to_string(),
        ready.wasm_bindgen.display().to_string(),
    ];
    let wanted = fingerprint::of(shell::root(), &INPUTS, &[], &made_by)?;
    if fingerprint::matches(&stamp, &wanted) && folder.join("index.js").exists() {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut command = shell::command(&ready.worker_build);
    command.current_dir(shell::root().join("worker"));
    match profile {
        Profile::Wasm => command.args(["--profile", "wasm"]),
        Profile::Dev => command.arg("--dev"),
    };
    command
        .args(["--out-dir", &format!("../{FOLDER}")])
        .env("WASM_BINDGEN_BIN", &ready.wasm_bindgen)
        .env("WASM_OPT_BIN", ready.npm_bin.join("wasm-opt"))
        .env("ESBUILD_BIN", ready.npm_bin.join("esbuild"));
    ready.compiler.prepare(&mut command)?;
    shell::run(&mut command)?;
    if matches!(profile, Profile::Wasm) {
        strip_names(ready)?;
    }
    check_exports()?;
    Ok(fs::write(stamp, wanted)?)
}

/// Takes the names of functions out of the module, which `worker-build` keeps: a twelfth of the
/// upload, and a panic says its file and line without them. A profile wants `--dev`.
fn strip_names(ready: &Ready) -> Result<()> {
    let module = shell::root().join(FOLDER).join("index_bg.wasm");
    // What the compiler uses, and nothing newer that a runtime may not know.
    let features = [
        "mutable-globals",
        "sign-ext",
        "nontrapping-float-to-int",
        "bulk-memory",
        "multivalue",
        "reference-types",
        "exception-handling",
    ];
    shell::run(
        shell::command(ready.npm_bin.join("wasm-opt"))
            .args(features.map(|feature| format!("--enable-{feature}")))
            .args(["--strip-debug", "--output"])
            .args([&module, &module]),
    )
}

/// The bundle must export the Durable Object's class: without it a deployment is refused.
pub(crate) fn check_exports() -> Result<()> {
    let entry = shell::root().join(FOLDER).join("index.js");
    let bundle =
        fs::read_to_string(&entry).with_context(|| format!("cannot read {}", entry.display()))?;
    let exports: Vec<&str> = exported_names(&bundle);
    for wanted in ["Room", "default"] {
        if !exports.contains(&wanted) {
            bail!(
                "{} does not export {wanted}, only {exports:?}",
                entry.display()
            );
        }
    }
    Ok(())
}

/// The names in the `export{a,b as c}` list that esbuild puts at the end of a bundle.
fn exported_names(bundle: &str) -> Vec<&str> {
    let Some((_, list)) = bundle.rsplit_once("export{") else {
        return Vec::new();
    };
    let list = list.split('}').next().unwrap_or_default();
    list.split(',')
        .filter_map(|item| item.split(" as ").last())
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_read_from_the_end_of_a_bundle() {
        let bundle = "export{early};var x;export{Room,shim as default};\n";
        assert_eq!(exported_names(bundle), ["Room", "default"]);
        assert!(exported_names("no exports").is_empty());
    }
}
