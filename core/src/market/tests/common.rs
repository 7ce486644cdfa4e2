//! What holds for every provider: statuses, pages, versions, keys.

use super::*;
use crate::fetch::{FetchError, Request};

const BARS: [Provider; 3] = [Provider::Yahoo, Provider::Stooq, Provider::Tiingo];

const SERIES: [(Provider, Series); 4] = [
    (Provider::Fred, Series::TenYear),
    (Provider::Cboe, Series::Vix),
    (Provider::Cboe, Series::PutCall),
    (Provider::Fred, Series::Vix),
];

fn apple() -> Need {
    need("AAPL", "2026-11-02", "2026-11-23")
}

/// What each provider makes of the answer.
fn errors(endpoints: &Endpoints, fetched: &Fetched) -> Vec<(Provider, ProviderError)> {
    let need = apple();
    let bars = BARS.map(|provider| {
        let told = provider::parse(provider, &need, endpoints, fetched.clone(), now());
        (provider, told.map(drop).expect_err("no bars"))
    });
    let from = date("2019-01-02");
    let series = SERIES.map(|(provider, series)| {
        let told = series::parse(provider, series, from, endpoints, fetched.clone(), now());
        (provider, told.map(drop).expect_err("no values"))
    });
    bars.into_iter().chain(series).collect()
}

fn requests(endpoints: &Endpoints, known: Option<&Validator>) -> Vec<Request> {
    let bars = BARS.map(|provider| provider::plan(provider, &apple(), endpoints, known));
    let from = date("2019-01-02");
    let series =
        SERIES.map(|(provider, series)| series::plan(provider, series, from, endpoints, known));
    let all = bars.into_iter().chain(series);
    all.map(|request| request.expect("it can be asked"))
        .collect()
}

#[test]
fn a_fetch_that_failed_says_so() {
    let failures = [
        (FetchError::Unreachable, true),
        (FetchError::TooSlow, true),
        (FetchError::TooLarge, false),
    ];
    for (failure, outage) in failures {
        for (_, error) in errors(&free(), &Err(failure)) {
            assert_eq!(error, ProviderError::Fetch(failure));
            assert_eq!(error.is_outage(), outage);
        }
    }
}

#[test]
fn statuses_are_told_apart() {
    for (status, outage) in [
        (500, true),
        (503, true),
        (302, true),
        (301, true),
        (418, false),
        (206, false),
    ] {
        for (_, error) in errors(&free(), &answer(status, "sorry")) {
            assert_eq!(error, ProviderError::Status(status));
            assert_eq!(error.is_outage(), outage, "{status}");
        }
    }
    for (_, error) in errors(&free(), &answer(404, "sorry")) {
        assert_eq!(error, ProviderError::NotFound);
        assert!(!error.is_outage());
    }
    for status in [401, 403] {
        for (provider, error) in errors(&free(), &answer(status, "sorry")) {
            let expected = match provider {
                Provider::Tiingo => ProviderError::Unauthorized,
                _ => ProviderError::Status(status),
            };
            assert_eq!(error, expected, "{provider}");
            assert!(error.is_outage());
        }
        for (provider, error) in errors(&keys(), &answer(status, "sorry")) {
            let expected = match provider {
                Provider::Yahoo | Provider::Cboe => ProviderError::Status(status),
                _ => ProviderError::Unauthorized,
            };
            assert_eq!(error, expected, "{provider}");
        }
    }
}

#[test]
fn a_rate_limit_says_for_how_long() {
    let hour = 3_600_000;
    let cases = [
        ("120", Some(120_000)),
        (" 0 ", Some(0)),
        ("86400", Some(24 * hour)),
        ("86401", Some(24 * hour)),
        ("99999999999999999999", Some(24 * hour)),
        ("Mon, 23 Nov 2026 22:31:30 GMT", Some(90_000)),
        ("Mon, 23 Nov 2026 22:00:00 GMT", Some(0)),
        ("Fri, 01 Jan 2027 00:00:00 GMT", Some(24 * hour)),
        ("Tue, 23 Nov 2026 22:31:30 GMT", None),
        ("soon", None),
        ("-5", None),
        ("", None),
    ];
    for (header, retry_after) in cases {
        let limited = with(answer(429, "<html>"), "retry-after", header);
        for (_, error) in errors(&keys(), &limited) {
            let expected = ProviderError::RateLimited { retry_after };
            assert_eq!(error, expected, "{header:?}");
            assert!(error.is_outage());
        }
    }
    let unsaid = ProviderError::RateLimited { retry_after: None };
    assert!(
        errors(&keys(), &answer(429, ""))
            .iter()
            .all(|it| it.1 == unsaid)
    );
    let closed = with(answer(503, "sorry"), "retry-after", "60");
    let paused = ProviderError::RateLimited {
        retry_after: Some(60_000),
    };
    assert!(errors(&keys(), &closed).iter().all(|it| it.1 == paused));
}

#[test]
fn a_web_page_is_no_data() {
    let pages = [
        "<!DOCTYPE html><html><head><title>One moment</title>",
        "\u{feff} \r\n\t<html lang=\"en\">",
        "<?xml version=\"1.0\"?><Error>",
    ];
    for page in pages {
        for (_, error) in errors(&free(), &answer(200, page)) {
            assert_eq!(error, ProviderError::WebPage, "{page}");
            assert!(error.is_outage());
        }
        let refused = errors(&free(), &answer(403, page));
        let yahoo = refused.iter().find(|it| it.0 == Provider::Yahoo);
        assert_eq!(yahoo.map(|it| &it.1), Some(&ProviderError::WebPage));
    }
    // In another encoding too.
    let latin = b"<html>\xe9".to_vec();
    assert!(
        errors(&free(), &answer(200, latin))
            .iter()
            .all(|it| it.1 == ProviderError::WebPage)
    );
}

#[test]
fn what_is_no_text_is_malformed() {
    for (provider, error) in errors(&free(), &answer(200, b"\xff\xfe\x00{".to_vec())) {
        assert_eq!(error, ProviderError::Malformed("not UTF-8"), "{provider}");
    }
    for (provider, error) in errors(&free(), &answer(200, "")) {
        assert!(matches!(error, ProviderError::Malformed(_)), "{provider}");
    }
}

#[test]
fn nothing_changed_is_no_error() {
    for provider in BARS {
        let told = provider::parse(provider, &apple(), &keys(), answer(304, ""), now());
        assert_eq!(told, Ok(Told::Unchanged));
    }
    for (provider, series) in SERIES {
        let from = date("2019-01-02");
        let told = series::parse(provider, series, from, &keys(), answer(304, ""), now());
        assert_eq!(told, Ok(Told::Unchanged));
    }
}

#[test]
fn a_version_is_named_to_its_own_address_alone() {
    let named = |name: &'static str, request: &Request| {
        let mut values = request.headers.iter().filter(|(held, _)| *held == name);
        values.next().map(|(_, value)| value.clone())
    };
    let body = "Date,Open,High,Low,Close,Volume\r\n2026-11-20,1,2,1,2,5\r\n";
    let plain = answer(200, body);
    let tagged = with(plain.clone(), "etag", "W/\"a b\"");
    let stamp = "Fri, 20 Nov 2026 22:00:00 GMT";
    let both = with(tagged.clone(), "last-modified", stamp);
    let validator = |fetched| {
        new(provider::parse(
            Provider::Stooq,
            &apple(),
            &keys(),
            fetched,
            now(),
        ))
        .validator
    };
    assert_eq!(validator(plain.clone()), None);
    assert_eq!(validator(with(plain.clone(), "etag", "a\nb")), None);
    assert_eq!(validator(with(plain.clone(), "etag", "")), None);
    assert_eq!(validator(with(plain, "etag", &"x".repeat(257))), None);
    assert!(validator(tagged).is_some_and(|it| it.last_modified.is_none()));
    let known = validator(both).expect("a version");
    assert_eq!(known.of.len(), 64);

    for endpoints in [keys(), free()] {
        // The key is no part of the address.
        let again = provider::plan(Provider::Stooq, &apple(), &endpoints, Some(&known)).unwrap();
        assert_eq!(named("if-none-match", &again).as_deref(), Some("W/\"a b\""));
        assert_eq!(named("if-modified-since", &again).as_deref(), Some(stamp));
    }
    let elsewhere = Endpoints {
        base: Some("http://127.0.0.1:9".to_owned()),
        ..keys()
    };
    for (endpoints, need) in [
        (elsewhere, apple()),
        (keys(), need("MSFT", "2026-11-02", "2026-11-23")),
        (keys(), need("AAPL", "2026-11-03", "2026-11-23")),
    ] {
        let other = provider::plan(Provider::Stooq, &need, &endpoints, Some(&known)).unwrap();
        assert_eq!(named("if-none-match", &other), None);
    }
}

#[test]
fn requests_are_bounded_and_one_server_can_stand_in_for_all() {
    let base = Endpoints {
        base: Some("http://127.0.0.1:9/x".to_owned()),
        ..keys()
    };
    let there = requests(&base, None);
    for (real, there) in requests(&keys(), None).into_iter().zip(there) {
        assert_eq!((real.max_bytes, real.deadline_ms), (8 << 20, 10_000));
        let path = real.url.split('/').skip(3).collect::<Vec<_>>().join("/");
        let provider = there.url.split('/').nth(4).unwrap_or_default();
        assert!(provider.parse::<Provider>().is_ok(), "{}", there.url);
        assert_eq!(there.url, format!("http://127.0.0.1:9/x/{provider}/{path}"));
        assert!(real.headers.iter().any(|(name, _)| *name == "user-agent"));
        let names = real.headers.iter().map(|(name, _)| *name);
        assert!(
            names
                .into_iter()
                .all(|name| name == name.to_ascii_lowercase())
        );
    }
}

#[test]
fn a_server_s_own_words_are_short_plain_and_without_keys() {
    let words = format!(
        "no\u{202E} {KEY} of\r\n\0 {KEY} sec%2Fret%2B42 {}",
        "x".repeat(400)
    );
    let body = serde_json::json!({ "detail": words }).to_string();
    let told = provider::parse(
        Provider::Tiingo,
        &apple(),
        &keys(),
        answer(400, body),
        now(),
    );
    let Err(ProviderError::Said(said)) = told else {
        panic!("{told:?}")
    };
    assert!(said.starts_with("no … of … … xxx"), "{said}");
    assert_eq!(said.chars().count(), 200);
}

#[test]
fn no_key_is_shown() {
    for request in requests(&keys(), None) {
        let shown = format!("{request:?} {:?}", keys());
        assert!(!shown.contains("ret") && !shown.contains("42"), "{shown}");
    }
}

#[test]
fn who_has_what_is_known() {
    let unsupported = |error: &ProviderError| matches!(error, ProviderError::Unsupported(_));
    for provider in [Provider::Fred, Provider::Cboe] {
        let asked = provider::plan(provider, &apple(), &keys(), None);
        assert!(asked.is_err_and(|it| unsupported(&it)));
        let told = provider::parse(provider, &apple(), &keys(), answer(200, "x"), now());
        assert!(told.is_err_and(|it| unsupported(&it)));
    }
    for series in Series::ALL {
        for provider in Provider::ALL {
            let from = date("2025-01-02");
            let asked = series::plan(provider, series, from, &keys(), None);
            assert_eq!(asked.is_ok(), series.providers().contains(&provider));
            let told = series::parse(provider, series, from, &keys(), answer(500, "x"), now());
            let expected = !series.providers().contains(&provider);
            assert_eq!(told.is_err_and(|it| unsupported(&it)), expected);
        }
    }
}
