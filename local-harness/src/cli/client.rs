//! The API over HTTP, for the commands: a token, a request, and problems in one line.

use std::fmt;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Args;
use reqwest::{Method, RequestBuilder, Url};
use serde_json::Value;
use signalroom_core::auth::Role;
use signalroom_harness::{DATA_HEADER, vars};

/// How long a token made for one command is valid, milliseconds.
const TTL: i64 = 12 * 3_600_000;

/// Which server, and who asks.
#[derive(Debug, Args)]
pub(crate) struct Remote {
    /// Address of the harness or of a deployed worker
    #[arg(long, default_value = "http://127.0.0.1:8787")]
    url: String,
    /// Token to ask with; without one, it is made from .dev.vars
    #[arg(long, env = "SIGNALROOM_TOKEN", hide_env_values = true)]
    token: Option<Bearer>,
}

/// A token that is never shown.
#[derive(Clone)]
struct Bearer(String);

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

impl From<&str> for Bearer {
    fn from(token: &str) -> Self {
        Self(token.to_owned())
    }
}

/// An answer that is a file, or a page of one.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// Its body.
    pub(crate) text: String,
    /// Where the next page starts; none on the last.
    pub(crate) next_cursor: Option<String>,
}

/// A server that can be asked.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Bearer,
}

impl Remote {
    /// A client; a token made here has `role`.
    pub(crate) fn client(&self, role: Role) -> Result<Client> {
        let base: Url = self
            .url
            .parse()
            .with_context(|| format!("--url {:?}", self.url))?;
        ensure!(
            ["http", "https"].contains(&base.scheme()) && base.has_host(),
            "--url {:?} is not http://… or https://…",
            self.url
        );
        let token = match &self.token {
            Some(token) => token.clone(),
            None => Bearer(own_token(role)?),
        };
        // An error means that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            // The record tells the terminal from a page by it.
            .user_agent(concat!("signalroom/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("the HTTP client")?;
        Ok(Client { http, base, token })
    }
}

/// A token signed with the secret of this folder.
fn own_token(role: Role) -> Result<String> {
    let settings = vars::read(".".as_ref(), |name| std::env::var(name).ok())?;
    let verifier = super::verifier(&settings).context(
        "no token: give one with --token, or run this where `signalroom serve` was started",
    )?;
    super::sign(&verifier, &super::user(), role, TTL)
}

impl Client {
    /// The address of `path`, given as segments, below the server's own. Each is escaped; one that
    /// would lead elsewhere all the same is refused.
    pub(crate) fn url(&self, path: &[&str]) -> Result<Url> {
        for segment in path {
            // The parser drops controls too, and may then find dots.
            let vanishes = ["", ".", ".."].contains(segment) || segment.contains(char::is_control);
            ensure!(!vanishes, "{segment:?} cannot be a part of an address");
        }
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| anyhow!("--url {:?} has no path", self.base.as_str()))?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }

    /// The token it asks with.
    pub(crate) fn token(&self) -> &str {
        &self.token.0
    }

    /// A request to `/api/v1/…`.
    pub(crate) fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder> {
        let path: Vec<&str> = ["api", "v1"].iter().chain(path).copied().collect();
        Ok(self
            .http
            .request(method, self.url(&path)?)
            .bearer_auth(self.token()))
    }

    /// Sends a request and reads the JSON of its answer.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Value> {
        let answer = self.fetch(request).await?;
        let server = self.base.origin().ascii_serialization();
        serde_json::from_str(&answer.text)
            .with_context(|| format!("{server} did not answer in JSON"))
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn fetch(&self, request: RequestBuilder) -> Result<Fetched> {
        let server = self.base.origin().ascii_serialization();
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                bail!(
                    "cannot reach {server}; is it running? ({})",
                    innermost(&error)
                )
            }
            Err(error) => bail!("no answer from {server}: {}", innermost(&error)),
        };
        if response.headers().contains_key(DATA_HEADER) {
            eprintln!("generated data: none of it is real");
        }
        let status = response.status();
        let link = response.headers().get(reqwest::header::LINK).cloned();
        let text = response.text().await.context("the answer broke off")?;
        if !status.is_success() {
            bail!("{}", problem(status, &text));
        }
        let next_cursor = match link {
            None => None,
            Some(link) => {
                let cursor = link.to_str().ok().and_then(|link| self.cursor_of(link));
                Some(cursor.with_context(|| format!("{server} links to no next page"))?)
            }
        };
        Ok(Fetched { text, next_cursor })
    }

    /// The cursor in a link to a next page.
    fn cursor_of(&self, link: &str) -> Option<String> {
        let path = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
        let url = self.base.join(path).ok()?;
        let cursor = url.query_pairs().find(|(name, _)| name == "cursor");
        cursor.map(|(_, cursor)| cursor.into_owned())
    }
}

/// What a refusal says, in one line.
fn problem(status: reqwest::StatusCode, text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    let part = |name: &str| problem[name].as_str().filter(|text| !text.is_empty());
    let mut line = match (part("title"), part("detail")) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        (Some(only), None) | (None, Some(only)) => only.to_owned(),
        (None, None) => format!("the server answered {status}"),
    };
    if let Some(pointer) = part("pointer") {
        line.push_str(&format!(" ({pointer})"));
    }
    line.replace(['\n', '\r'], " ")
}

/// The first cause, without the address that reqwest puts around it.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    fn client(base: &str) -> Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client {
            http: reqwest::Client::new(),
            base: base.parse().unwrap(),
            token: Bearer(String::new()),
        }
    }

    #[test]
    fn every_segment_of_a_path_stays_one() {
        for base in ["http://h", "http://h/", "https://h/desk", "https://h/desk/"] {
            let client = client(base);
            for name in [
                "^GSPC", "a/b", "a\\b", "a?b#c", "%2e%2e", "...", "é 1", "a%2Fb", ";x",
            ] {
                let url = client.url(&["users", name, "revoke"]).unwrap();
                let mut segments = url.path_segments().unwrap().rev();
                assert_eq!(segments.next(), Some("revoke"), "{url}");
                let sent = segments.next().unwrap_or_default();
                let read: Url = format!("http://h/?{sent}").parse().unwrap();
                let read = read.query_pairs().next().map(|(name, _)| name.into_owned());
                assert_eq!(read.as_deref(), Some(name), "{url}");
                assert_eq!(segments.next(), Some("users"), "{url}");
                assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
            }
            for name in ["", ".", "..", ".\t.", ".\n", "\r.."] {
                assert!(client.url(&["users", name, "revoke"]).is_err(), "{name:?}");
            }
        }
    }

    #[test]
    fn a_problem_is_one_line() {
        let text = r#"{"title":"Invalid","detail":"No\nsuch status.","pointer":"/status"}"#;
        let line = problem(StatusCode::UNPROCESSABLE_ENTITY, text);
        assert_eq!(line, "Invalid: No such status. (/status)");
        let line = problem(StatusCode::BAD_GATEWAY, "<html>");
        assert_eq!(line, "the server answered 502 Bad Gateway");
    }
}
