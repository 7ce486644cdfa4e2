//! `signalroom import`: sends a file of daily bars in chunks.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, header};
use serde_json::Value;
use signalroom_core::auth::Role;
use signalroom_core::symbol::Symbol;

use super::client::Remote;
use super::say;

/// Rows in one request.
const CHUNK_ROWS: usize = 5_000;
/// Bytes in one request, about; its limit is 16 MB.
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// What to send where.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Symbol the bars are of
    symbol: Symbol,
    /// CSV with the columns date, open, high, low, close, volume
    file: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

/// What became of the rows.
#[derive(Debug, Default)]
struct Outcome {
    accepted: u64,
    replaced: u64,
    unchanged: u64,
    rejected: Vec<(u64, String)>,
}

impl Import {
    pub(crate) async fn run(self) -> Result<bool> {
        let file = self.file.display();
        let content = std::fs::read(&self.file).with_context(|| file.to_string())?;
        let client = self.remote.client(Role::Service)?;
        let chunks = chunks(&content, CHUNK_ROWS, CHUNK_BYTES);
        let bar = progress(&self.symbol, chunks.iter().map(|chunk| chunk.rows).sum());
        let mut outcome = Outcome::default();
        for chunk in chunks {
            let request = client
                .request(Method::PUT, &["symbols", self.symbol.as_str(), "bars"])?
                .header(header::CONTENT_TYPE, "text/csv")
                .body(chunk.body);
            let sent = client.send(request).await;
            let answer = sent.inspect_err(|_| bar.finish_and_clear())?;
            outcome.add(&answer, chunk.first_line);
            bar.inc(chunk.rows);
        }
        bar.finish_and_clear();
        outcome.print(&self.symbol)?;
        Ok(outcome.accepted + outcome.replaced + outcome.unchanged > 0)
    }
}

impl Outcome {
    /// Adds an answer about a chunk, whose line 2 is `first_line` of the file.
    fn add(&mut self, answer: &Value, first_line: u64) {
        let count = |name: &str| answer[name].as_u64().unwrap_or_default();
        self.accepted += count("accepted");
        self.replaced += count("replaced");
        self.unchanged += count("unchanged");
        for row in answer["rejected"].as_array().into_iter().flatten() {
            let line = row["line"].as_u64().unwrap_or_default();
            let reason = row["reason"].as_str().unwrap_or_default();
            self.rejected
                .push(((line + first_line).saturating_sub(2), reason.to_owned()));
        }
    }

    fn print(&self, symbol: &Symbol) -> Result<()> {
        let Self {
            accepted,
            replaced,
            unchanged,
            rejected,
        } = self;
        say(format_args!(
            "{symbol}: {accepted} accepted, {replaced} replaced, {unchanged} unchanged, {} rejected",
            rejected.len()
        ))?;
        for (line, reason) in rejected {
            say(format_args!("  line {line}: {reason}"))?;
        }
        Ok(())
    }
}

/// A part of the file with the header before it.
#[derive(Debug, PartialEq)]
struct Chunk {
    body: Vec<u8>,
    /// Number in the file of the line that is the chunk's second.
    first_line: u64,
    rows: u64,
}

/// Cuts a file between its lines. Even an empty file is one chunk: what is wrong with it is the
/// server's to say.
fn chunks(content: &[u8], most_rows: usize, most_bytes: usize) -> Vec<Chunk> {
    let mut lines = lines(content);
    let header = lines.next().unwrap_or_default();
    let fresh = |first_line| Chunk {
        body: header.to_vec(),
        first_line,
        rows: 0,
    };
    let mut chunks = Vec::new();
    let mut chunk = fresh(2);
    for (number, line) in (2..).zip(lines) {
        let full = chunk.rows as usize >= most_rows || chunk.body.len() + line.len() > most_bytes;
        if full && chunk.rows > 0 {
            chunks.push(std::mem::replace(&mut chunk, fresh(number)));
        }
        chunk.body.extend_from_slice(line);
        chunk.rows += 1;
    }
    chunks.push(chunk);
    chunks
}

/// Physical lines with their ends, counted as the server counts them: CR, LF or both end one.
fn lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let length = match end {
            Some(end) if rest[end..].starts_with(b"\r\n") => end + 2,
            Some(end) => end + 1,
            None => rest.len(),
        };
        let (line, after) = rest.split_at(length);
        rest = after;
        Some(line)
    })
}

fn progress(symbol: &Symbol, rows: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{wide_bar}] {pos}/{len} rows, {eta} left");
    let bar = ProgressBar::new(rows).with_prefix(symbol.to_string());
    // Drawn on stderr, and only when that is a terminal.
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_carry_the_header_and_know_their_lines() {
        let cut = chunks(b"h\n1\r\n2\r3\n4", 2, 1_000);
        let expected = [(&b"h\n1\r\n2\r"[..], 2, 2), (&b"h\n3\n4"[..], 4, 2)];
        let found: Vec<_> = cut
            .iter()
            .map(|c| (&c.body[..], c.first_line, c.rows))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(
            chunks(b"", 2, 1_000),
            [Chunk {
                body: vec![],
                first_line: 2,
                rows: 0
            }]
        );
        assert_eq!(chunks(b"h\nlong line\nx\n", 9, 5).len(), 2);
    }

    #[test]
    fn rejected_lines_are_those_of_the_file() {
        let mut outcome = Outcome::default();
        let answer = serde_json::json!({"accepted": 1, "rejected": [{"line": 3, "reason": "r"}]});
        outcome.add(&answer, 2);
        outcome.add(&answer, 5_002);
        assert_eq!(outcome.accepted, 2);
        assert_eq!(
            outcome.rejected,
            [(3, "r".to_owned()), (5_003, "r".to_owned())]
        );
    }
}
