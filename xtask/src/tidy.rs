//! Rules that no compiler checks: who may depend on whom, and what files look like.
//!
//! Rules of crates are in `FORBIDDEN`. Native crates are held to them through everything they pull
//! in; the Worker's crates only in what they name, since the platform's own crate brings tokio.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::shell;

/// Packages a crate may not use.
struct Forbidden {
    package: &'static str,
    /// Also through its dependencies, on this machine's own platform.
    deeply: bool,
    names: &'static [&'static str],
}

const FORBIDDEN: [Forbidden; 6] = [
    Forbidden {
        package: "signalroom-core",
        deeply: true,
        names: &[
            "worker",
            "js-sys",
            "wasm-bindgen",
            "tokio",
            "rusqlite",
            "axum",
            "hyper",
        ],
    },
    Forbidden {
        package: "signalroom-durable-objects",
        deeply: false,
        names: &["tokio", "rusqlite"],
    },
    Forbidden {
        package: "signalroom-worker",
        deeply: false,
        names: &["tokio", "rusqlite"],
    },
    Forbidden {
        package: "signalroom-harness",
        deeply: true,
        names: &["worker", "wasm-bindgen"],
    },
    Forbidden {
        package: "signalroom-counts",
        deeply: true,
        names: &["worker", "tokio"],
    },
    Forbidden {
        package: "signalroom-tests",
        deeply: true,
        names: &["worker", "signalroom-durable-objects", "signalroom-worker"],
    },
];

/// What the core may not touch of the standard library; its tests may.
const NOT_IN_CORE: [&str; 5] = [
    "std::fs",
    "std::net",
    "std::thread",
    "Instant",
    "SystemTime",
];

/// Written in two parts so that this file keeps its own rule.
const UNFINISHED: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

const MOST_LINES: usize = 600;
/// Files the line limit is for: what people write by hand and read as a whole.
const WRITTEN: [&str; 9] = ["rs", "ts", "tsx", "js", "mjs", "css", "html", "toml", "sql"];

/// What a program's output says of itself at its top.
const GENERATED: &str = "auto-generated";

/// Every broken rule, one line each.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut broken = dependencies()?;
    for path in files()? {
        // Neither text (an image) nor there any more (deleted, not yet committed): no rule.
        if let Ok(text) = fs::read_to_string(shell::root().join(&path)) {
            broken.extend(file(&path, &text));
        }
    }
    Ok(broken)
}

/// The project's files, also those not committed yet.
fn files() -> Result<Vec<String>> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = shell::ask(shell::command("git").args(list)).context("git ls-files failed")?;
    Ok(output.lines().map(str::to_owned).collect())
}

fn file(path: &str, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.ends_with("lock") || name == "package-lock.json" {
        return broken;
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if extension == "rs" && !text.starts_with("//!") {
        broken.push(format!("{path}: does not start with //!"));
    }
    for word in UNFINISHED {
        if let Some(number) = text.lines().position(|line| line.contains(word)) {
            broken.push(format!("{path}:{}: {word}", number + 1));
        }
    }
    let lines = text.lines().count();
    let generated = text.lines().take(3).any(|line| line.contains(GENERATED));
    if WRITTEN.contains(&extension) && lines > MOST_LINES && !generated {
        broken.push(format!("{path}: {lines} lines, at most {MOST_LINES}"));
    }
    if path == "core/src/lib.rs" && !text.contains("#![forbid(unsafe_code)]") {
        broken.push(format!("{path}: does not forbid unsafe_code"));
    }
    if path.starts_with("core/src/") && name != "tests.rs" && !path.contains("/tests/") {
        let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
        for (number, line) in product.lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            for used in NOT_IN_CORE.iter().filter(|name| code.contains(**name)) {
                broken.push(format!(
                    "{path}:{}: the core may not use {used}",
                    number + 1
                ));
            }
        }
    }
    broken
}

fn dependencies() -> Result<Vec<String>> {
    let host = shell::ask(shell::command("rustc").args(["--print", "host-tuple"]))
        .context("rustc does not name its platform")?;
    let metadata = [
        "metadata",
        "--format-version",
        "1",
        "--filter-platform",
        &host,
    ];
    let metadata = shell::ask(shell::cargo().args(metadata)).context("cargo metadata failed")?;
    let metadata = serde_json::from_str(&metadata)?;
    let graph = Graph::read(&metadata).context("cargo metadata has another shape")?;

    let mut broken = Vec::new();
    for rule in &FORBIDDEN {
        let used = if rule.deeply {
            graph.all(rule.package)
        } else {
            graph.named(rule.package)
        };
        for name in rule.names.iter().filter(|name| used.contains(**name)) {
            broken.push(format!("{} uses {name}, which it may not", rule.package));
        }
    }
    Ok(broken)
}

/// Which package uses which: tests and build scripts of dependencies left out.
struct Graph<'a> {
    /// By package name: names it lists, of every platform and kind.
    named: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// By package name: names it is linked with on this platform.
    linked: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Graph<'a> {
    fn read(metadata: &'a Value) -> Option<Self> {
        let mut names = BTreeMap::new();
        let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in metadata["packages"].as_array()? {
            let name = package["name"].as_str()?;
            names.insert(package["id"].as_str()?, name);
            for dependency in package["dependencies"].as_array()? {
                named
                    .entry(name)
                    .or_default()
                    .insert(dependency["name"].as_str()?);
            }
        }
        let mut linked: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array()? {
            let uses = linked.entry(names.get(node["id"].as_str()?)?).or_default();
            for dependency in node["deps"].as_array()? {
                let kinds = dependency["dep_kinds"].as_array()?;
                if kinds.iter().any(|kind| kind["kind"].is_null()) {
                    uses.insert(names.get(dependency["pkg"].as_str()?)?);
                }
            }
        }
        Some(Self { named, linked })
    }

    fn named(&self, package: &str) -> BTreeSet<&'a str> {
        self.named.get(package).cloned().unwrap_or_default()
    }

    /// What the package names, and all that is linked in because of it.
    fn all(&self, package: &str) -> BTreeSet<&'a str> {
        let mut found = self.named(package);
        let mut open: Vec<&str> = self
            .linked
            .get(package)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        while let Some(name) = open.pop() {
            if seen.insert(name) {
                found.insert(name);
                open.extend(self.linked.get(name).into_iter().flatten());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_its_rules() {
        assert_eq!(check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_file_without_its_purpose_is_refused() {
        assert_eq!(file("a/src/b.rs", "//! Purpose.\n"), Vec::<String>::new());
        assert_eq!(file("a/src/b.rs", "fn f() {}\n").len(), 1);
    }

    #[test]
    fn unfinished_work_and_long_files_are_refused() {
        let unfinished = format!("one\n# {} later\n", UNFINISHED[0]);
        assert_eq!(
            file("a.md", &unfinished),
            [format!("a.md:2: {}", UNFINISHED[0])]
        );
        assert_eq!(file("package-lock.json", &unfinished), Vec::<String>::new());
        assert_eq!(file("a.css", &"x\n".repeat(MOST_LINES + 1)).len(), 1);
        let generated = format!(
            "// auto-generated by a program\n{}",
            "x\n".repeat(MOST_LINES)
        );
        assert_eq!(file("a.ts", &generated).len(), 0);
        assert_eq!(file("a.csv", &"x\n".repeat(MOST_LINES + 1)).len(), 0);
    }

    #[test]
    fn the_core_touches_no_clock_outside_its_tests() {
        let text = "//! A.\n// Instant in a comment\nuse std::time::Instant;\n";
        assert_eq!(file("core/src/a.rs", text).len(), 1);
        let text = "//! A.\n#[cfg(test)]\nmod tests {\n use std::fs;\n}\n";
        assert_eq!(file("core/src/a.rs", text).len(), 0);
    }

    #[test]
    fn dependencies_are_followed_to_the_end() {
        let metadata = serde_json::json!({
            "packages": [
                {"name": "a", "id": "1", "dependencies": [{"name": "b"}, {"name": "t"}]},
                {"name": "b", "id": "2", "dependencies": [{"name": "c"}]},
                {"name": "c", "id": "3", "dependencies": []},
            ],
            "resolve": {"nodes": [
                {"id": "1", "deps": [{"pkg": "2", "dep_kinds": [{"kind": null}]}]},
                {"id": "2", "deps": [{"pkg": "3", "dep_kinds": [{"kind": null}]}]},
                {"id": "3", "deps": []},
            ]},
        });
        let graph = Graph::read(&metadata).unwrap();
        assert_eq!(graph.all("a"), BTreeSet::from(["b", "c", "t"]));
        assert_eq!(graph.named("a"), BTreeSet::from(["b", "t"]));
    }
}
