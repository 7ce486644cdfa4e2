//! A Worker on plain `workerd serve`: no proxy of wrangler's in front, no page beside it. Ours as
//! it was built last, or one of the fixtures it is measured against.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::Instant;

use super::{Start, process::Running, root};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// Ours as `cargo xtask build` leaves it, the main module first.
const OURS: [&str; 2] = ["index.js", "index_bg.wasm"];

/// The Durable Object's class, and the part of its name that its state is kept under.
const CLASS: &str = "Room";

/// The module that stands for a rate limit.
const LIMIT: &str = "tests:limit";
const UNLIMITED: &str = "class Ratelimit { async limit() { return { success: true }; } }\n\
     export default () => new Ratelimit();";

/// A Worker with one class of Durable Objects, bound as `ROOM`.
#[derive(Debug, Clone)]
pub struct Script {
    folder: PathBuf,
    modules: Vec<String>,
    date: String,
    flags: Vec<String>,
    vars: BTreeMap<String, String>,
    /// Names of rate limits: what plain workerd has not, here without a limit.
    limits: Vec<String>,
}

impl Script {
    /// Ours, with what `wrangler.toml` says of it. It has to be built.
    pub fn ours() -> Result<Self> {
        let folder = root().join("build/worker");
        ensure!(
            folder.join(OURS[0]).exists(),
            "expected a built Worker; `cargo xtask build` makes it"
        );
        Self::configured(folder, OURS.map(str::to_owned).to_vec())
    }

    /// `tests/fixtures/workerd/{name}.js`, bundled, with our compatibility date and flags.
    pub async fn fixture(name: &str, into: &Path) -> Result<Self> {
        let folder = into.join(name);
        let main = format!("{name}.js");
        let bundled = Command::new(root().join("node_modules/.bin/esbuild"))
            .arg(root().join("tests/fixtures/workerd").join(&main))
            .args(["--bundle", "--format=esm", "--log-level=warning"])
            .arg("--external:cloudflare:workers")
            .arg(format!("--outfile={}", folder.join(&main).display()))
            .status()
            .await
            .context("esbuild")?;
        ensure!(bundled.success(), "esbuild ended with {bundled}");
        let script = Self::configured(folder, vec![main])?;
        Ok(Self {
            vars: BTreeMap::new(),
            limits: Vec::new(),
            ..script
        })
    }

    fn configured(folder: PathBuf, modules: Vec<String>) -> Result<Self> {
        let config = std::fs::read_to_string(root().join("wrangler.toml"))?;
        let config: toml::Table = config.parse().context("wrangler.toml")?;
        let text = |value: &toml::Value| match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let flags = config["compatibility_flags"].as_array();
        let vars = config["vars"].as_table().context("[vars]")?;
        let limits = config["ratelimits"].as_array();
        let limits = limits.into_iter().flatten();
        Ok(Self {
            folder,
            modules,
            date: text(&config["compatibility_date"]),
            flags: flags.into_iter().flatten().map(text).collect(),
            vars: vars
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            limits: limits.map(|limit| text(&limit["name"])).collect(),
        })
    }

    /// With other compatibility flags.
    #[must_use]
    pub fn flags(self, flags: &[&str]) -> Self {
        Self {
            flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
            ..self
        }
    }

    /// The configuration as `workerd` reads it; modules are beside it.
    fn capnp(&self, start: &Start) -> String {
        let mut modules = String::new();
        for module in &self.modules {
            let kind = if module.ends_with(".wasm") {
                "wasm"
            } else {
                "esModule"
            };
            let module = quoted(module);
            let _ = writeln!(modules, "    (name = {module}, {kind} = embed {module}),");
        }
        let mut bindings = String::new();
        let vars: BTreeMap<_, _> = self.vars.iter().chain(&start.vars).collect();
        for (name, value) in vars {
            let (name, value) = (quoted(name), quoted(value));
            let _ = writeln!(bindings, "    (name = {name}, text = {value}),");
        }
        for name in &self.limits {
            let name = quoted(name);
            let _ = writeln!(
                bindings,
                "    (name = {name}, wrapped = (moduleName = \"{LIMIT}\")),"
            );
        }
        let limit = quoted(UNLIMITED);
        let flags: Vec<_> = self.flags.iter().map(|flag| quoted(flag)).collect();
        format!(
            "using Workerd = import \"/workerd/workerd.capnp\";\n\
             const config :Workerd.Config = (\n\
             \x20 services = [\n\
             \x20   (name = \"main\", worker = .main),\n\
             \x20   (name = \"state\", disk = (path = {state}, writable = true)),\n\
             \x20 ],\n\
             \x20 sockets = [(name = \"http\", address = \"127.0.0.1:0\", http = (), service = \"main\")],\n\
             \x20 extensions = [(modules = [\n\
             \x20   (name = \"{LIMIT}\", internal = true, esModule = {limit}),\n\
             \x20 ])],\n\
             );\n\
             const main :Workerd.Worker = (\n\
             \x20 modules = [\n{modules}  ],\n\
             \x20 compatibilityDate = {date},\n\
             \x20 compatibilityFlags = [{flags}],\n\
             \x20 bindings = [\n\
             \x20   (name = \"ROOM\", durableObjectNamespace = \"{CLASS}\"),\n{bindings}  ],\n\
             \x20 durableObjectNamespaces = [(className = \"{CLASS}\", uniqueKey = \"{CLASS}\", enableSql = true)],\n\
             \x20 durableObjectStorage = (localDisk = \"state\"),\n\
             );\n",
            state = quoted(&start.data.display().to_string()),
            date = quoted(&self.date),
            flags = flags.join(", "),
        )
    }

    /// Starts the process, on the cores of the calling thread. It takes no connections yet.
    pub fn spawn(&self, start: &Start) -> Result<Starting> {
        let parent = start.data.parent();
        let parent = parent.context("the data folder has a parent")?;
        std::fs::create_dir_all(&start.data)?;
        let folder = tempfile::Builder::new()
            .prefix("workerd-")
            .tempdir_in(parent)?
            .keep();
        for module in &self.modules {
            std::fs::copy(self.folder.join(module), folder.join(module))
                .with_context(|| format!("the module {module}"))?;
        }
        let config = folder.join("config.capnp");
        std::fs::write(&config, self.capnp(start))?;
        let mut command = Command::new(program()?);
        command.args(["serve", "--control-fd=1"]).arg(config);
        let log = folder.join("workerd.log");
        let running = Running::spawn(command, &BTreeMap::new(), &log)?;
        Ok(Starting(running))
    }

    /// Starts it, and waits until it takes connections.
    pub async fn start(&self, start: &Start) -> Result<Running> {
        self.spawn(start)?.listening().await
    }
}

/// A process that may not listen yet.
pub struct Starting(Running);

impl Starting {
    /// Waits until it takes connections.
    pub async fn listening(self) -> Result<Running> {
        let Self(mut running) = self;
        let deadline = Instant::now() + START_DEADLINE;
        let url = loop {
            if let Some(url) = address(&running) {
                break url;
            }
            running.tick(deadline).await?;
        };
        running.listens_on(&url);
        Ok(running)
    }
}

/// Where it says that it listens.
fn address(running: &Running) -> Option<String> {
    let log = running.log();
    let port: u16 = log.lines().find_map(|line| {
        let told: serde_json::Value = serde_json::from_str(line).ok()?;
        (told["event"] == "listen").then(|| told["port"].as_u64()?.try_into().ok())?
    })?;
    Some(format!("http://127.0.0.1:{port}"))
}

/// The binary itself: the package's own entry starts it through node, which stays beside it.
fn program() -> Result<PathBuf> {
    let modules = root().join("node_modules");
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let system = if system == "macos" { "darwin" } else { system };
    let machine = if machine == "aarch64" { "arm64" } else { "64" };
    let program = modules.join(format!(
        "@cloudflare/workerd-{system}-{machine}/bin/workerd"
    ));
    ensure!(
        program.exists(),
        "expected {}; `npm ci` installs it",
        program.display()
    );
    Ok(program)
}

/// As a string of Cap'n Proto's text format, which has JSON's escapes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
