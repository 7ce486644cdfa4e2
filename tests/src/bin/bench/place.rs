//! Servers on a core of their own, and what Linux tells of them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::CpuSet;
use signalroom_tests::bars::{self, Bar, Shape};
use signalroom_tests::client::{Minter, Rest, Role};
use signalroom_tests::load::{Count, Needle, Plan, Ready, Watch, pin};
use signalroom_tests::runner::SECRET;
use signalroom_tests::target::{Kind, Server, Stop, process};
use tempfile::TempDir;

use crate::ideal;
use crate::setting::folder_start;

/// The server's core.
pub(crate) const SERVER: usize = 0;
/// The core of the load, and of whoever publishes.
pub(crate) const LOAD: usize = 1;

/// Ticks of `/proc/PID/stat` in a second: a constant of Linux on every machine it is seen on.
const TICKS: f64 = 100.0;

/// Makes this thread's place the load's core, and as many files as the system lets us have.
pub(crate) fn settle() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .context("more open files")?;
    pin(&[LOAD])
}

/// Lets this thread run anywhere again.
pub(crate) fn leave() -> Result<()> {
    // The kernel ignores those that are not there.
    pin(&(0..CpuSet::MAX_CPU).collect::<Vec<_>>())
}

/// CPU seconds that a process has used, those of all its threads.
pub(crate) fn cpu(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before may hold spaces.
    let (_, fields) = stat.rsplit_once(") ").context("a process's name")?;
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().context("ticks"))
        .sum::<Result<f64>>()?;
    Ok(ticks / TICKS)
}

/// Resident memory of a process, KB.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("resident memory")?;
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .context("kilobytes")
}

/// A child that goes with its handle.
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The product on the server's core.
pub(crate) struct Desk {
    server: Server,
    pub(crate) pid: u32,
    pub(crate) rest: Rest,
    /// The last bar of every symbol that [`Desk::publish`] changes, and how often it has.
    symbols: Vec<(String, Bar, u64)>,
    next: usize,
    _folder: TempDir,
}

impl Desk {
    /// Starts it with `symbols` that have a signal each.
    pub(crate) async fn start(kind: Kind, symbols: usize) -> Result<Self> {
        Self::start_on(&[SERVER], kind, symbols, &[]).await
    }

    /// The same on other cores, with `vars` in its environment.
    pub(crate) async fn start_on(
        cores: &[usize],
        kind: Kind,
        symbols: usize,
        vars: &[(&str, &str)],
    ) -> Result<Self> {
        let vars: Vec<_> = [&[("PROVIDERS", "")], vars].concat();
        let (folder, start) = folder_start(&vars)?;
        pin(cores)?;
        let started = Server::start(kind, &start).await;
        pin(&[LOAD])?;
        let server = started?;
        let pid = server.pid().context("the server runs")?;
        let token = Minter::new(SECRET).token("bench", Role::Admin);
        let rest = Rest::new(server.url(), Some(token))?;
        let mut desk = Self {
            server,
            pid,
            rest,
            symbols: Vec::new(),
            next: 0,
            _folder: folder,
        };
        for number in 0..symbols {
            let mut bars = bars::series(Shape::Buy, 7);
            let symbol = format!("SYM{number}");
            let put = desk.rest.put_bars(&symbol, "?compute=now", &bars).await?;
            put.ok()?;
            let last = bars.pop().context("bars")?;
            desk.symbols.push((symbol, last, 0));
        }
        Ok(desk)
    }

    /// What clients of its WebSocket do; `kind` is the type of the messages that count.
    pub(crate) fn plan(&self, kind: &str) -> Result<Plan> {
        Ok(Plan {
            address: self.server.url().trim_start_matches("http://").parse()?,
            path: "/ws".to_owned(),
            token: Some(Minter::new(SECRET).token("load", Role::Viewer)),
            // Others than those of the negotiated protocol get no arrays; `signalroom.v1` is what
            // pages and clients speak.
            protocol: Some("signalroom.v1"),
            deflate: false,
            greeting: None,
            watch: Watch {
                ready: Ready::Text(Needle::new("\"type\":\"snapshot\"")),
                count: Count::Text(Needle::new(&format!("\"type\":\"{kind}\""))),
            },
        })
    }

    /// The address, `http://…`.
    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// The name of a symbol that it started with.
    pub(crate) fn symbol(&self, number: usize) -> &str {
        &self.symbols[number].0
    }

    /// A changed bar of the next symbol, in turn: one new signal. The request runs as it is
    /// awaited.
    pub(crate) fn publish(&mut self) -> impl Future<Output = Result<()>> + use<> {
        let turn = self.next % self.symbols.len();
        self.next += 1;
        let (symbol, last, revisions) = &mut self.symbols[turn];
        *revisions += 1;
        // Another volume is another revision of the pending signal.
        let bar = Bar {
            volume: last.volume + *revisions as f64,
            ..last.clone()
        };
        let (rest, symbol) = (self.rest.clone(), symbol.clone());
        async move {
            let put = rest.put_bars(&symbol, "?compute=now", &[bar]).await?;
            put.ok().map(|_| ())
        }
    }

    /// Stops it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.server.stop(Stop::Gently).await
    }
}

/// A server that is told to broadcast over a connection, and nothing else.
pub(crate) struct Bare {
    process: Process,
    pub(crate) plan: Plan,
    control: TcpStream,
    /// One broadcast.
    order: Vec<u8>,
    _config: Option<TempDir>,
}

impl Bare {
    /// The ideal writer, of frames with `length` bytes.
    pub(crate) fn ideal(length: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve-ideal").arg(length.to_string());
        let mut process = spawn(command.stdout(Stdio::piped()))?;
        let stdout = process.0.stdout.take().context("its output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line
            .trim()
            .strip_prefix(ideal::LISTENING)
            .context("an address")?;
        let address = address.parse()?;
        Ok(Self {
            process,
            plan: bare_plan(address, None, Ready::Handshake, Count::Frames),
            control: ideal::control(address)?,
            order: vec![b'.'],
            _config: None,
        })
    }

    /// nats-server with a subject that all clients subscribe to; none where it is not installed.
    pub(crate) async fn nats(length: usize) -> Result<Option<Self>> {
        if Command::new("nats-server")
            .arg("--version")
            .output()
            .is_err()
        {
            return Ok(None);
        }
        let (plain, web) = (process::free_port()?, process::free_port()?);
        let config = tempfile::tempdir()?;
        let path = config.path().join("nats.conf");
        fs::write(
            &path,
            format!(
                "listen: \"127.0.0.1:{plain}\"\nwebsocket {{ listen: \"127.0.0.1:{web}\", no_tls: true }}\n"
            ),
        )?;
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&path);
        let process = spawn(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        let mut tries = 0;
        let mut control = loop {
            match TcpStream::connect(("127.0.0.1", plain)) {
                Ok(stream) => break stream,
                Err(error) if tries == 400 => Err(error).context("nats-server does not listen")?,
                Err(_) => tries += 1,
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        };
        control.set_nodelay(true)?;
        control.write_all(b"CONNECT {\"verbose\":false}\r\n")?;
        let mut order = format!("PUB x {length}\r\n").into_bytes();
        order.resize(order.len() + length, b'x');
        order.extend(b"\r\n");
        let greeting = "CONNECT {\"verbose\":false}\r\nSUB x 1\r\nPING\r\n";
        let plan = bare_plan(
            ([127, 0, 0, 1], web).into(),
            Some(greeting),
            Ready::Text(Needle::new("PONG\r\n")),
            Count::Text(Needle::new("MSG x 1 ")),
        );
        Ok(Some(Self {
            process,
            plan,
            control,
            order,
            _config: Some(config),
        }))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// One broadcast.
    pub(crate) fn publish(&mut self) -> Result<()> {
        self.control.write_all(&self.order).context("a broadcast")
    }
}

fn spawn(command: &mut Command) -> Result<Process> {
    pin(&[SERVER])?;
    let spawned = command.stdin(Stdio::null()).spawn();
    pin(&[LOAD])?;
    Ok(Process(
        spawned.with_context(|| format!("starting {command:?}"))?,
    ))
}

fn bare_plan(
    address: SocketAddr,
    greeting: Option<&'static str>,
    ready: Ready,
    count: Count,
) -> Plan {
    Plan {
        address,
        path: "/".to_owned(),
        token: None,
        protocol: None,
        deflate: false,
        greeting,
        watch: Watch { ready, count },
    }
}

/// Fails early and clearly where two cores are not there.
pub(crate) fn check() -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    ensure!(cores > LOAD, "a core for the server and one for the load");
    Ok(())
}
