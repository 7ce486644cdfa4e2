//! Is the dashboard's page built from the sources that are there, and what builds it?
//!
//! `cargo xtask build` and `signalroom serve` both build the page, so that what is stale, what is
//! run and where its stamp lies is written here once. Nothing here starts a program: whoever asks
//! runs the [`Step`]s, and shows or hides what they print.
#![forbid(unsafe_code)]

pub mod fingerprint;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The built page: `index.html`, `assets/` and `_headers`; relative to the project.
pub const PAGE: &str = "build/page";

/// All that decides what the page is.
const SOURCES: [&str; 3] = ["package.json", "package-lock.json", "dashboard"];
/// Parts of `dashboard` that do not: installed, built, or about the page from outside.
const NOT_SOURCES: [&str; 4] = ["node_modules", "dist", "tests", "README.md"];
/// Variables that end up in the page, by the start of their names.
const VARIABLES: &str = "SIGNALROOM_PUBLIC_";
/// What the installed packages follow from.
const PACKAGES: [&str; 2] = ["package.json", "package-lock.json"];

/// A clone of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
}

/// A program to be run because something is missing or stale.
#[derive(Debug)]
pub struct Step {
    /// What it does, as "installing packages".
    pub doing: &'static str,
    root: PathBuf,
    /// What npm is told.
    arguments: &'static [&'static str],
    stamp: PathBuf,
    fingerprint: String,
}

impl Project {
    /// The project whose root is `folder`; `None` if its page cannot be built from there.
    pub fn at(folder: impl Into<PathBuf>) -> Option<Self> {
        let root = folder.into();
        let complete = root.join("wrangler.toml").is_file()
            && root.join("package-lock.json").is_file()
            && root.join("dashboard/package.json").is_file();
        complete.then_some(Self { root })
    }

    /// Where its page is built to.
    pub fn page(&self) -> PathBuf {
        self.root.join(PAGE)
    }

    /// Holds off every other process that would install or build, until the file is dropped.
    ///
    /// # Errors
    /// The system's, when the lock's file cannot be made or locked.
    pub fn lock(&self) -> io::Result<File> {
        let file = self.lock_file()?;
        file.lock()?;
        Ok(file)
    }

    /// The same without waiting: `None` while another process has it.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn try_lock(&self) -> io::Result<Option<File>> {
        let file = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn lock_file(&self) -> io::Result<File> {
        let build = self.root.join("build");
        fs::create_dir_all(&build)?;
        File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(build.join("page.lock"))
    }

    /// Installs the npm packages; `None` when those of the lock file are there.
    ///
    /// # Errors
    /// The system's, when a file cannot be read.
    pub fn packages(&self) -> io::Result<Option<Step>> {
        let modules = self.root.join("node_modules");
        self.step(Step {
            doing: "installing packages",
            root: self.root.clone(),
            arguments: &["ci", "--no-fund", "--no-audit"],
            stamp: modules.join(".setup-stamp"),
            fingerprint: fingerprint::of(&self.root, &PACKAGES, &[], &[])?,
        })
    }

    /// Builds the page; `None` when it was built from the sources that are there.
    ///
    /// # Errors
    /// The system's, when a source cannot be read.
    pub fn build(&self) -> io::Result<Option<Step>> {
        // A page without its entry is none, whatever a stamp says.
        let stamp = self.root.join("build/page.stamp");
        if !self.page().join("index.html").is_file() && stamp.exists() {
            fs::remove_file(&stamp)?;
        }
        self.step(Step {
            doing: "building the page",
            root: self.root.clone(),
            arguments: &["run", "build", "-w", "@signalroom/dashboard"],
            stamp,
            fingerprint: fingerprint::of(&self.root, &SOURCES, &NOT_SOURCES, &variables())?,
        })
    }

    fn step(&self, step: Step) -> io::Result<Option<Step>> {
        let done = fingerprint::matches(&step.stamp, &step.fingerprint);
        Ok((!done).then_some(step))
    }
}

impl Step {
    /// The program, which starts in the project's root. It holds `lock` as well, as its input,
    /// which is empty: when whoever started it is killed, nobody else starts it beside.
    ///
    /// # Errors
    /// The system's, when it has no file descriptor left.
    pub fn command(&self, lock: &File) -> io::Result<Command> {
        let mut command = Command::new("npm");
        command.current_dir(&self.root).args(self.arguments);
        command.stdin(Stdio::from(lock.try_clone()?));
        Ok(command)
    }

    /// Notes that the program ended well, so that it is not run again for the same inputs.
    ///
    /// # Errors
    /// The system's, when the stamp cannot be written.
    pub fn done(self) -> io::Result<()> {
        if let Some(folder) = self.stamp.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.stamp, self.fingerprint)
    }
}

/// `NAME=value` of what the page is built with.
fn variables() -> Vec<String> {
    let mut found: Vec<String> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.to_str().filter(|name| name.starts_with(VARIABLES))?;
            Some(format!("{name}={}", value.display()))
        })
        .collect();
    found.sort();
    found
}

/// The project that this very program was built from, if it is still there.
pub fn own() -> Option<Project> {
    Project::at(Path::new(env!("CARGO_MANIFEST_DIR")).parent()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A project of a few empty files.
    fn project(name: &str) -> Project {
        let root = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        for folder in ["dashboard/src", "dashboard/tests", "dashboard/node_modules"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        assert_eq!(Project::at(&root), None, "nothing to build there");
        for file in ["wrangler.toml", "package.json", "package-lock.json"] {
            fs::write(root.join(file), "").expect("a file");
        }
        fs::write(root.join("dashboard/package.json"), "{}").expect("a file");
        Project::at(root).expect("a project")
    }

    #[test]
    fn a_page_is_stale_when_its_sources_changed_or_it_is_gone() {
        let project = project("signalroom-stale");
        let root = project.root.clone();
        project
            .build()
            .expect("reads")
            .expect("wanted")
            .done()
            .expect("writes");
        assert!(
            project.build().expect("reads").is_some(),
            "there is no page"
        );

        fs::create_dir_all(project.page()).expect("a folder");
        fs::write(project.page().join("index.html"), "").expect("a file");
        project
            .build()
            .expect("reads")
            .expect("wanted")
            .done()
            .expect("writes");
        for unrelated in [
            "dashboard/tests/a.ts",
            "dashboard/node_modules/a.js",
            "other",
        ] {
            fs::write(root.join(unrelated), "x").expect("a file");
            assert!(project.build().expect("reads").is_none(), "{unrelated}");
        }
        fs::write(root.join("dashboard/src/a.ts"), "x").expect("a file");
        assert!(project.build().expect("reads").is_some(), "a source is new");
        fs::remove_dir_all(root).expect("cleans up");
    }

    #[test]
    fn the_lock_is_held_until_the_last_program_ends() {
        let project = project("signalroom-lock");
        let lock = project.lock().expect("locks");
        let step = project.packages().expect("reads").expect("wanted");
        let wanted = step.command(&lock).expect("a command");
        assert_eq!(wanted.get_program(), "npm");
        let mut program = Command::new("sleep");
        program
            .arg("600")
            .stdin(lock.try_clone().expect("a descriptor"));
        let mut running = program.spawn().expect("starts");
        // As when its parent is killed: the command has its own hold, too.
        drop((lock, wanted, program));
        assert!(project.try_lock().expect("tries").is_none(), "it runs");
        running.kill().expect("ends");
        running.wait().expect("ended");
        assert!(project.try_lock().expect("tries").is_some(), "it ended");
        fs::remove_dir_all(&project.root).expect("cleans up");
    }

    #[test]
    fn packages_are_stale_when_the_lock_changed_or_they_are_gone() {
        let project = project("signalroom-packages");
        let root = project.root.clone();
        project
            .packages()
            .expect("reads")
            .expect("wanted")
            .done()
            .expect("writes");
        assert!(project.packages().expect("reads").is_none());
        fs::write(root.join("package-lock.json"), "{}").expect("a file");
        assert!(
            project.packages().expect("reads").is_some(),
            "the lock is new"
        );
        fs::write(root.join("package-lock.json"), "").expect("a file");
        fs::remove_dir_all(root.join("node_modules")).expect("removes");
        assert!(project.packages().expect("reads").is_some(), "no packages");
        fs::remove_dir_all(root).expect("cleans up");
    }
}
