//! What servers of market data answer.

use chrono::NaiveDate;
use signalroom_core::fetch::Answer;
use signalroom_core::market::provider::{self, ApiKey, Endpoints, Need, Provider, Told};
use signalroom_core::market::series::{self, Series};

use crate::decoders::{NOW, utf8};

const KEY: &str = "a-key-that-opens-nothing";

/// An answer: a line of who sent it (`yahoo`, or `cboe put_call` for a series), its status and
/// headers `name: value`, all between `|`, and then the body.
///
/// Bars and values ascend, are good and within the dates that were asked for; an error is short and
/// shows no key.
pub(crate) fn market(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    let (head, body) = data.split_at(end.unwrap_or(data.len()));
    let Some(head) = utf8(head) else { return };
    let mut head = head.split('|');
    let mut who = head.next().unwrap_or_default().split(' ');
    let (name, of) = (who.next().unwrap_or_default(), who.next());
    let Ok(provider) = name.parse() else { return };
    let status = head.next().and_then(|status| status.parse().ok());
    let headers = head.filter_map(|line| line.split_once(": "));
    let answer = Answer {
        status: status.unwrap_or(200),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: body.get(1..).unwrap_or_default().to_vec(),
    };
    let key = || Some(ApiKey(KEY.to_owned()));
    let keyed = Endpoints {
        base: None,
        tiingo: key(),
        fred: key(),
        stooq: key(),
    };
    let free = Endpoints {
        tiingo: key(),
        ..Endpoints::default()
    };
    for endpoints in [keyed, free] {
        let error = match of {
            None => bars(provider, &endpoints, answer.clone()),
            Some(of) => {
                let named = Series::ALL.into_iter().find(|series| series.as_str() == of);
                let Some(series) = named else { return };
                values(provider, series, &endpoints, answer.clone())
            }
        };
        if let Some(error) = error {
            assert!(error.chars().count() < 250, "{error}");
            assert!(!error.contains(KEY), "{error}");
        }
    }
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

fn bars(provider: Provider, endpoints: &Endpoints, answer: Answer) -> Option<String> {
    let need = Need {
        symbol: "AAPL".parse().expect("a symbol"),
        from: date(2024, 1, 2),
        to: date(2026, 1, 14),
    };
    let told = match provider::parse(provider, &need, endpoints, Ok(answer), NOW) {
        Ok(Told::New(told)) => told,
        Ok(Told::Unchanged) => return None,
        Err(error) => return Some(error.to_string()),
    };
    assert!(!told.bars.is_empty());
    assert!(
        told.bars.is_sorted_by(|a, b| a.date < b.date),
        "not ascending"
    );
    for bar in &told.bars {
        assert_eq!(bar.check(NOW.date()), Ok(()), "{bar:?}");
        assert!((need.from..=need.to).contains(&bar.date), "{bar:?}");
    }
    None
}

fn values(
    provider: Provider,
    series: Series,
    endpoints: &Endpoints,
    answer: Answer,
) -> Option<String> {
    // Cboe's ratios are in an archive until 2019, and in a file a day since.
    for from in [date(2019, 1, 2), date(2026, 1, 14)] {
        let fetched = Ok(answer.clone());
        let told = match series::parse(provider, series, from, endpoints, fetched, NOW) {
            Ok(Told::New(told)) => told,
            Ok(Told::Unchanged) => continue,
            Err(error) => return Some(error.to_string()),
        };
        assert!(!told.values.is_empty());
        assert!(told.values.is_sorted_by(|a, b| a.0 < b.0), "not ascending");
        for (day, value) in &told.values {
            assert!((from..=NOW.date()).contains(day), "{day}");
            assert!(value.is_finite(), "{day}: {value}");
        }
    }
    None
}
