//! An answer as it is put together, and what is made of it before it is sent.

use signalroom_core::time::Millis;

use super::fault::Fault;

/// An answer that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type", kind.to_owned())],
            body: body.into(),
        }
    }

    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    pub fn csv(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "text/csv", body)
    }

    pub fn text(status: u16, body: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    pub fn page() -> Self {
        let page = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Before you continue</title></head>\
            <body><h1>One moment</h1><p>Please confirm that you are no robot.</p></body></html>\n";
        Self::new(200, "text/html; charset=utf-8", page)
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Names its version, so that it can be asked for conditionally.
    #[must_use]
    pub fn versioned(self, modified: Millis) -> Self {
        let etag = format!("\"{:016x}\"", fnv(&self.body));
        self.with("etag", etag)
            .with("last-modified", http_date(modified))
    }

    /// This answer, or 304 when the request named its version (RFC 9110, 13.2.2: the tag decides
    /// where there is one).
    #[must_use]
    pub fn unless_known(self, header: impl Fn(&str) -> Option<String>) -> Self {
        let own = |name: &str| {
            let named = self.headers.iter().find(|(held, _)| *held == name);
            named.map(|(_, value)| value.clone())
        };
        let (tag, modified) = (own("etag"), own("last-modified"));
        let known = match header("if-none-match") {
            Some(_) if self.status != 200 => false,
            Some(tags) => tag.is_some_and(|tag| tags.contains(tag.as_str())),
            None => modified.is_some() && header("if-modified-since") == modified,
        };
        if !known {
            return self;
        }
        let mut headers = self.headers;
        headers.retain(|(name, _)| *name != "content-type");
        Self {
            status: 304,
            headers,
            body: Vec::new(),
        }
    }

    /// The first part of it.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.body.truncate(self.body.len() * 3 / 5);
        self
    }
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A time as HTTP writes it.
pub(super) fn http_date(at: Millis) -> String {
    at.to_utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// What a row's numbers are shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Numbers,
    Nulls,
    Nan,
}

/// Does to rows what `fault` asks for; `swap` makes one absurd. Says how each is to be shown.
pub(super) fn damaged<T: Clone>(
    rows: Vec<T>,
    fault: Option<Fault>,
    absurd: impl Fn(&mut T),
) -> Vec<(T, Shown)> {
    let mut rows: Vec<(T, Shown)> = rows.into_iter().map(|row| (row, Shown::Numbers)).collect();
    let middle = rows.len() / 2;
    match fault {
        Some(Fault::Empty) => rows.clear(),
        Some(Fault::Unordered) => rows.reverse(),
        Some(Fault::Duplicated) => {
            let twice = |(at, row): (usize, (T, Shown))| {
                let times = if at.is_multiple_of(50) || at == middle {
                    2
                } else {
                    1
                };
                std::iter::repeat_n(row, times)
            };
            rows = rows.into_iter().enumerate().flat_map(twice).collect();
        }
        Some(Fault::Nulls | Fault::Nan | Fault::Absurd) => {
            if let Some((row, shown)) = rows.get_mut(middle) {
                match fault {
                    Some(Fault::Nulls) => *shown = Shown::Nulls,
                    Some(Fault::Nan) => *shown = Shown::Nan,
                    _ => absurd(row),
                }
            }
        }
        _ => {}
    }
    rows
}
