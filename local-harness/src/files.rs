//! Static files: a folder held in memory, with the headers of its `_headers`.
//!
//! Answers as Workers' static assets do. Nothing is looked up on the disk by what a client sends:
//! a path is a key of a map or unknown.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;

use crate::http::plain;

/// The page's entry, and its second address.
const ENTRY: &str = "/index.html";
const SECOND: &str = "/signals.html";

/// Smaller answers are not worth compressing, bytes.
const COMPRESSED_FROM: usize = 1024;

/// A folder of static files.
#[derive(Debug)]
pub(crate) struct Files {
    /// By the path within the folder, which begins with a slash.
    files: BTreeMap<String, File>,
    /// The text of `_headers`.
    rules: String,
}

#[derive(Debug)]
struct File {
    kind: &'static str,
    content: Bytes,
    /// Only where it is smaller.
    gzipped: Option<Bytes>,
    /// Of the content as it is, without quotes.
    tag: String,
}

/// What a path leads to.
enum Found<'a> {
    File(&'a File),
    /// The one address of that file.
    Elsewhere(String),
    Nothing,
}

impl Files {
    /// Reads all of `folder`, which must have an `index.html`.
    ///
    /// # Errors
    /// The system's, naming the file.
    pub(crate) fn load(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        collect(folder, "", &mut files)?;
        let rules = match files.remove("/_headers") {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => String::new(),
        };
        let entry = files.get(ENTRY).cloned().ok_or_else(|| {
            let missing = folder.join("index.html");
            io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is not there", missing.display()),
            )
        })?;
        files.insert(SECOND.to_owned(), entry);
        let files = files
            .into_iter()
            .map(|(path, content)| {
                let file = File::new(&path, content);
                (path, file)
            })
            .collect();
        Ok(Self { files, rules })
    }

    /// The file at `path`, or the answer that there is none.
    pub(crate) fn serve(
        &self,
        method: &Method,
        path: &str,
        asked: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        let file = match self.find(path) {
            Found::Nothing => return plain(StatusCode::NOT_FOUND, "not found\n"),
            _ if method != Method::GET && method != Method::HEAD => {
                return not_allowed();
            }
            Found::Elsewhere(address) => return redirect(&address),
            Found::File(file) => file,
        };
        let mut response = file.answer(asked);
        let headers = response.headers_mut();
        // As Workers' static assets have it, unless a rule says otherwise.
        let fresh = HeaderValue::from_static("public, max-age=0, must-revalidate");
        headers.insert(header::CACHE_CONTROL, fresh);
        let mut named = Vec::new();
        for (name, value) in headers_of(path, &self.rules) {
            // Not over plain HTTP, which is all that is spoken here (RFC 6797 section 7.2).
            if name == header::STRICT_TRANSPORT_SECURITY {
                continue;
            }
            // A second rule adds to the first, it does not replace it.
            if named.contains(&name) {
                headers.append(name, value);
            } else {
                headers.insert(name.clone(), value);
                named.push(name);
            }
        }
        response
    }

    /// Pages are without `.html`, folders without `index.html`, and nothing ends with a slash.
    fn find(&self, path: &str) -> Found<'_> {
        let of = |path: &str| self.files.get(path);
        if path == "/" {
            return of(ENTRY).map_or(Found::Nothing, Found::File);
        }
        if let Some(bare) = path.strip_suffix("/index") {
            let exists = of(&format!("{bare}{ENTRY}")).is_some();
            return elsewhere(exists, bare);
        }
        if let Some(bare) = path.strip_suffix(ENTRY) {
            return elsewhere(of(path).is_some(), bare);
        }
        if let Some(bare) = path.strip_suffix(".html") {
            return elsewhere(of(path).is_some(), bare);
        }
        if let Some(bare) = path.strip_suffix('/') {
            return elsewhere(of(&format!("{bare}.html")).is_some(), bare);
        }
        let file = of(path).or_else(|| of(&format!("{path}.html")));
        file.map_or(Found::Nothing, Found::File)
    }
}

fn elsewhere(exists: bool, bare: &str) -> Found<'static> {
    let address = if bare.is_empty() { "/" } else { bare };
    match exists {
        true => Found::Elsewhere(address.to_owned()),
        false => Found::Nothing,
    }
}

impl File {
    fn new(path: &str, content: Bytes) -> Self {
        let kind = kind(path);
        // Tells versions of one file apart; nobody gains by a collision.
        let mut hasher = DefaultHasher::new();
        hasher.write(&content);
        let text = kind.contains("text/") || kind.contains("json") || kind.contains("svg");
        let gzipped = (text && content.len() >= COMPRESSED_FROM)
            .then(|| gzip(&content))
            .flatten();
        Self {
            kind,
            gzipped,
            tag: format!("{:016x}", hasher.finish()),
            content,
        }
    }

    /// 200 with the content, or 304.
    fn answer(&self, asked: &HeaderMap) -> Response<Full<Bytes>> {
        let gzipped = self.gzipped.as_ref().filter(|_| accepts_gzip(asked));
        let mut response = Response::new(Full::default());
        let headers = response.headers_mut();
        // Equal content, another encoding: only a weak tag may name both.
        let tag = match gzipped {
            Some(_) => format!("W/\"{}\"", self.tag),
            None => format!("\"{}\"", self.tag),
        };
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        if self.gzipped.is_some() {
            let vary = HeaderValue::from_static("accept-encoding");
            headers.insert(header::VARY, vary);
        }
        if self.is_held(asked) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        if gzipped.is_some() {
            let encoding = HeaderValue::from_static("gzip");
            headers.insert(header::CONTENT_ENCODING, encoding);
        }
        *response.body_mut() = Full::new(gzipped.unwrap_or(&self.content).clone());
        response
    }

    /// Whether the client says that it has this very content.
    fn is_held(&self, asked: &HeaderMap) -> bool {
        let held = asked.get_all(header::IF_NONE_MATCH).into_iter();
        held.filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'))
            .any(|tag| tag == self.tag || tag == "*")
    }
}

fn kind(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("ico") => "image/vnd.microsoft.icon",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// `None` when it would not be smaller.
fn gzip(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    let gzipped = encoder.finish().ok()?;
    (gzipped.len() < content.len()).then(|| gzipped.into())
}

fn accepts_gzip(asked: &HeaderMap) -> bool {
    let offers = asked.get_all(header::ACCEPT_ENCODING).into_iter();
    offers
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|offer| {
            let (name, weight) = offer.split_once(';').unwrap_or((offer, "q=1"));
            let weight = weight
                .trim()
                .strip_prefix("q=")
                .and_then(|q| q.parse().ok());
            name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|q: f32| q > 0.0)
        })
}

fn not_allowed() -> Response<Full<Bytes>> {
    let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
    let allowed = HeaderValue::from_static("GET, HEAD");
    refused.headers_mut().insert(header::ALLOW, allowed);
    refused
}

fn redirect(address: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(address) = HeaderValue::try_from(address) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

/// Every regular file below `folder`, but hidden ones; what is linked from elsewhere is left out.
fn collect(folder: &Path, path: &str, files: &mut BTreeMap<String, Bytes>) -> io::Result<()> {
    let named = |path: &Path, error: io::Error| {
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    };
    for entry in std::fs::read_dir(folder).map_err(|error| named(folder, error))? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let (file, path) = (entry.path(), format!("{path}/{name}"));
        if kind.is_dir() {
            collect(&file, &path, files)?;
        } else if kind.is_file() {
            let content = std::fs::read(&file).map_err(|error| named(&file, error))?;
            files.insert(path, content.into());
        }
    }
    Ok(())
}

/// The headers that a `_headers` file gives `path`: rules are unindented paths, `*` at their end
/// matches anything, and the indented lines below are theirs.
/// <https://developers.cloudflare.com/workers/static-assets/headers/>
fn headers_of(path: &str, text: &str) -> Vec<(HeaderName, HeaderValue)> {
    let mut found = Vec::new();
    let mut applies = false;
    for line in text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
    {
        if !line.starts_with([' ', '\t']) {
            let rule = line.trim();
            applies = match rule.strip_suffix('*') {
                Some(start) => !rule.is_empty() && path.starts_with(start),
                None => path == rule,
            };
        } else if applies && let Some((name, value)) = line.trim().split_once(':') {
            let header = (name.trim().parse(), HeaderValue::try_from(value.trim()));
            if let (Ok(name), Ok(value)) = header {
                found.push((name, value));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
