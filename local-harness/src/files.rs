//! Static files: the page and what it needs, compiled in, with the headers of `_headers`.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;

use crate::http::plain;

/// Path, content type, content.
type File = (&'static str, &'static str, &'static str);

const PAGE: &str = include_str!("../../static/index.html");
const FILES: [File; 3] = [
    ("/", "text/html; charset=utf-8", PAGE),
    ("/signals", "text/html; charset=utf-8", PAGE),
    (
        "/style.css",
        "text/css; charset=utf-8",
        include_str!("../../static/style.css"),
    ),
];
const HEADERS: &str = include_str!("../../static/_headers");

/// The file at `path`, or the answer that there is none.
pub(crate) fn serve(method: &Method, path: &str) -> Response<Full<Bytes>> {
    let Some((_, kind, content)) = FILES.iter().find(|(at, _, _)| *at == path) else {
        return plain(StatusCode::NOT_FOUND, "not found\n");
    };
    if method != Method::GET && method != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
        refused
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let mut response = Response::new(Full::from(*content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // As Workers' static assets have it.
    let fresh = HeaderValue::from_static("public, max-age=0, must-revalidate");
    headers.insert(header::CACHE_CONTROL, fresh);
    for (name, value) in headers_of(path, HEADERS) {
        headers.insert(name, value);
    }
    response
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
mod tests {
    use super::*;

    #[test]
    fn rules_apply_to_their_paths_alone() {
        let text = "# all\n/*\n  X-One: a: b\n\n/assets/*\n  X-Two: 2\n/page\n  X-Three: 3\n";
        let names = |path| {
            let found = headers_of(path, text);
            found
                .into_iter()
                .map(|(name, _)| name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("/"), ["x-one"]);
        assert_eq!(names("/assets/a.js"), ["x-one", "x-two"]);
        assert_eq!(names("/page"), ["x-one", "x-three"]);
        assert_eq!(headers_of("/", text)[0].1, "a: b");
    }

    #[test]
    fn every_file_has_the_policies() {
        for (path, _, _) in FILES {
            let response = serve(&Method::GET, path);
            assert_eq!(response.status(), 200);
            assert!(
                response.headers().contains_key("content-security-policy"),
                "{path}"
            );
        }
        assert_eq!(serve(&Method::GET, "/none").status(), 404);
        assert_eq!(serve(&Method::POST, "/").status(), 405);
    }
}
