//! The page: where it comes from, and what is answered while there is none.
//!
//! It is read from a folder and not compiled in: building the program must not need Node, and a
//! page can be built again without it. What is built is held in memory, so that a page built
//! again later never mixes with the one being served.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use signalroom_page_build::{Project, Step};
use tokio::process::Command;
use tokio::time::sleep;

use crate::files::Files;
use crate::http::plain;

/// How much of a failed program's output is kept, lines.
const SHOWN: usize = 20;

/// How often a build looks whether another process has ended its own.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// Allows the script of [`building`] alone, by its SHA-256.
const RELOAD_POLICY: &str =
    "default-src 'none'; script-src 'sha256-5YaDYk/y2D0ANz5thSQroJtxx2Z8Pz+0LajvA3b7aOg='";

/// Where a page comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageSource {
    /// Built by somebody else.
    Folder(PathBuf),
    /// Built from the project when it is missing or older than its sources.
    Project(Project),
    /// There is no page.
    Nowhere,
}

/// A page that could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// npm is not installed.
    #[error("npm is not there: install Node.js")]
    NoNode,
    /// A program failed.
    #[error("{doing} failed:\n{output}")]
    Failed {
        /// What it did.
        doing: &'static str,
        /// The end of what it printed.
        output: String,
    },
}

/// The page that a server shows, which may become ready while it runs. Clones are the same page.
#[derive(Debug, Clone)]
pub struct Page {
    source: PageSource,
    state: Arc<RwLock<State>>,
}

#[derive(Debug, Clone)]
enum State {
    Ready(Arc<Files>),
    Building,
    Absent(Absence),
}

/// Why there is no page, as far as its readers are told.
#[derive(Debug, Clone, Copy)]
enum Absence {
    NoSources,
    NoNode,
    Failed,
}

impl Page {
    /// The page as it is now: ready, or still to be [built](Self::build).
    ///
    /// # Errors
    /// [`PageError::Io`] when a folder built by somebody else holds no page.
    pub fn open(source: PageSource) -> Result<Self, PageError> {
        let state = match &source {
            PageSource::Folder(folder) => State::Ready(Arc::new(Files::load(folder)?)),
            PageSource::Project(project) => ready(project).unwrap_or(State::Building),
            PageSource::Nowhere => State::Absent(Absence::NoSources),
        };
        Ok(Self {
            source,
            state: Arc::new(RwLock::new(state)),
        })
    }

    /// Whether it waits to be built.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state(), State::Building)
    }

    /// Builds a page that waits for it, and shows it. `progress` hears what is being done.
    ///
    /// # Errors
    /// [`PageError`]; from then on its readers are told what to do, or see the older page if there
    /// is one.
    pub async fn build(&self, progress: impl FnMut(&'static str)) -> Result<(), PageError> {
        let (PageSource::Project(project), true) = (&self.source, self.is_waiting()) else {
            return Ok(());
        };
        // A build empties the folder first: what lies there now is kept for the case it fails.
        let older = Files::load(&project.page()).ok();
        let built = build(project, progress).await;
        let state = match (&built, older) {
            (Ok(files), _) => State::Ready(Arc::clone(files)),
            (Err(_), Some(older)) => State::Ready(Arc::new(older)),
            (Err(PageError::NoNode), None) => State::Absent(Absence::NoNode),
            (Err(_), None) => State::Absent(Absence::Failed),
        };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        built.map(|_| ())
    }

    /// Answers a request for a static file.
    pub(crate) fn serve(
        &self,
        method: &Method,
        path: &str,
        asked: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        match self.state() {
            State::Ready(files) => files.serve(method, path, asked),
            State::Building => building(),
            State::Absent(why) if matches!(path, "/" | "/signals") => absent(why),
            State::Absent(_) => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    fn state(&self) -> State {
        let state = self.state.read();
        state.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The page as it lies there, if it was built from what lies there.
fn ready(project: &Project) -> Option<State> {
    let current = project.build().ok()?.is_none();
    let files = current.then(|| Files::load(&project.page()))?;
    Some(State::Ready(Arc::new(files.ok()?)))
}

async fn build(
    project: &Project,
    mut progress: impl FnMut(&'static str),
) -> Result<Arc<Files>, PageError> {
    // Another process may be building: it is found done then.
    let lock = loop {
        match project.try_lock()? {
            Some(lock) => break lock,
            None => sleep(LOCK_POLL).await,
        }
    };
    if project.build()?.is_some() {
        for wanted in [Project::packages, Project::build] {
            if let Some(step) = wanted(project)? {
                progress(step.doing);
                run(step, &lock).await?;
            }
        }
    }
    let files = Files::load(&project.page())?;
    drop(lock);
    Ok(Arc::new(files))
}

async fn run(step: Step, lock: &File) -> Result<(), PageError> {
    let output = Command::from(step.command(lock)?)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PageError::NoNode,
            _ => PageError::Io(error),
        })?;
    if output.status.success() {
        return Ok(step.done()?);
    }
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    let lines: Vec<&str> = printed.lines().collect();
    Err(PageError::Failed {
        doing: step.doing,
        output: lines[lines.len().saturating_sub(SHOWN)..].join("\n"),
    })
}

/// A page that asks again by itself. By a script: a refresh without one stays where it is when the
/// address has a fragment, as the sign-in link's.
fn building() -> Response<Full<Bytes>> {
    let mut response = notice(
        "<script>setTimeout(() => location.reload(), 1000)</script>",
        "The page is being built, which takes a few seconds the first time. It opens by itself.",
    );
    let policy = HeaderValue::from_static(RELOAD_POLICY);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let soon = HeaderValue::from_static("1");
    headers.insert(header::RETRY_AFTER, soon);
    response
}

fn absent(why: Absence) -> Response<Full<Bytes>> {
    let text = match why {
        Absence::NoSources => {
            "This server has no page: it was started outside its project. Start it in the \
             project's folder, or with <code>--page</code> and the folder of a built page."
        }
        Absence::NoNode => {
            "The page is not built, because npm is not there. Install Node.js and start the \
             server again."
        }
        Absence::Failed => {
            "The page could not be built; the server's terminal says why. Try <code>npm ci</code> \
             and <code>npm run build -w @signalroom/dashboard</code> in the project's folder, and start the \
             server again."
        }
    };
    notice("", text)
}

/// What is shown in place of the page. The API is there all the same.
fn notice(head: &str, text: &str) -> Response<Full<Bytes>> {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\">{head}<title>Signalroom</title></head>\
         <body><h1>Signalroom</h1><p>{text}</p>\
         <p>The API is up: <a href=\"/openapi.json\">openapi.json</a>.</p></body></html>\n"
    );
    let mut response = Response::new(Full::from(page));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
