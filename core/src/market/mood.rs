//! Decides how greedy the market as a whole is, 0..100, high = greed, low = fear: seven components
//! after CNN's Fear & Greed Index, each the percentile of its newest value among its last 252.
//! `docs/market.md` has the definitions and their sources.
//!
//! Invariant: the score is the mean of the components there are, and needs four of the seven; one
//! that cannot be told, or whose newest value is too old, is missing with its reason and never a
//! made-up 50.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use super::marks::{self, Level, Marks, Move};
use super::series::{Observation, Series};
use super::treasury;
use crate::calendar;
use crate::signals::Label;
use crate::signals::fear_greed::{MIN_COMPONENTS, percentile_of_last};

/// How many days the newest value of a component may be before the session that is due. Sources
/// publish a day or two late and pause over holidays.
pub const MAX_AGE_DAYS: u64 = 10;

/// A value is ranked among so many, itself included.
const RANKED: usize = 252;

const VIX_MEAN: usize = 50;
const PUT_CALL_MEAN: usize = 5;
const MOMENTUM_MEAN: usize = 125;
const HAVEN_SESSIONS: usize = 20;
const BREADTH_SUM: usize = 20;
const STRENGTH_MEAN: usize = 10;

/// What the market's mood is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Each ascending by date, each date once.
    pub series: &'a BTreeMap<Series, Vec<Observation>>,
    /// SPY's closes, adjusted, ascending by date, each date once; empty if not known.
    pub benchmark: &'a [Observation],
    /// Of the watchlist's symbols.
    pub marks: &'a [Marks],
    /// The newest session whose data are due.
    pub due: NaiveDate,
}

/// The parts of the market's mood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = MarketComponentName))]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// SPY against its 125-session mean.
    Momentum,
    /// New highs less new lows of the watchlist.
    Strength,
    /// Advances less declines of the watchlist.
    Breadth,
    /// Puts per call.
    PutCall,
    /// What high-yield bonds must pay over treasuries.
    JunkBondDemand,
    /// The VIX against its 50-day mean.
    Volatility,
    /// Stocks' return less treasuries'.
    SafeHaven,
}

impl Name {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Momentum,
        Self::Strength,
        Self::Breadth,
        Self::PutCall,
        Self::JunkBondDemand,
        Self::Volatility,
        Self::SafeHaven,
    ];

    /// Where its values come from.
    const fn source(self) -> &'static str {
        match self {
            Self::Momentum => "SPY's closes",
            Self::Strength | Self::Breadth => "closes of the watchlist",
            Self::PutCall => "Cboe total put/call ratio",
            Self::JunkBondDemand => "FRED BAMLH0A0HYM2 (ICE BofA)",
            Self::Volatility => "FRED VIXCLS / Cboe VIX",
            Self::SafeHaven => "SPY's closes, FRED DGS10",
        }
    }

    /// What it counts.
    const fn unit(self) -> &'static str {
        match self {
            Self::Momentum => "closes of SPY",
            Self::Strength => "sessions of symbols with a year of closes",
            Self::Breadth => "sessions",
            Self::PutCall => "put/call ratios",
            Self::JunkBondDemand => "spreads",
            Self::Volatility => "closes of the VIX",
            Self::SafeHaven => "days with SPY and the 10-year yield",
        }
    }

    /// How many of those it needs.
    const fn needs(self) -> usize {
        match self {
            Self::Momentum => RANKED + MOMENTUM_MEAN - 1,
            Self::Strength => RANKED + STRENGTH_MEAN - 1,
            Self::Breadth => RANKED + BREADTH_SUM - 1,
            Self::PutCall => RANKED + PUT_CALL_MEAN - 1,
            Self::JunkBondDemand => RANKED,
            Self::Volatility => RANKED + VIX_MEAN - 1,
            Self::SafeHaven => RANKED + HAVEN_SESSIONS,
        }
    }

    /// Whether a high value is fear.
    const fn is_inverse(self) -> bool {
        matches!(
            self,
            Self::PutCall | Self::JunkBondDemand | Self::Volatility
        )
    }
}

/// One part of the market's mood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = MarketComponent))]
pub struct Component {
    /// Which.
    pub name: Name,
    /// 0..100, 100 being greed; null if missing.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 100))]
    pub score: Option<f64>,
    /// What is ranked, in its own unit; null if missing.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub value: Option<f64>,
    /// The date of its newest value, also where that is too old; null if there is none.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub as_of: Option<NaiveDate>,
    /// Where its values come from.
    pub source: String,
    /// Why it is missing; null if it is not.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub missing: Option<String>,
}

/// The market's mood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = MarketMood))]
pub struct Mood {
    /// 0..100, 100 being greed; null with fewer than four components.
    #[cfg_attr(feature = "openapi", schema(required, minimum = 0, maximum = 100))]
    pub score: Option<f64>,
    /// The score's label: Fear up to 30, Greed from 70, else Neutral.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub label: Option<Label>,
    /// The newest date of the components that the score is made of.
    #[cfg_attr(feature = "openapi", schema(required))]
    pub as_of: Option<NaiveDate>,
    /// All seven, in a fixed order.
    pub components: Vec<Component>,
}

/// Computes the market's mood.
pub fn mood(inputs: &Inputs<'_>) -> Mood {
    mood_within(inputs, MAX_AGE_DAYS)
}

/// Computes the market's mood from values that are at most `days` before the session that is due.
pub fn mood_within(inputs: &Inputs<'_>, days: u64) -> Mood {
    let oldest = inputs
        .due
        .checked_sub_days(Days::new(days))
        .unwrap_or(NaiveDate::MIN);
    let sessions = tally(inputs.marks);
    let components = Name::ALL.map(|name| component(name, inputs, &sessions, oldest));

    let known = components.iter().filter(|it| it.score.is_some());
    let (sum, count) = known.clone().fold((0.0, 0_usize), |(sum, count), it| {
        (sum + it.score.unwrap_or_default(), count + 1)
    });
    let score = (count >= MIN_COMPONENTS).then(|| (sum / count as f64).clamp(0.0, 100.0));
    Mood {
        score,
        label: score.map(Label::of),
        as_of: score.and_then(|_| known.filter_map(|it| it.as_of).max()),
        components: components.into(),
    }
}

/// What is ranked, ascending by date, and how many of [`Name::unit`] it was made of.
struct Values {
    ranked: Vec<Observation>,
    from: usize,
}

fn component(
    name: Name,
    inputs: &Inputs<'_>,
    sessions: &[Session],
    oldest: NaiveDate,
) -> Component {
    let series = |series| inputs.series.get(&series).map_or(&[][..], Vec::as_slice);
    let values = match name {
        Name::Momentum => ratios_to_mean(inputs.benchmark, MOMENTUM_MEAN),
        Name::Strength => strength(sessions),
        Name::Breadth => breadth(sessions),
        Name::PutCall => means(series(Series::PutCall), PUT_CALL_MEAN),
        Name::JunkBondDemand => means(series(Series::HighYieldSpread), 1),
        Name::Volatility => ratios_to_mean(series(Series::Vix), VIX_MEAN),
        Name::SafeHaven => safe_haven(inputs.benchmark, series(Series::TenYear)),
    };
    let told = tell(name, &values, oldest);
    Component {
        name,
        score: told.as_ref().ok().map(|(score, _)| *score),
        value: told.as_ref().ok().map(|(_, value)| *value),
        as_of: values.ranked.last().map(|(date, _)| *date),
        source: name.source().into(),
        missing: told.err(),
    }
}

/// Score and value, or why there is none.
fn tell(name: Name, values: &Values, oldest: NaiveDate) -> Result<(f64, f64), String> {
    let (unit, needs, has) = (name.unit(), name.needs(), values.from);
    let last = match values.ranked.last_chunk::<RANKED>() {
        Some(last) => last,
        None if has == 0 => return Err(format!("there are no {unit} yet")),
        None => return Err(format!("needs {needs} {unit}, has {has}")),
    };
    let (date, value) = last[RANKED - 1];
    if date < oldest {
        return Err(format!("its newest value is of {date}, which is too old"));
    }
    let last = last.map(|(_, value)| value);
    let rank = last.iter().all(|value| value.is_finite());
    let rank = rank.then(|| percentile_of_last(&last)).flatten();
    let Some(rank) = rank else {
        return Err("undefined: its values are beyond what can be computed".into());
    };
    let score = if name.is_inverse() {
        100.0 - rank
    } else {
        rank
    };
    Ok((score, value))
}

/// A value as it is ranked, to nine decimals: sums that are equal on paper, of the same numbers in
/// another order, must be equal here, for a tie is worth half a rank.
fn settled(value: f64) -> f64 {
    const SCALE: f64 = 1e9;
    if value.abs() < 1e6 {
        (value * SCALE).round() / SCALE
    } else {
        value
    }
}

/// The newest values of a list, as many as matter to windows of `width`.
fn newest(values: &[Observation], width: usize) -> &[Observation] {
    &values[values.len().saturating_sub(RANKED + width - 1)..]
}

/// For each full window of `width` values: its last date, its last value and its mean.
fn windows(
    values: &[Observation],
    width: usize,
) -> impl Iterator<Item = (NaiveDate, f64, f64)> + '_ {
    newest(values, width).windows(width).map(move |window| {
        let (date, last) = window[width - 1];
        let sum: f64 = window.iter().map(|(_, value)| value).sum();
        (date, last, sum / width as f64)
    })
}

fn ratios_to_mean(values: &[Observation], width: usize) -> Values {
    Values {
        ranked: windows(values, width)
            .map(|(date, last, mean)| (date, settled(last / mean)))
            .collect(),
        from: values.len(),
    }
}

fn means(values: &[Observation], width: usize) -> Values {
    Values {
        ranked: windows(values, width)
            .map(|(date, _, mean)| (date, settled(mean)))
            .collect(),
        from: values.len(),
    }
}

/// Returns of SPY less those of a 10-year treasury over 20 sessions, on the days both are known of.
fn safe_haven(closes: &[Observation], yields: &[Observation]) -> Values {
    let both = both(closes, yields);
    // The treasury's growth from each day to the next.
    let growth: Vec<f64> = both
        .windows(2)
        .map(|pair| {
            let ((before, _, held), (after, _, now)) = (pair[0], pair[1]);
            1.0 + treasury::total_return(held, now, (after - before).num_days())
        })
        .collect();
    let ranked = both
        .windows(HAVEN_SESSIONS + 1)
        .zip(growth.windows(HAVEN_SESSIONS))
        .map(|(days, growth)| {
            let (first, (date, last, _)) = (days[0].1, days[HAVEN_SESSIONS]);
            let treasury: f64 = growth.iter().product();
            (date, settled((last / first - 1.0) - (treasury - 1.0)))
        })
        .collect();
    Values {
        ranked,
        from: both.len(),
    }
}

/// The newest dates that are in both, with both values, as many as matter.
fn both(left: &[Observation], right: &[Observation]) -> Vec<(NaiveDate, f64, f64)> {
    let mut found = Vec::new();
    let (mut left, mut right) = (left, right);
    while let (Some((&(at, one), before)), Some((&(day, other), earlier))) =
        (left.split_last(), right.split_last())
    {
        if at == day {
            found.push((at, one, other));
        }
        if found.len() == RANKED + HAVEN_SESSIONS {
            break;
        }
        (left, right) = (
            if at >= day { before } else { left },
            if day >= at { earlier } else { right },
        );
    }
    found.reverse();
    found
}

/// What the watchlist's symbols did in one session.
#[derive(Debug, Clone, Copy, Default)]
struct Session {
    date: NaiveDate,
    up: u32,
    down: u32,
    /// Symbols with a bar, and one of the session before.
    compared: u32,
    high: u32,
    low: u32,
    /// Symbols with a bar and a year of closes.
    aged: u32,
}

/// The sessions that the marks are of, the newest first.
fn tally(all: &[Marks]) -> Vec<Session> {
    let Some(end) = all.iter().map(Marks::end).max() else {
        return Vec::new();
    };
    let start = end.checked_sub_days(Days::new(marks::DAYS));
    let mut sessions: Vec<Session> = calendar::sessions(start.unwrap_or(end), end)
        .rev()
        .take(marks::SESSIONS)
        .map(|date| Session {
            date,
            ..Session::default()
        })
        .collect();
    for marks in all {
        let behind = sessions.partition_point(|session| session.date > marks.end());
        // A session that the calendar does not know of (any more) has no place among them.
        let known = sessions.get(behind).map(|session| session.date) == Some(marks.end());
        let theirs = sessions[behind..].iter_mut().filter(|_| known);
        for (session, (direction, level)) in theirs.zip(marks.newest_first()) {
            session.up += u32::from(direction == Move::Up);
            session.down += u32::from(direction == Move::Down);
            session.compared += u32::from(direction != Move::None);
            session.high += u32::from(level == Level::High);
            session.low += u32::from(level == Level::Low);
            session.aged += u32::from(level != Level::Unknown);
        }
    }
    sessions
}

/// Sessions that `count` symbols speak for, ascending: those with any, and of the newest only those
/// with at least half as many as lately. While a day's bars come in one by one, the first few are
/// not the market.
fn spoken_for(sessions: &[Session], count: fn(&Session) -> u32) -> Vec<&Session> {
    const LATELY: usize = 20;
    let thin = |at: usize| {
        let lately = sessions[at..].iter().take(LATELY).map(count).max();
        2 * count(&sessions[at]) < lately.unwrap_or_default()
    };
    let from = (0..sessions.len()).take_while(|at| thin(*at)).count();
    let mut spoken: Vec<&Session> = sessions[from..]
        .iter()
        .filter(|session| count(session) > 0)
        .collect();
    spoken.reverse();
    spoken
}

fn breadth(sessions: &[Session]) -> Values {
    let sessions = spoken_for(sessions, |session| session.compared);
    let net: Vec<f64> = sessions
        .iter()
        .map(|session| {
            let (up, down) = (f64::from(session.up), f64::from(session.down));
            // Where none rose and none fell, there are no net advances.
            if up + down > 0.0 {
                (up - down) / (up + down)
            } else {
                0.0
            }
        })
        .collect();
    let ranked = sessions
        .windows(BREADTH_SUM)
        .zip(net.windows(BREADTH_SUM))
        .map(|(days, net)| (days[BREADTH_SUM - 1].date, settled(net.iter().sum())))
        .collect();
    Values {
        ranked,
        from: sessions.len(),
    }
}

fn strength(sessions: &[Session]) -> Values {
    let shares: Vec<Observation> = spoken_for(sessions, |session| session.aged)
        .iter()
        .map(|session| {
            let net = f64::from(session.high) - f64::from(session.low);
            (session.date, net / f64::from(session.aged))
        })
        .collect();
    means(&shares, STRENGTH_MEAN)
}

#[cfg(test)]
mod tests;
