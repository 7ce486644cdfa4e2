//! What can be told to the provider, in process and by `POST /control`.

use anyhow::Result;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use signalroom_core::time::Millis;

use super::fault::Rule;
use super::state::State;

/// One order. As JSON: `{"do": "split", "symbol": "AAPL", "date": "2026-11-20", "ratio": 10}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Misbehave. The rule that was made last counts.
    Misbehave {
        /// How, for whom, how often.
        rule: Rule,
    },
    /// Behave again, and let go of who waits.
    Heal {},
    /// Close the connections that wait for ever.
    Release {},
    /// Show nothing after that day; none: all until now.
    Through {
        /// The day.
        date: Option<NaiveDate>,
    },
    /// Take this for the time; none: the machine's.
    Now {
        /// The time.
        at: Option<Millis>,
    },
    /// Multiply the prices of a day, as a correction.
    Correct {
        /// Whose.
        symbol: String,
        /// The day.
        date: NaiveDate,
        /// By how much.
        times: f64,
    },
    /// Split shares: that day is the first at the new price.
    Split {
        /// Whose.
        symbol: String,
        /// The day.
        date: NaiveDate,
        /// New shares for an old one.
        ratio: f64,
    },
    /// Pay a dividend: that day is the first without it.
    Dividend {
        /// Whose.
        symbol: String,
        /// The day.
        date: NaiveDate,
        /// Per share.
        cash: f64,
    },
    /// Leave days out.
    Hole {
        /// Whose.
        symbol: String,
        /// The first.
        from: NaiveDate,
        /// The last.
        to: NaiveDate,
    },
    /// Take corrections and holes back.
    Mend {
        /// Whose.
        symbol: String,
    },
    /// Begin with that day.
    List {
        /// Which symbol.
        symbol: String,
        /// The day.
        from: NaiveDate,
    },
    /// Do not know the symbol.
    Delist {
        /// Which.
        symbol: String,
    },
    /// Another value of a series on a day; none: a holiday's.
    Revise {
        /// `VIXCLS`, `BAMLH0A0HYM2`, `T10Y2Y`, `DGS10` or `PUT_CALL`.
        series: String,
        /// The day.
        date: NaiveDate,
        /// The value.
        value: Option<f64>,
    },
    /// Whether Yahoo's and FRED's answers name their version too, as Cboe's always do.
    Conditional {
        /// Whether.
        on: bool,
    },
    /// Whether Cboe's file of put/call ratios goes on to the newest day. The real one ended on
    /// 2019-10-04.
    PutCallToDate {
        /// Whether.
        on: bool,
    },
    /// Forget who asked what.
    Forget {},
}

impl State {
    /// Does it.
    pub(super) fn obey(&mut self, order: Order) -> Result<()> {
        self.version += 1;
        match order {
            Order::Misbehave { mut rule } => {
                rule.what = rule.what.as_deref().map(super::book::key);
                self.rules.push(rule);
            }
            Order::Heal {} => {
                self.rules.clear();
                self.releases.send_modify(|count| *count += 1);
            }
            Order::Release {} => self.releases.send_modify(|count| *count += 1),
            Order::Through { date } => self.through = date,
            Order::Now { at } => self.now = at,
            Order::Correct {
                symbol,
                date,
                times,
            } => self.book.correct(&symbol, date, times)?,
            Order::Split {
                symbol,
                date,
                ratio,
            } => self.book.split(&symbol, date, ratio)?,
            Order::Dividend { symbol, date, cash } => self.book.dividend(&symbol, date, cash)?,
            Order::Hole { symbol, from, to } => self.book.hole(&symbol, from, to)?,
            Order::Mend { symbol } => self.book.mend(&symbol)?,
            Order::List { symbol, from } => self.book.list(&symbol, from)?,
            Order::Delist { symbol } => self.book.delist(&symbol)?,
            Order::Revise {
                series,
                date,
                value,
            } => {
                self.revised.insert((series, date), value);
            }
            Order::Conditional { on } => self.conditional = on,
            Order::PutCallToDate { on } => self.put_call_to_date = on,
            Order::Forget {} => self.log.forget(),
        }
        Ok(())
    }
}
