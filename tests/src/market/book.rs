//! What the local provider knows of symbols: bars, what happened to them, and until when.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::{Days, NaiveDate};
use signalroom_core::calendar;
use signalroom_core::signals::{Bar, parse_csv};
use signalroom_core::time::Millis;
use signalroom_harness::generated::Walk;

/// The name a symbol is held under: providers differ in case, and in `.` and `-` for a class of
/// shares.
pub(super) fn key(symbol: &str) -> String {
    symbol.to_ascii_uppercase().replace('.', "-")
}

/// A symbol that nobody asks for, whose data stand for another's.
pub(super) const STRANGER: &str = "STRANGER";

/// How far the provider's clock has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    /// The time.
    pub now: Millis,
    /// The newest session that is shown.
    pub newest: NaiveDate,
    /// How much of it is over, in [0, 1].
    pub share: f64,
}

impl View {
    /// At `now`, and nothing after `through`.
    pub fn at(now: Millis, through: Option<NaiveDate>) -> Self {
        let today = now.date();
        let last = through.map_or(today, |through| through.min(today));
        let begun = |date: &NaiveDate| calendar::session(*date).is_some_and(|it| it.open <= now);
        let newest = calendar::sessions(last - Days::new(14), last)
            .rev()
            .find(begun)
            .unwrap_or(last - Days::new(14));
        let share = calendar::session(newest).map_or(1.0, |session| {
            let (passed, all) = (now.0 - session.open.0, session.close.0 - session.open.0);
            // In steps of a hundredth, so that two requests in a row agree.
            ((passed * 100 / all.max(1)).clamp(1, 100) as f64) / 100.0
        });
        Self { now, newest, share }
    }

    /// The newest session whose bar is final.
    pub fn newest_final(&self) -> NaiveDate {
        self.newest.min(calendar::newest_due(self.now))
    }
}

/// A day of a symbol, in the three ways that providers show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// As it was traded.
    pub raw: Bar,
    /// Divided by every later split.
    pub split_adjusted: Bar,
    /// By dividends too.
    pub adjusted: Bar,
    /// The dividend of that day, per share of then.
    pub dividend: f64,
    /// New shares for an old one on that day, else 1.
    pub split: f64,
}

/// What is to be changed about a day.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Times(f64),
    Gone,
}

#[derive(Debug)]
struct Held {
    /// Where more bars come from.
    walk: Option<Walk>,
    bars: Vec<Bar>,
    /// Nothing before it.
    from: NaiveDate,
    edits: BTreeMap<NaiveDate, Edit>,
    splits: BTreeMap<NaiveDate, f64>,
    dividends: BTreeMap<NaiveDate, f64>,
    known: bool,
}

impl Held {
    fn new(walk: Option<Walk>, bars: Vec<Bar>) -> Self {
        Self {
            walk,
            bars,
            from: calendar::HISTORY_START,
            edits: BTreeMap::new(),
            splits: BTreeMap::new(),
            dividends: BTreeMap::new(),
            known: true,
        }
    }

    /// Lets the walk go on until `newest` is there.
    fn reach(&mut self, newest: NaiveDate) {
        let Some(walk) = &mut self.walk else { return };
        while self.bars.last().is_none_or(|last| last.date < newest) {
            let Some(bar) = walk.next() else { return };
            self.bars.push(bar);
        }
    }

    /// The bars as they would be without splits, corrected.
    fn bars(&self, view: &View) -> Vec<Bar> {
        let shown = self
            .bars
            .iter()
            .filter(|bar| (self.from..=view.newest).contains(&bar.date));
        let corrected = shown.filter_map(|bar| match self.edits.get(&bar.date) {
            None => Some(*bar),
            Some(Edit::Times(by)) => Some(priced(bar, *by)),
            Some(Edit::Gone) => None,
        });
        let so_far = |bar: Bar| {
            if bar.date == view.newest && view.share < 1.0 {
                partial(&bar, view.share)
            } else {
                bar
            }
        };
        corrected.map(so_far).collect()
    }

    fn rows(&self, view: &View) -> Vec<Row> {
        let bars = self.bars(view);
        // A split that has not come yet changes nothing.
        let splits = || self.splits.range(..=view.newest);
        let all: f64 = splits().map(|(_, ratio)| ratio).product();
        let mut rows = Vec::with_capacity(bars.len());
        let mut paid_later = 1.0;
        let mut until_then = all;
        let mut splits = splits().rev().peekable();
        for (at, bar) in bars.iter().enumerate().rev() {
            while let Some((_, ratio)) = splits.next_if(|(date, _)| **date > bar.date) {
                until_then /= ratio;
            }
            let split_adjusted = split(bar, all);
            let dividend = self.dividends.get(&bar.date).copied().unwrap_or(0.0);
            rows.push(Row {
                raw: split(bar, until_then),
                split_adjusted,
                adjusted: priced(&split_adjusted, paid_later),
                dividend,
                split: self.splits.get(&bar.date).copied().unwrap_or(1.0),
            });
            if let Some(before) = at.checked_sub(1).map(|before| bars[before]) {
                paid_later *= 1.0 - dividend * until_then / before.close;
            }
        }
        rows.reverse();
        rows
    }
}

fn priced(bar: &Bar, times: f64) -> Bar {
    Bar {
        open: bar.open * times,
        high: bar.high * times,
        low: bar.low * times,
        close: bar.close * times,
        ..*bar
    }
}

fn split(bar: &Bar, ratio: f64) -> Bar {
    Bar {
        volume: (bar.volume * ratio).round(),
        ..priced(bar, 1.0 / ratio)
    }
}

/// What a day looks like when `share` of it is over: its price has gone that part of the way.
fn partial(bar: &Bar, share: f64) -> Bar {
    let way = |to: f64| bar.open + (to - bar.open) * share;
    Bar {
        date: bar.date,
        open: bar.open,
        high: way(bar.high),
        low: way(bar.low),
        close: way(bar.close),
        volume: (bar.volume * share).round(),
    }
}

/// All symbols.
#[derive(Debug)]
pub(super) struct Book {
    symbols: BTreeMap<String, Held>,
    /// Whether a symbol that nobody named has bars.
    generate: bool,
}

impl Book {
    /// Every symbol has a generated series.
    pub fn generated() -> Self {
        Self {
            symbols: BTreeMap::new(),
            generate: true,
        }
    }

    /// The symbols of the `SYMBOL.csv` files in a folder, and no others.
    pub fn read(folder: &Path, today: NaiveDate) -> Result<Self> {
        let mut symbols = BTreeMap::new();
        let files = std::fs::read_dir(folder);
        for entry in files.with_context(|| format!("the folder {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_none_or(|kind| kind != "csv") {
                continue;
            }
            let name = path.file_stem().and_then(|stem| stem.to_str());
            let name = name.context("a file name that is no text")?;
            let shown = path.display();
            let text = std::fs::read(&path).with_context(|| format!("{shown}"))?;
            let mut parsed = parse_csv(&text, today).with_context(|| format!("{shown}"))?;
            ensure!(
                parsed.rejected.is_empty(),
                "{shown}: line {}: {}",
                parsed.rejected[0].line,
                parsed.rejected[0].reason
            );
            parsed.bars.sort_by_key(|bar| bar.date);
            symbols.insert(key(name), Held::new(None, parsed.bars));
        }
        ensure!(
            !symbols.is_empty(),
            "{}: no SYMBOL.csv in it",
            folder.display()
        );
        Ok(Self {
            symbols,
            generate: false,
        })
    }

    fn held(&mut self, symbol: &str) -> Option<&mut Held> {
        let key = key(symbol);
        if (self.generate || key == STRANGER) && !self.symbols.contains_key(&key) {
            let held = Held::new(Some(Walk::of(&key)), Vec::new());
            self.symbols.insert(key.clone(), held);
        }
        self.symbols.get_mut(&key)
    }

    /// All that is shown of a symbol, ascending; none when it is not known.
    pub fn rows(&mut self, symbol: &str, view: &View) -> Option<Vec<Row>> {
        let held = self.held(symbol).filter(|held| held.known)?;
        held.reach(view.newest);
        Some(held.rows(view))
    }

    fn change(&mut self, symbol: &str, change: impl FnOnce(&mut Held)) -> Result<()> {
        let held = self.held(symbol);
        change(held.with_context(|| format!("nothing is known of {symbol}"))?);
        Ok(())
    }

    /// Replaces the symbol's bars; there are no others.
    pub fn hold(&mut self, symbol: &str, bars: Vec<Bar>) {
        let from = bars.first().map(|bar| bar.date);
        let mut held = Held::new(None, bars);
        held.from = from.unwrap_or(held.from);
        self.symbols.insert(key(symbol), held);
    }

    /// Multiplies the prices of a day.
    pub fn correct(&mut self, symbol: &str, date: NaiveDate, times: f64) -> Result<()> {
        self.change(symbol, |held| {
            held.edits.insert(date, Edit::Times(times));
        })
    }

    /// Leaves days out, both included.
    pub fn hole(&mut self, symbol: &str, from: NaiveDate, to: NaiveDate) -> Result<()> {
        self.change(symbol, |held| {
            for date in calendar::sessions(from, to) {
                held.edits.insert(date, Edit::Gone);
            }
        })
    }

    /// Takes corrections and holes back.
    pub fn mend(&mut self, symbol: &str) -> Result<()> {
        self.change(symbol, |held| held.edits.clear())
    }

    /// Splits shares from that day on.
    pub fn split(&mut self, symbol: &str, date: NaiveDate, ratio: f64) -> Result<()> {
        ensure!(ratio > 0.0 && ratio.is_finite(), "a ratio above 0");
        self.change(symbol, |held| {
            held.splits.insert(date, ratio);
        })
    }

    /// Pays a dividend: that day is the first without it.
    pub fn dividend(&mut self, symbol: &str, date: NaiveDate, cash: f64) -> Result<()> {
        self.change(symbol, |held| {
            held.dividends.insert(date, cash);
        })
    }

    /// Begins with that day.
    pub fn list(&mut self, symbol: &str, from: NaiveDate) -> Result<()> {
        self.change(symbol, |held| {
            held.from = from;
            held.known = true;
        })
    }

    /// Forgets the symbol.
    pub fn delist(&mut self, symbol: &str) -> Result<()> {
        self.change(symbol, |held| held.known = false)
    }
}
