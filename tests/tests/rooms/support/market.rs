//! What a provider has, and what a run tells: the words of commands about market data.

use chrono::NaiveDate;
use signalroom_core::auth::Role;
use signalroom_core::market::provider::{Provider, Validator};
use signalroom_core::market::series::{Observation, Series};
use signalroom_core::room::call::{
    Caller, Finished, Ingest, Means, Outcome, Planning, ProviderReport, RunName, RunReport,
    SeriesOutcome, SymbolOutcome, WatchlistChange,
};
use signalroom_core::signals::bar::Bar;
use signalroom_core::symbol::Symbol;
use signalroom_core::time::Millis;

use super::bars;
use super::commands::Words;

fn parsed<T: std::str::FromStr>(text: &str) -> T {
    text.parse()
        .unwrap_or_else(|_| panic!("{text:?} is not what it should be"))
}

fn all<T: std::str::FromStr>(list: &str) -> Vec<T> {
    let items = list.split(',').filter(|item| !item.is_empty());
    items.map(parsed).collect()
}

/// `ingest SYMBOL PROVIDER FROM [history|tail=N] [DAY:SHAPE]… [old=DATE] [x=F] [near]
/// [more=DATE:F]… [less=DATE]… [rejected=N]`: what a provider had since FROM until today. `x` scales
/// all prices, `near` makes them single-precision numbers, `more` scales one bar, `old` is a bar of
/// any date.
pub fn ingest(words: &Words<'_>, now: Millis) -> Ingest {
    let from: NaiveDate = parsed(words.at(3));
    let mut all: Vec<Bar> = Vec::new();
    if words.flag("history") {
        all.extend(bars::history());
    }
    if let Some(newest) = words.named("tail") {
        let history = bars::history();
        all.extend(&history[history.len() - parsed::<usize>(newest)..]);
    }
    all.extend(words.days());
    all.extend(words.all("old").map(|date| Bar {
        date: parsed(date),
        ..bars::history()[0]
    }));
    let less: Vec<NaiveDate> = words.all("less").map(parsed).collect();
    all.retain(|bar| bar.date >= from && !less.contains(&bar.date));
    all.sort_by_key(|bar| bar.date);
    let ratio = words.named("x").map_or(1.0, parsed::<f64>);
    for bar in &mut all {
        scale(bar, ratio);
        for (date, ratio) in words.all("more").filter_map(|word| word.split_once(':')) {
            if bar.date == parsed::<NaiveDate>(date) {
                scale(bar, parsed(ratio));
            }
        }
        if words.flag("near") {
            single(bar);
        }
    }
    Ingest {
        provider: parsed(words.at(2)),
        from,
        to: now.date(),
        bars: all,
        rejected: words.named("rejected").map_or(0, parsed),
        anew: false,
    }
}

fn scale(bar: &mut Bar, ratio: f64) {
    for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
        *price *= ratio;
    }
}

/// As a provider sends prices that keeps them in single precision.
fn single(bar: &mut Bar) {
    for price in [&mut bar.open, &mut bar.high, &mut bar.low, &mut bar.close] {
        *price = f64::from(*price as f32);
    }
}

fn means(words: &Words<'_>) -> Option<Means> {
    let providers: Vec<Provider> = all(words.named("providers")?);
    let rate = words.named("rate").map(parsed);
    Some(Means {
        rates: providers.iter().map(|_| rate).collect(),
        providers,
        subrequests: words.named("subrequests").map_or(10_000, parsed),
        intraday_minutes: words.named("intraday").map_or(5, parsed),
    })
}

/// `plan feed [watchlist=A,B] [providers=P,Q [rate=N] [subrequests=N] [intraday=N]] [only=A,B]
/// [backfill] [run=ID]`.
pub fn planning(words: &Words<'_>) -> Planning {
    Planning {
        run: words.named("run").map(|id| RunName {
            id: id.to_owned(),
            cron: "test".to_owned(),
        }),
        watchlist: words.named("watchlist").map_or_else(Vec::new, all),
        means: means(words),
        only: words.named("only").map(all),
        backfill: words.flag("backfill"),
    }
}

/// `finish feed [run=ID] [ago=MS] [watchlist=…] [providers=…] [SYMBOL:OUTCOME[@PROVIDER][!ERROR][#ETAG]]…
/// [series.NAME:OUTCOME[@PROVIDER][/DATE/COUNT]]… [trouble=PROVIDER[:MS]]… [answered=PROVIDER]…`:
/// COUNT values of the days that end with DATE.
pub fn finished(words: &Words<'_>, now: Millis) -> Finished {
    let ago: i64 = words.named("ago").map_or(0, parsed);
    let mut report = RunReport {
        id: words.named("run").unwrap_or_default().to_owned(),
        cron: "test".to_owned(),
        started_at: now.plus(-ago),
        ..RunReport::default()
    };
    for (name, told) in words.pairs() {
        match name.strip_prefix("series.") {
            Some(name) => report.series.push(series(name, told)),
            None => report.outcomes.push(symbol(name, told)),
        }
    }
    let trouble = words.all("trouble").map(|word| {
        let (name, wait) = word.split_once(':').unwrap_or((word, ""));
        ProviderReport {
            provider: parsed(name),
            asked: 1,
            answered: false,
            outage: true,
            retry_after: (!wait.is_empty()).then(|| parsed(wait)),
        }
    });
    let answered = words.all("answered").map(|name| ProviderReport {
        provider: parsed(name),
        asked: 1,
        answered: true,
        outage: false,
        retry_after: None,
    });
    Finished {
        report,
        providers: trouble.chain(answered).collect(),
        benchmark: None,
        means: means(words),
        watchlist: words.named("watchlist").map_or_else(Vec::new, all),
    }
}

fn outcome(text: &str) -> Outcome {
    match text {
        "new" => Outcome::New,
        "unchanged" => Outcome::Unchanged,
        "failed" => Outcome::Failed,
        "deferred" => Outcome::Deferred,
        other => panic!("no such outcome: {other}"),
    }
}

fn symbol(name: &str, told: &str) -> SymbolOutcome {
    let (told, etag) = told.split_once('#').unwrap_or((told, ""));
    let (told, error) = told.split_once('!').unwrap_or((told, ""));
    let (told, provider) = told.split_once('@').unwrap_or((told, ""));
    SymbolOutcome {
        symbol: parsed(name),
        provider: (!provider.is_empty()).then(|| parsed(provider)),
        outcome: outcome(told),
        bars: None,
        rejected: 0,
        duration_ms: 1,
        error: (!error.is_empty()).then(|| error.to_owned()),
        fetched: true,
        validator: (!etag.is_empty()).then(|| Validator {
            of: "address".to_owned(),
            etag: Some(etag.to_owned()),
            last_modified: None,
        }),
    }
}

fn series(name: &str, told: &str) -> SeriesOutcome {
    let (told, values) = told.split_once('/').unwrap_or((told, ""));
    let (told, provider) = told.split_once('@').unwrap_or((told, ""));
    let named = |series: &Series| series.as_str() == name;
    let outcome = outcome(told);
    SeriesOutcome {
        series: Series::ALL.into_iter().find(named).expect("a series"),
        provider: (!provider.is_empty()).then(|| parsed(provider)),
        outcome,
        duration_ms: 1,
        error: (outcome == Outcome::Failed).then(|| "it is down".to_owned()),
        values: values.split_once('/').map_or_else(Vec::new, values_until),
        validator: None,
    }
}

fn values_until((last, count): (&str, &str)) -> Vec<Observation> {
    let last: NaiveDate = parsed(last);
    let count: u16 = parsed(count);
    let days = (0..count)
        .rev()
        .map(|ago| last - chrono::Days::new(ago.into()));
    days.map(|date| (date, 10.0 + f64::from(chrono::Datelike::day(&date))))
        .collect()
}

/// `watch feed set|add|remove|reset [SYMBOL…] configured=A,B`.
pub fn change(words: &Words<'_>) -> (Vec<Symbol>, WatchlistChange, Caller) {
    let configured = words.named("configured").map_or_else(Vec::new, all);
    let change = match words.at(2) {
        "set" => WatchlistChange::Set(all(words.at(3))),
        "add" => WatchlistChange::Add(parsed(words.at(3))),
        "remove" => WatchlistChange::Remove(parsed(words.at(3))),
        "reset" => WatchlistChange::Reset,
        other => panic!("no such change: {other}"),
    };
    (configured, change, Caller::new("root", Role::Admin))
}
