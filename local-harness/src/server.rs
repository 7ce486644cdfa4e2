//! Starts and stops the whole product in one process.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use signalroom_core::config::{Config, ConfigError, Supply};
use signalroom_core::cron::Cron;
use signalroom_core::rate::Buckets;
use signalroom_core::room::name::RoomName;
use signalroom_core::store::{SqlError, schema};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::demo::{self, Demo};
use crate::http::{self, DRAIN_DEADLINE, Shared};
use crate::limits::{Limits, Slots};
use crate::page::Page;
use crate::phase::{Phase, Phases};
use crate::room::{DRAIN_WINDOW, Hibernate, Registry, Settings, room_files};
use crate::schedule;
use crate::sql::SqliteSql;
use crate::vars::{DEFAULT_CRONS, Names};

/// How long a start waits for an instance that is just ending.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// How many bytes of databases a start looks through; the rest is looked at when it is used.
const CHECKED_BYTES: u64 = 64 * 1024 * 1024;

/// How long rooms have to close their databases.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// What a server is started with.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The data folder, made if it is not there.
    pub data: PathBuf,
    /// The configuration's variables.
    pub vars: BTreeMap<String, String>,
    /// When rooms forget their memory.
    pub hibernate: Hibernate,
    /// Whether the contract's crons fire by themselves.
    pub cron: bool,
    /// Whether an empty data folder is filled with a generated series.
    pub demo: bool,
    /// The page at `/` and `/signals`.
    pub page: Page,
    /// What clients may take up.
    pub limits: Limits,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("data", &self.data)
            .field("vars", &Names(&self.vars))
            .finish_non_exhaustive()
    }
}

/// Why the server did not start. One line each; nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A variable is missing or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Somebody else listens there.
    #[error("{0} is already in use; choose another address with --listen")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        error: io::Error,
    },
    /// The data folder cannot be made, read or written.
    #[error("cannot write to the data folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// Another instance has the data folder.
    #[error("the data folder {} is in use by another instance", .0.display())]
    FolderInUse(PathBuf),
    /// A database cannot be used as it is.
    #[error("the database {} cannot be used and was left as it is: {error}", file.display())]
    Database {
        /// Its file.
        file: PathBuf,
        /// What is wrong with it.
        error: SqlError,
    },
}

/// A running server. Dropping it ends everything at once, as a crash would.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    phase: watch::Sender<Phase>,
    shared: Arc<Shared>,
    demo: Demo,
    connections: mpsc::Receiver<()>,
    tasks: mpsc::Receiver<()>,
}

impl Server {
    /// Starts the product.
    ///
    /// # Errors
    /// [`StartError`], with nothing left behind but an empty data folder.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let mut config = Config::from_vars(|name| options.vars.get(name).cloned())?;
        let listener = listen(options.listen).await?;
        let folder = |error| StartError::Folder {
            folder: options.data.clone(),
            error,
        };
        let addr = listener.local_addr().map_err(|error| StartError::Listen {
            address: options.listen,
            error,
        })?;
        let lock = lock(&options.data).await?;
        let rooms = options.data.join("rooms");
        std::fs::create_dir_all(&rooms).map_err(folder)?;
        let known = room_files(&rooms).map_err(folder)?;
        check(&known)?;
        let demo = demo::prepare(&options.data, options.demo, known.is_empty()).map_err(folder)?;

        if demo != Demo::Real {
            // What is real and what is not do not mix.
            config.supply = Supply::default();
        }

        let (phase, phases) = Phases::start();
        let settings = Settings {
            rooms,
            config: config.room,
            verifier: Arc::new(config.verifier.clone()),
            reads: Buckets::new(config.reads),
            hibernate: options.hibernate,
            _lock: lock,
        };
        let (registry, tasks) = Registry::new(settings, phases.clone());
        let shared = Arc::new(Shared {
            config: Arc::new(config),
            registry,
            phases,
            generated: demo != Demo::Real,
            page: options.page,
            limits: options.limits,
            slots: Slots::new(&options.limits),
        });
        let (alive, connections) = mpsc::channel(1);
        tokio::spawn(http::accept(listener, Arc::clone(&shared), alive));
        tokio::spawn(wake(known, Arc::clone(&shared)));
        if demo == Demo::Loading {
            tokio::spawn(demo::load(options.data, Arc::clone(&shared)));
        }
        let server = Self {
            addr,
            phase,
            shared,
            demo,
            connections,
            tasks,
        };
        if options.cron {
            let crons = DEFAULT_CRONS.iter().filter_map(|cron| cron.parse().ok());
            server.schedule(crons.collect());
        }
        Ok(server)
    }

    /// Starts scheduled runs at these times.
    pub fn schedule(&self, crons: Vec<Cron>) {
        tokio::spawn(schedule::run(crons, Arc::clone(&self.shared)));
    }

    /// Whether the data folder holds a generated series.
    pub fn demo(&self) -> Demo {
        self.demo
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops in order: nothing new is accepted, requests are answered, sockets are told to come
    /// back a few at a time, databases are closed. Takes at most half a minute.
    pub async fn stop(self) {
        let Self {
            phase,
            shared,
            mut connections,
            mut tasks,
            ..
        } = self;
        phase.send_replace(Phase::Draining);
        // Ends when the last connection and socket has.
        let _ = timeout(DRAIN_WINDOW + DRAIN_DEADLINE, connections.recv()).await;
        phase.send_replace(Phase::Stopped);
        drop(shared);
        if timeout(CLOSE_DEADLINE, tasks.recv()).await.is_err() {
            tracing::warn!("a room did not close in time");
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => StartError::AddressInUse(address),
            _ => StartError::Listen { address, error },
        })
}

/// Takes the data folder for this instance.
async fn lock(folder: &Path) -> Result<File, StartError> {
    let unwritable = |error| StartError::Folder {
        folder: folder.to_owned(),
        error,
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(folder.join("lock"))
        .map_err(unwritable)?;
    let locked = async {
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(20)).await,
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    };
    match timeout(LOCK_PATIENCE, locked).await {
        Ok(Ok(())) => Ok(file),
        Ok(Err(error)) => Err(unwritable(error)),
        Err(_) => Err(StartError::FolderInUse(folder.to_owned())),
    }
}

/// Looks through the databases, and brings their tables up to date; several at a time.
fn check(known: &[(RoomName, PathBuf)]) -> Result<(), StartError> {
    let mut left = CHECKED_BYTES;
    let chosen: Vec<_> = known
        .iter()
        .filter(|(_, file)| {
            let bytes = file.metadata().map_or(0, |metadata| metadata.len());
            let fits = bytes <= left;
            left -= if fits { bytes } else { 0 };
            fits
        })
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = chosen.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = chosen
            .chunks(share)
            .map(|part| {
                scope.spawn(|| {
                    part.iter()
                        .try_for_each(|(room, file)| check_one(room, file))
                })
            })
            .collect();
        // A thread that panicked takes this one with it.
        parts.into_iter().try_for_each(|part| {
            part.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })
}

fn check_one(room: &RoomName, file: &Path) -> Result<(), StartError> {
    let sql = SqliteSql::new(file.to_owned());
    sql.check()
        .and_then(|()| schema::open(room, &sql).map(|_| ()))
        .map_err(|error| StartError::Database {
            file: file.to_owned(),
            error,
        })
}

/// Starts every room once: one that stopped in the middle of a delivery has to go on with it.
async fn wake(known: Vec<(RoomName, PathBuf)>, shared: Arc<Shared>) {
    for (room, _) in known {
        if shared.phases.is(Phase::Draining) {
            return;
        }
        shared.registry.wake(&room).await;
    }
}
