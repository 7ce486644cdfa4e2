//! A case and what it is given: a server's address, tokens, and symbols nobody else uses.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::Mutex;

use crate::client::{Dial, Minter, Rest, Role};
use crate::target::{Kind, Server, Start, Stop};

type Outcome = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Which server a case runs against.
#[derive(Debug, Clone, Copy)]
pub enum Needs {
    /// The one that all such cases share, at the same time.
    Shared,
    /// One of its own with an empty data folder and these vars on top of the usual ones.
    Own(&'static [(&'static str, &'static str)]),
    /// None: the case starts processes itself.
    Nothing,
}

/// One behaviour of the contract.
pub struct Case {
    /// `topic/what holds`.
    pub name: &'static str,
    /// Its server.
    pub needs: Needs,
    /// The targets it applies to.
    pub on: &'static [Kind],
    run: Box<dyn Fn(Ctx) -> Outcome + Send + Sync>,
}

impl Case {
    /// A case on the shared server.
    pub fn shared<F, O>(name: &'static str, run: F) -> Self
    where
        F: Fn(Ctx) -> O + Send + Sync + 'static,
        O: Future<Output = Result<()>> + Send + 'static,
    {
        Self::new(name, Needs::Shared, run)
    }

    /// A case with a server of its own.
    pub fn own<F, O>(
        name: &'static str,
        vars: &'static [(&'static str, &'static str)],
        run: F,
    ) -> Self
    where
        F: Fn(Ctx) -> O + Send + Sync + 'static,
        O: Future<Output = Result<()>> + Send + 'static,
    {
        Self::new(name, Needs::Own(vars), run)
    }

    /// A case that starts its servers itself, with vars that are not known before.
    pub fn starting<F, O>(name: &'static str, run: F) -> Self
    where
        F: Fn(Ctx) -> O + Send + Sync + 'static,
        O: Future<Output = Result<()>> + Send + 'static,
    {
        Self::new(name, Needs::Nothing, run)
    }

    /// A case of the command line, for the native binary only.
    pub fn command_line<F, O>(name: &'static str, run: F) -> Self
    where
        F: Fn(Ctx) -> O + Send + Sync + 'static,
        O: Future<Output = Result<()>> + Send + 'static,
    {
        Self::new(name, Needs::Nothing, run).only(&[Kind::Harness])
    }

    fn new<F, O>(name: &'static str, needs: Needs, run: F) -> Self
    where
        F: Fn(Ctx) -> O + Send + Sync + 'static,
        O: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            name,
            needs,
            on: &Kind::ALL,
            run: Box::new(move |ctx| Box::pin(run(ctx))),
        }
    }

    /// Only on these targets.
    pub fn only(mut self, on: &'static [Kind]) -> Self {
        self.on = on;
        self
    }

    /// Runs it.
    pub async fn run(&self, ctx: Ctx) -> Result<()> {
        (self.run)(ctx).await
    }
}

/// What a case is given.
#[derive(Clone)]
pub struct Ctx {
    kind: Kind,
    tag: String,
    minter: Minter,
    scratch: PathBuf,
    start: Start,
    server: Arc<Mutex<Option<Server>>>,
    url: Arc<std::sync::Mutex<String>>,
}

impl Ctx {
    /// For the case with this tag. `server` is the case's own, else `url` is the shared one's.
    pub fn new(
        kind: Kind,
        tag: String,
        secret: &str,
        scratch: PathBuf,
        start: Start,
        server: Option<Server>,
        url: String,
    ) -> Self {
        Self {
            kind,
            tag,
            minter: Minter::new(secret),
            scratch,
            start,
            server: Arc::new(Mutex::new(server)),
            url: Arc::new(std::sync::Mutex::new(url)),
        }
    }

    /// The target.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The server's address, without a slash at its end.
    pub fn url(&self) -> String {
        self.url
            .lock()
            .map_or_else(|it| it.into_inner().clone(), |it| it.clone())
    }

    /// The same case, talking to the server at `url`.
    pub fn at(&self, url: &str) -> Self {
        Self {
            url: Arc::new(std::sync::Mutex::new(url.to_owned())),
            ..self.clone()
        }
    }

    /// A folder of the case's own.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// The vars the servers of this run are started with.
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// A symbol nobody else uses. `name` is at most nine characters long.
    pub fn symbol(&self, name: &str) -> String {
        format!("{}-{name}", self.tag)
    }

    /// A user nobody else is.
    pub fn user(&self, name: &str) -> String {
        format!("{name}-{}", self.tag.to_lowercase())
    }

    /// Signs tokens the server trusts.
    pub fn minter(&self) -> &Minter {
        &self.minter
    }

    /// REST with a token of `role`.
    pub fn rest(&self, role: Role) -> Result<Rest> {
        self.rest_as(&self.user(role.name()), role)
    }

    /// REST as `sub`.
    pub fn rest_as(&self, sub: &str, role: Role) -> Result<Rest> {
        self.rest_with(&self.minter.token(sub, role))
    }

    /// REST with any token.
    pub fn rest_with(&self, token: &str) -> Result<Rest> {
        Rest::new(&self.url(), Some(token.to_owned()))
    }

    /// REST without a token.
    pub fn anonymous(&self) -> Result<Rest> {
        Rest::new(&self.url(), None)
    }

    /// A socket without a token.
    pub fn dial_bare(&self, path: &str) -> Dial {
        Dial::new(&self.url(), path)
    }

    /// A viewer's socket that negotiates `signalroom.v1`.
    pub fn dial(&self, path: &str) -> Dial {
        self.dial_bare(path)
            .bearer(&self.minter.token(&self.user("viewer"), Role::Viewer))
    }

    /// Stops the case's own server and starts it again on the same data.
    pub async fn restart(&self, stop: Stop) -> Result<()> {
        self.restart_after(stop, || Ok(())).await
    }

    /// Stops the case's own server, does something with its data, and starts it again on them.
    pub async fn restart_after(
        &self,
        stop: Stop,
        meanwhile: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let mut server = self.server.lock().await;
        let mut running = server
            .take()
            .context("only a case with a server of its own restarts")?;
        running
            .stop(stop)
            .await
            .context("stopping for the restart")?;
        drop(running);
        meanwhile()?;
        let running = Server::start(self.kind, &self.start)
            .await
            .context("restarting")?;
        running.url().clone_into(
            &mut *self
                .url
                .lock()
                .map_err(|_| anyhow::anyhow!("the address is poisoned"))?,
        );
        *server = Some(running);
        Ok(())
    }

    /// Stops the case's own server.
    pub async fn shut_down(&self) -> Result<()> {
        match self.server.lock().await.take() {
            Some(mut server) => server.stop(Stop::Gently).await,
            None => Ok(()),
        }
    }

    /// What the case's own server printed last.
    pub async fn log(&self) -> String {
        self.server
            .lock()
            .await
            .as_ref()
            .map(Server::log)
            .unwrap_or_default()
    }
}
