//! `signalroom import`: sends a file of daily bars.
//!
//! The file is read here, whole, by the same reader as a request's body, and what it says is sent:
//! which row is the header, which of two rows of one date counts and which row is bad does not
//! depend on where one request ends and the next begins.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Method, RequestBuilder, header};
use serde_json::Value;
use signalroom_core::auth::Role;
use signalroom_core::signals::Bar;
use signalroom_core::signals::parse::{
    Format, ParsedFile, Rejected, header_line, parse_file, to_csv,
};
use signalroom_core::symbol::Symbol;

use super::client::{Client, Remote};
use super::say;

/// Bars in one request: a quarter of the rows that a server takes, and under its 16 MB whatever
/// the numbers are.
const CHUNK_ROWS: usize = 5_000;

/// What to send where.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Symbol the bars are of
    symbol: Symbol,
    /// CSV with the columns date, open, high, low, close, volume; or JSON, an array of such bars
    file: PathBuf,
    #[command(flatten)]
    remote: Remote,
}

/// What became of the rows.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    accepted: u64,
    replaced: u64,
    unchanged: u64,
    rejected: Vec<Rejected>,
}

impl Import {
    /// False when a row was rejected, or there was none.
    pub(crate) async fn run(self) -> Result<bool> {
        let name = self.file.display();
        let content = std::fs::read(&self.file).with_context(|| name.to_string())?;
        let ParsedFile {
            format,
            bars,
            rejected,
        } = parse_file(&content).map_err(|error| {
            let place = match Format::of(&content) {
                Format::Csv => format!("line {}: ", header_line(&content)),
                Format::Json => String::new(),
            };
            anyhow!("{name}: {place}{error}; nothing was sent")
        })?;
        drop(content);
        let client = self.remote.client(Role::Service)?;
        let mut outcome = Outcome {
            rejected,
            ..Outcome::default()
        };
        let sent = self.send(&client, &bars, &mut outcome).await;
        outcome.rejected.sort_by_key(|row| row.line);
        outcome.print(&self.symbol, format)?;
        sent?;
        if !outcome.rejected.is_empty() {
            let rows = outcome.rejected.len();
            eprintln!("{rows} rows of {name} are not stored; correct them and import it again");
        }
        Ok(outcome.rejected.is_empty() && outcome.stored() > 0)
    }

    /// Sends the bars in parts, and says how far it came when one fails.
    async fn send(
        &self,
        client: &Client,
        bars: &[(u64, Bar)],
        outcome: &mut Outcome,
    ) -> Result<()> {
        let progress = progress(&self.symbol, bars.len() as u64);
        let mut done = 0;
        for chunk in bars.chunks(CHUNK_ROWS) {
            let answer = match self.request(client, chunk) {
                Ok(request) => client.send(request).await,
                Err(error) => Err(error),
            };
            let counted = answer.and_then(|answer| outcome.add(&answer, chunk));
            if let Err(error) = counted {
                progress.finish_and_clear();
                return Err(error.context(stopped(bars, done)));
            }
            done += chunk.len();
            progress.inc(chunk.len() as u64);
        }
        progress.finish_and_clear();
        Ok(())
    }

    fn request(&self, client: &Client, chunk: &[(u64, Bar)]) -> Result<RequestBuilder> {
        Ok(client
            .request(Method::PUT, &["symbols", self.symbol.as_str(), "bars"])?
            .header(header::CONTENT_TYPE, "text/csv")
            .body(to_csv(chunk.iter().map(|(_, bar)| bar))))
    }
}

/// What to know when only the first `done` bars were answered for.
fn stopped(bars: &[(u64, Bar)], done: usize) -> String {
    let from = bars.get(done).map(|(_, bar)| bar.date);
    let from = from.map_or_else(String::new, |date| format!(" from {date} on"));
    format!(
        "{done} of {} bars were sent; those{from} may not be stored: import the file again, which \
         leaves what is stored as it is",
        bars.len()
    )
}

impl Outcome {
    /// Adds an answer about a chunk, whose first bar was on line 2 of its request.
    fn add(&mut self, answer: &Value, chunk: &[(u64, Bar)]) -> Result<()> {
        let count = |name: &str| {
            let count = answer[name].as_u64();
            count.with_context(|| format!("the answer has no number {name:?}"))
        };
        let counts = [count("accepted")?, count("replaced")?, count("unchanged")?];
        let rejected: Vec<Rejected> = serde_json::from_value(answer["rejected"].clone())
            .context("the answer has no list \"rejected\"")?;
        let told = counts.iter().sum::<u64>() + rejected.len() as u64;
        ensure!(
            told == chunk.len() as u64,
            "the server answered for {told} of {} bars",
            chunk.len()
        );
        for row in rejected {
            let place = row
                .line
                .checked_sub(2)
                .and_then(|at| usize::try_from(at).ok());
            let (line, _) = place
                .and_then(|at| chunk.get(at))
                .with_context(|| format!("the answer names line {}, which is no bar", row.line))?;
            self.rejected.push(Rejected { line: *line, ..row });
        }
        let [accepted, replaced, unchanged] = counts;
        self.accepted += accepted;
        self.replaced += replaced;
        self.unchanged += unchanged;
        Ok(())
    }

    fn stored(&self) -> u64 {
        self.accepted + self.replaced + self.unchanged
    }

    fn print(&self, symbol: &Symbol, format: Format) -> Result<()> {
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
        let place = match format {
            Format::Csv => "line",
            Format::Json => "bar",
        };
        for Rejected { line, reason } in rejected {
            say(format_args!("  {place} {line}: {reason}"))?;
        }
        Ok(())
    }
}

fn progress(symbol: &Symbol, rows: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{wide_bar}] {pos}/{len} bars, {eta} left");
    let bar = ProgressBar::new(rows).with_prefix(symbol.to_string());
    // Drawn on stderr, and only when that is a terminal.
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use signalroom_core::signals::parse::{MAX_ROWS, parse_csv, parse_json};
    use signalroom_core::time::parse_date;

    use super::*;

    const TODAY: &str = "2020-06-01";

    /// What a server that holds nothing says to a body.
    fn answer(body: &str, held: &mut Vec<Bar>) -> Value {
        let parsed = parse_csv(body.as_bytes(), parse_date(TODAY).unwrap()).unwrap();
        held.extend(&parsed.bars);
        json!({
            "accepted": parsed.bars.len(), "replaced": 0, "unchanged": 0,
            "rejected": parsed.rejected,
        })
    }

    /// What a file comes to in requests of so many bars, and what is held then.
    fn in_parts(content: &[u8], rows: usize) -> (Outcome, Vec<Bar>) {
        let file = parse_file(content).unwrap();
        let mut outcome = Outcome {
            rejected: file.rejected,
            ..Outcome::default()
        };
        let mut held = Vec::new();
        for chunk in file.bars.chunks(rows) {
            let body = to_csv(chunk.iter().map(|(_, bar)| bar));
            outcome.add(&answer(&body, &mut held), chunk).unwrap();
        }
        outcome.rejected.sort_by_key(|row| row.line);
        (outcome, held)
    }

    fn number() -> impl Strategy<Value = String> {
        prop_oneof![
            8 => (1_u32..100_000).prop_map(|cents| format!("{}", f64::from(cents) / 100.0)),
            2 => any::<f64>().prop_map(|it| format!("{}", it.abs())),
            1 => Just("1e-3".to_owned()),
            1 => Just("x".to_owned()),
            1 => Just(String::new()),
        ]
    }

    prop_compose! {
        /// Few dates, so that many come twice; a few are none, or yet to come.
        fn row()(day in 0_u32..40, low in number(), high in number(), volume in number()) -> String {
            let date = match day {
                0 => "soon".to_owned(),
                1 => "2020-06-02".to_owned(),
                day => format!("19{day:02}-01-31"),
            };
            format!("{date},{low},{high},{low},{low},{volume}")
        }
    }

    prop_compose! {
        fn csv()(
            start in "(\u{feff})?([ \t]?(\r\n|\n|\r)){0,3}",
            rows in proptest::collection::vec((row(), "(\r\n|\n|\r| \n\n)"), 0..60),
        ) -> String {
            let mut csv = format!("{start}date,open,high,low,close,volume\n");
            rows.iter().for_each(|(row, end)| csv.extend([row.as_str(), end]));
            csv
        }
    }

    proptest! {
        #[test]
        fn file_in_parts_comes_to_the_same_as_in_one_request(csv in csv(), rows in 1_usize..70) {
            let whole = parse_csv(csv.as_bytes(), parse_date(TODAY).unwrap()).unwrap();
            let (outcome, held) = in_parts(csv.as_bytes(), rows);
            prop_assert_eq!(&held, &whole.bars);
            prop_assert_eq!(outcome.accepted, whole.bars.len() as u64);
            let places = |rows: &[Rejected]| rows.iter().map(|row| row.line).collect::<Vec<_>>();
            prop_assert_eq!(places(&outcome.rejected), places(&whole.rejected));
            // What is wrong with a row twice over may be said either way.
            if !csv.contains("2020-06-02") {
                prop_assert_eq!(outcome.rejected, whole.rejected);
            }
        }

        #[test]
        fn json_comes_to_the_same_as_in_one_request(csv in csv(), rows in 1_usize..70) {
            let bars: Vec<Bar> = parse_file(csv.as_bytes()).unwrap().bars
                .into_iter().map(|(_, bar)| bar).collect();
            let twice = bars.repeat(2);
            let json = format!("\u{feff}\n{}", json!({ "bars": twice }));
            let whole = parse_json(json.as_bytes(), parse_date(TODAY).unwrap()).unwrap();
            let (outcome, held) = in_parts(json.as_bytes(), rows);
            prop_assert_eq!(held, whole.bars);
            prop_assert_eq!(outcome.rejected.len(), whole.rejected.len());
        }
    }

    #[test]
    fn file_may_have_more_rows_than_a_request() {
        let mut csv = "\n\ndate,open,high,low,close,volume\n".to_owned();
        let first = parse_date("1900-01-01").unwrap();
        for date in first.iter_days().take(MAX_ROWS + 1) {
            csv.push_str(&format!("{date},1,2,1,2,3\n"));
        }
        // The first counts, however far the second is.
        csv.push_str(&format!("{first},9,9,9,9,9\n"));
        let (outcome, held) = in_parts(csv.as_bytes(), CHUNK_ROWS);
        assert_eq!((held.len(), held[0].open), (MAX_ROWS + 1, 1.0));
        let [row] = outcome.rejected.as_slice() else {
            panic!("{outcome:?}");
        };
        assert_eq!(row.line as usize, 3 + MAX_ROWS + 2);
    }

    #[test]
    fn chunk_is_small_enough_whatever_its_numbers() {
        let widest = Bar {
            date: parse_date("9999-12-31").unwrap(),
            open: -f64::MIN_POSITIVE,
            high: -f64::MAX,
            low: -f64::MAX,
            close: -f64::MAX,
            volume: -f64::MAX,
        };
        let body = to_csv(std::iter::repeat_n(&widest, CHUNK_ROWS));
        assert!(body.len() < signalroom_core::wire::limits::MAX_BARS_BODY / 4);
    }

    #[test]
    fn answer_has_to_account_for_every_bar() {
        let file = parse_file(b"date,open,high,low,close,volume\n2020-01-02,1,2,1,2,3\n").unwrap();
        let mut outcome = Outcome::default();
        for bad in [
            json!({}),
            json!({"accepted": 0, "replaced": 0, "unchanged": 0, "rejected": []}),
            json!({"accepted": 1, "replaced": 0, "unchanged": 0}),
            json!({"accepted": 0, "replaced": 0, "unchanged": 0,
                "rejected": [{"line": 1, "reason": "r"}]}),
            json!({"accepted": 0, "replaced": 0, "unchanged": 0,
                "rejected": [{"line": 3, "reason": "r"}]}),
        ] {
            assert!(outcome.add(&bad, &file.bars).is_err(), "{bad}");
            assert_eq!(outcome, Outcome::default());
        }
        assert_eq!(
            stopped(&file.bars, 0),
            "0 of 1 bars were sent; those from 2020-01-02 on may not be stored: import the file \
             again, which leaves what is stored as it is"
        );
    }
}
