//! Runs without I/O: a scripted provider, a scripted room, and what the feed is told at the end.

use std::sync::Arc;

use super::super::{Next, run};
use super::Step;
use crate::config::Config;
use crate::fetch::{Answer, FetchError, Fetched};
use crate::market::provider::{Provider, Validator};
use crate::market::series::Series;
use crate::room::call::{
    BarCounts, Call, CallError, Computed, Errand, Finished, Grant, Ingest, Ingested, Outcome, Plan,
    Reject, Reply, SeriesErrand, SymbolOutcome,
};
use crate::time::Millis;

const KEY: &str = "s3cr3t-k3y";

fn now() -> Millis {
    Millis::parse("2026-11-20T23:00:00Z").expect("a time")
}

fn config(providers: &str, subrequests: &str) -> Arc<Config> {
    let var = |name: &str| {
        let value = match name {
            "JWT_SECRET" => "0123456789abcdef0123456789abcdef",
            "PROVIDER_URL" => "https://provider.test",
            "PROVIDERS" => providers,
            "SUBREQUESTS" => subrequests,
            "TIINGO_KEY" | "STOOQ_KEY" | "FRED_API_KEY" => KEY,
            _ => return None,
        };
        Some(value.to_owned())
    };
    Arc::new(Config::from_vars(var).expect("a configuration"))
}

fn errand(symbol: &str) -> Errand {
    Errand {
        symbol: symbol.parse().expect("a symbol"),
        from: "2026-11-10".parse().expect("a date"),
        dirty: false,
        validator: None,
        anew: false,
    }
}

/// These symbols, and so many requests of each provider.
fn plan(symbols: &[&str], grants: &[(Provider, u32)]) -> Plan {
    let grant = |(provider, requests): &(Provider, u32)| Grant {
        provider: *provider,
        requests: *requests,
    };
    Plan {
        fetch: symbols.iter().map(|symbol| errand(symbol)).collect(),
        grants: grants.iter().map(grant).collect(),
        ..Plan::default()
    }
}

const STOOQ: (Provider, u32) = (Provider::Stooq, 100);
const TIINGO: (Provider, u32) = (Provider::Tiingo, 100);

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Fetched {
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Ok(Answer {
        status,
        headers: headers.iter().map(header).collect(),
        body: body.as_bytes().to_vec(),
    })
}

/// One bar, as that provider writes it.
fn good(url: &str) -> Fetched {
    let body = if url.contains("/stooq/") {
        "Date,Open,High,Low,Close,Volume\n2026-11-20,10,12,9,11,1000\n"
    } else {
        r#"[{"date":"2026-11-20T00:00:00.000Z","adjOpen":10,"adjHigh":12,"adjLow":9,"adjClose":11,"adjVolume":1000}]"#
    };
    answer(200, &[], body)
}

fn status(code: u16) -> Fetched {
    answer(code, &[], "")
}

/// A room that keeps whatever comes.
fn keeps(call: &Call) -> Result<Reply, CallError> {
    Ok(match call {
        Call::Ingest(Ingest { bars, .. }) => Reply::Ingested(Ingested {
            counts: BarCounts {
                accepted: u32::try_from(bars.len()).expect("few"),
                ..BarCounts::default()
            },
            computed: Some(Computed::New),
            refetch: None,
            stranger: false,
        }),
        Call::Compute => Reply::Computed(Computed::Unchanged),
        Call::Look => Reply::Looked { overdue: false },
        other => panic!("{other:?}"),
    })
}

/// A room whose history is adjusted otherwise, until all of it comes.
fn wants_all(call: &Call) -> Result<Reply, CallError> {
    let start = crate::calendar::HISTORY_START;
    match call {
        Call::Ingest(Ingest { from, .. }) if *from > start => Ok(Reply::Ingested(Ingested {
            refetch: Some(start),
            ..Ingested::default()
        })),
        call => keeps(call),
    }
}

/// What came of a run.
struct Came {
    /// The servers' names, as they were asked.
    asked: Vec<String>,
    finished: Finished,
}

impl Came {
    fn of(&self, symbol: &str) -> &SymbolOutcome {
        let mut outcomes = self.finished.report.outcomes.iter();
        let found = outcomes.find(|it| it.symbol.as_str() == symbol);
        found.expect("an outcome")
    }

    fn error(&self, symbol: &str) -> &str {
        self.of(symbol).error.as_deref().unwrap_or_default()
    }
}

/// Plays a run, one job after the other; every step takes a second.
fn play(
    config: &Arc<Config>,
    plan: Plan,
    mut provider: impl FnMut(&str) -> Fetched,
    mut room: impl FnMut(&Call) -> Result<Reply, CallError>,
) -> Came {
    let mut now = now();
    let mut asked = Vec::new();
    let mut plan = Some(plan);
    let mut next = run(config, "test", "0123456789abcdef0123", now);
    loop {
        next = match next {
            Next::Call { mut calls, then } => match calls.pop() {
                Some((_, Call::Plan(_))) => {
                    let plan = plan.take().expect("one plan");
                    then(vec![Ok(Reply::Planned(plan))], now)
                }
                Some((_, Call::Finish(finished))) => {
                    return Came {
                        asked,
                        finished: *finished,
                    };
                }
                other => panic!("{other:?}"),
            },
            Next::Work { jobs, then } => {
                let mut lines = Vec::new();
                for job in jobs {
                    let mut step = job(now);
                    lines.push(loop {
                        now = now.plus(1_000);
                        step = match step {
                            Step::Done(line) => break line,
                            Step::Fetch { request, then } => {
                                assert!(!format!("{request:?}").contains(KEY));
                                let name = request.url.split('/').nth(3).expect("a name");
                                asked.push(name.to_owned());
                                then(provider(&request.url), now)
                            }
                            Step::Call { call, then, .. } => then(room(&call), now),
                        };
                    });
                }
                then(lines, now)
            }
            _ => panic!("a run asks rooms and does jobs"),
        };
    }
}

#[test]
fn providers_are_asked_in_order_until_one_has_the_bars() {
    let config = config("stooq,tiingo", "1000");
    let first = |url: &str| match url.contains("/stooq/") {
        true => status(404),
        false => good(url),
    };
    let came = play(&config, plan(&["AAPL"], &[STOOQ, TIINGO]), first, keeps);
    assert_eq!(came.asked, ["stooq", "tiingo"]);
    let outcome = came.of("AAPL");
    assert_eq!(outcome.provider, Some(Provider::Tiingo));
    assert_eq!(outcome.outcome, Outcome::New);
    assert_eq!(came.error("AAPL"), "stooq: it does not know it");
    // Nobody is asked beside the first who has them.
    let came = play(&config, plan(&["AAPL"], &[STOOQ, TIINGO]), good, keeps);
    assert_eq!(came.asked, ["stooq"]);
    assert_eq!(came.of("AAPL").error, None);
}

#[test]
fn everybody_who_had_nothing_is_named_and_how_long_it_took() {
    let config = config("stooq,tiingo", "1000");
    let nothing = |url: &str| match url.contains("/stooq/") {
        true => Err(FetchError::TooSlow),
        false => answer(200, &[], "<html>"),
    };
    let came = play(&config, plan(&["AAPL"], &[STOOQ, TIINGO]), nothing, keeps);
    let outcome = came.of("AAPL");
    assert_eq!((outcome.provider, outcome.outcome), (None, Outcome::Failed));
    assert!(
        came.error("AAPL")
            .starts_with("stooq: it took too long; tiingo: ")
    );
    assert_eq!(outcome.duration_ms, 2_000);
    assert_eq!(came.finished.report.unfetched, 1);
}

#[test]
fn after_three_outages_in_a_row_a_provider_is_not_asked() {
    let config = config("stooq,tiingo", "1000");
    let symbols = ["A", "B", "C", "D", "E"];
    let down = |url: &str| match url.contains("/stooq/") {
        true => status(500),
        false => good(url),
    };
    let came = play(&config, plan(&symbols, &[STOOQ, TIINGO]), down, keeps);
    let of_it = came.asked.iter().filter(|name| *name == "stooq");
    assert_eq!(of_it.count(), 3);
    let report = |name| {
        came.finished
            .providers
            .iter()
            .find(move |it| it.provider == name)
    };
    assert!(report(Provider::Stooq).is_some_and(|it| it.outage && !it.answered));
    assert!(report(Provider::Tiingo).is_some_and(|it| !it.outage && it.answered));
    // Who does not know one symbol answers.
    let mut turn = 0;
    let now_and_then = |url: &str| {
        turn += 1;
        match url.contains("s=b.us") {
            true => status(404),
            false => status(500),
        }
    };
    let came = play(&config, plan(&symbols[..4], &[STOOQ]), now_and_then, keeps);
    assert_eq!((came.asked.len(), turn), (4, 4));
    assert!(!came.finished.providers[0].outage);
}

#[test]
fn who_asks_to_be_left_alone_is_at_once_and_the_others_wait() {
    let config = config("stooq", "1000");
    let busy = |_: &str| answer(429, &[("retry-after", "120")], "");
    let came = play(&config, plan(&["A", "B", "C"], &[STOOQ]), busy, keeps);
    assert_eq!(came.asked, ["stooq"]);
    assert_eq!(came.finished.providers[0].retry_after, Some(120_000));
    assert_eq!(came.of("A").outcome, Outcome::Failed);
    assert_eq!(came.of("B").outcome, Outcome::Deferred);
    assert_eq!(
        (
            came.finished.report.unfetched,
            came.finished.report.deferred
        ),
        (1, 2)
    );
}

#[test]
fn another_adjustment_is_fetched_whole_and_only_once() {
    let config = config("stooq,tiingo", "1000");
    let mut urls = Vec::new();
    let heard = |url: &str| {
        urls.push(url.to_owned());
        good(url)
    };
    let came = play(&config, plan(&["AAPL"], &[STOOQ, TIINGO]), heard, wants_all);
    assert_eq!(came.asked, ["stooq", "stooq"]);
    assert!(urls[1].contains("d1=20180102"), "{urls:?}");
    assert_eq!(came.of("AAPL").provider, Some(Provider::Stooq));
    // A room that is never content.
    let never = |call: &Call| match call {
        Call::Ingest(_) => Ok(Reply::Ingested(Ingested {
            refetch: Some(crate::calendar::HISTORY_START),
            ..Ingested::default()
        })),
        call => keeps(call),
    };
    let came = play(&config, plan(&["AAPL"], &[STOOQ, TIINGO]), good, never);
    assert_eq!(came.asked, ["stooq", "stooq", "tiingo"]);
    assert_eq!(came.of("AAPL").outcome, Outcome::Failed);
    // Without a second request of the first, the next one is asked for everything.
    let grants = [(Provider::Stooq, 1), TIINGO];
    let came = play(&config, plan(&["AAPL"], &grants), good, wants_all);
    assert_eq!(came.asked, ["stooq", "tiingo"]);
    assert_eq!(came.of("AAPL").provider, Some(Provider::Tiingo));
}

#[test]
fn what_may_not_be_asked_for_is_left_for_later() {
    let config = config("yahoo,stooq", "1000");
    // Stooq has no such symbol; Yahoo has no requests left.
    let mut all = plan(&["BTC-USD", "A", "B"], &[(Provider::Stooq, 1)]);
    all.fetch[2].dirty = true;
    let came = play(&config, all, good, keeps);
    assert_eq!(came.asked, ["stooq"]);
    assert_eq!(came.of("BTC-USD").outcome, Outcome::Deferred);
    assert_eq!(came.of("A").outcome, Outcome::New);
    // What was sent is computed all the same, and that is no failure.
    assert_eq!(came.of("B").outcome, Outcome::Unchanged);
    assert_eq!(
        (came.of("B").provider, came.of("B").error.as_ref()),
        (None, None)
    );
    let report = &came.finished.report;
    assert_eq!(
        (report.planned, report.unfetched, report.deferred),
        (2, 0, 2)
    );
}

#[test]
fn a_run_stays_within_its_budget_and_gets_on() {
    // Plan, end and two more; five calls of rooms; eight requests are left.
    let config = config("stooq,tiingo", "17");
    let first = |url: &str| match url.contains("/stooq/") {
        true => status(404),
        false => good(url),
    };
    let symbols = ["A", "B", "C", "D", "E"];
    let came = play(&config, plan(&symbols, &[STOOQ, TIINGO]), first, keeps);
    assert_eq!(came.asked.len(), 8);
    let report = &came.finished.report;
    assert_eq!(
        (report.fetched, report.deferred, report.unfetched),
        (4, 1, 0)
    );
}

#[test]
fn what_was_sent_is_computed_also_when_nobody_has_more() {
    let config = config("stooq", "1000");
    let mut all = plan(&["A", "B"], &[STOOQ]);
    all.fetch[0].dirty = true;
    all.fetch[1].dirty = true;
    let unknown = |call: &Call| match call {
        Call::Compute => Err(CallError::Reject(Reject::UnknownSymbol)),
        call => keeps(call),
    };
    let came = play(&config, all.clone(), |_: &str| status(404), keeps);
    assert_eq!(came.of("A").outcome, Outcome::Unchanged);
    assert_eq!(came.error("A"), "stooq: it does not know it");
    let report = &came.finished.report;
    assert_eq!((report.planned, report.unfetched), (2, 2));
    assert!(report.failed.is_empty());
    let came = play(&config, all, |_: &str| status(404), unknown);
    assert!(came.finished.report.failed.is_empty());
}

#[test]
fn what_has_not_changed_keeps_its_validator() {
    let config = config("stooq", "1000");
    let mut all = plan(&["A"], &[STOOQ]);
    let validator = Validator {
        of: "address".to_owned(),
        etag: Some("\"1\"".to_owned()),
        last_modified: None,
    };
    all.fetch[0].validator = Some(validator.clone());
    let came = play(&config, all, |_: &str| status(304), keeps);
    let outcome = came.of("A");
    assert_eq!(outcome.outcome, Outcome::Unchanged);
    assert_eq!(
        (outcome.provider, &outcome.validator),
        (Some(Provider::Stooq), &Some(validator))
    );
}

#[test]
fn a_room_that_cannot_be_asked_is_named() {
    let config = config("stooq", "1000");
    let fault = |_: &Call| Err(CallError::Fault { id: "f".to_owned() });
    let came = play(&config, plan(&["A"], &[STOOQ]), good, fault);
    assert_eq!(came.error("A"), "the symbol's room could not be asked");
    assert_eq!(came.finished.report.failed.len(), 1);
    assert_eq!(came.of("A").provider, None);
}

#[test]
fn no_key_is_in_a_report() {
    let config = config("stooq,tiingo,fred", "1000");
    let echoes = [
        answer(200, &[], &format!("{{\"detail\":\"Invalid token {KEY}\"}}")),
        answer(
            400,
            &[],
            &format!("{{\"error_code\":400,\"error_message\":\"Bad {KEY}\"}}"),
        ),
        answer(200, &[], &format!("no data for apikey={KEY}")),
        status(401),
        Err(FetchError::Unreachable),
    ];
    for echo in echoes {
        let mut all = plan(&["A"], &[STOOQ, TIINGO, (Provider::Fred, 9)]);
        all.series = vec![SeriesErrand {
            series: Series::Vix,
            from: "2026-11-10".parse().expect("a date"),
            days: Vec::new(),
            validator: None,
        }];
        let came = play(&config, all, |_: &str| echo.clone(), keeps);
        let told = serde_json::to_string(&came.finished).expect("JSON");
        assert_eq!(came.asked.len(), 3);
        assert!(
            !told.contains(KEY) && !format!("{:?}", came.finished).contains(KEY),
            "{told}"
        );
    }
    assert!(!format!("{config:?}").contains(KEY));
}
