//! Which compiler makes the wasm, and how a machine gets it.
//!
//! Normally rustup's own. Where rustup cannot fetch the target (a machine that reaches package
//! registries only), Debian's compiler beside it: its standard library is built once from the
//! sources Debian ships. Native builds always stay on the compiler that runs this program.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use signalroom_page_build::fingerprint;

use crate::shell;

/// The target all Worker crates are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-src",
    "rust-web-llvm",
    "rust-web-clippy",
    "lld-22",
];
const DEBIAN_PROGRAMS: [&str; 5] = ["cargo", "rustc", "rustdoc", "cargo-clippy", "clippy-driver"];
const DEBIAN_STD: &str = "/usr/lib/rustlib/wasm32-unknown-unknown/lib";

/// A compiler that has the wasm target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Compiler {
    /// The one that also makes native builds.
    Native,
    /// Debian's, in `/usr/bin`.
    Debian,
}

impl Compiler {
    /// The compiler of this machine, if it is set up.
    pub(crate) fn find() -> Result<Option<Self>> {
        if native_has_target() {
            return Ok(Some(Self::Native));
        }
        Ok(debian_has_target()?.then_some(Self::Debian))
    }

    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "the native toolchain",
            Self::Debian => "Debian's toolchain",
        }
    }

    /// Cargo for wasm builds, with a target folder of its own.
    pub(crate) fn cargo(self) -> Result<Command> {
        let mut command = match self {
            Self::Native => shell::cargo(),
            Self::Debian => shell::command(debian_links()?.join("cargo")),
        };
        self.prepare(&mut command)?;
        Ok(command)
    }

    /// Makes any program that calls cargo use this compiler.
    pub(crate) fn prepare(self, command: &mut Command) -> Result<()> {
        command.env("CARGO_TARGET_DIR", shell::root().join("target/wasm"));
        if self == Self::Debian {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(debian_links()?).chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(folders)?);
            for variable in [
                "CARGO",
                "RUSTC",
                "RUSTDOC",
                "RUSTUP_TOOLCHAIN",
                "LD_LIBRARY_PATH",
            ] {
                command.env_remove(variable);
            }
        }
        Ok(())
    }
}

/// Gets a compiler with the wasm target: through rustup, else from Debian.
pub(crate) fn install() -> Result<Compiler> {
    let by_rustup = shell::run(shell::command("rustup").args(["target", "add", TARGET]));
    if by_rustup.is_ok() && native_has_target() {
        return Ok(Compiler::Native);
    }
    if shell::ask(shell::command("apt-get").arg("--version")).is_none() {
        bail!(
            "no compiler for {TARGET}: `rustup target add {TARGET}` failed, and there is no \
             apt-get to install Debian's; add the target by hand"
        );
    }
    install_debian().with_context(|| {
        format!("`rustup target add {TARGET}` failed, and Debian's compiler (needs root) too")
    })?;
    Ok(Compiler::Debian)
}

fn native_has_target() -> bool {
    let question = ["--print", "target-libdir", "--target", TARGET];
    shell::ask(shell::command("rustc").args(question))
        .is_some_and(|folder| holds_std(Path::new(&folder)))
}

fn debian_has_target() -> Result<bool> {
    let Some(version) = debian_version() else {
        return Ok(false);
    };
    Ok(holds_std(Path::new(DEBIAN_STD)) && fingerprint::matches(&debian_stamp()?, &version))
}

fn holds_std(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn debian_version() -> Option<String> {
    shell::ask(
        Command::new("/usr/bin/rustc")
            .arg("-vV")
            .env_remove("LD_LIBRARY_PATH"),
    )
}

fn debian_folder() -> Result<PathBuf> {
    Ok(shell::tools()?.join("debian-rust"))
}

fn debian_links() -> Result<PathBuf> {
    Ok(debian_folder()?.join("bin"))
}

/// Holds the version of the compiler that made the standard library in place.
fn debian_stamp() -> Result<PathBuf> {
    Ok(debian_folder()?.join("std.stamp"))
}

fn install_debian() -> Result<()> {
    let apt = || {
        let mut command = shell::command("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    shell::run(apt().args(["update", "-q"]))?;
    shell::run(apt().args(["install", "-y", "-q"]).args(DEBIAN_PACKAGES))?;

    let links = debian_links()?;
    fs::create_dir_all(&links)?;
    for program in DEBIAN_PROGRAMS {
        let link = links.join(program);
        if !link.is_symlink() {
            symlink(Path::new("/usr/bin").join(program), link)?;
        }
    }
    build_debian_std()?;
    let version = debian_version().context("Debian's rustc does not run")?;
    Ok(fs::write(debian_stamp()?, version)?)
}

/// Builds `std` for wasm in an empty crate and puts it where Debian's compiler looks for it.
fn build_debian_std() -> Result<()> {
    let folder = debian_folder()?.join("std");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nedition = \"2024\"\n\n[workspace]\n",
    )?;
    let mut cargo = Compiler::Debian.cargo()?;
    cargo
        .current_dir(&folder)
        .args([
            "build",
            "--release",
            "-Zbuild-std=std,panic_abort",
            "--target",
            TARGET,
        ])
        .env("CARGO_TARGET_DIR", folder.join("target"))
        // `-Zbuild-std` on a stable compiler; the bitcode is what a later `lto = true` links.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes");
    shell::run(&mut cargo)?;

    // A library left over from another compiler version would make every build ambiguous.
    if Path::new(DEBIAN_STD).exists() {
        fs::remove_dir_all(DEBIAN_STD)?;
    }
    fs::create_dir_all(DEBIAN_STD)?;
    for entry in fs::read_dir(folder.join("target").join(TARGET).join("release/deps"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            fs::copy(entry.path(), Path::new(DEBIAN_STD).join(name))?;
        }
    }
    Ok(fs::remove_dir_all(folder)?)
}
