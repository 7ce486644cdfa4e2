//! Stooq's CSV, and what it says in its place.

use super::*;

const DAYS: &str = "Date,Open,High,Low,Close,Volume\r\n\
    2026-11-18,268.1,270.55,266.8,269.7,41203100\r\n\
    2026-11-19,269.9,272,268.05,271.44,38771200\r\n\
    2026-11-20,271,273.3,270.2,272.95,45233900\r\n";

fn told_of(symbol: &str, body: &str) -> Result<Told<Bars>, ProviderError> {
    let need = need(symbol, "2026-11-02", "2026-11-23");
    provider::parse(Provider::Stooq, &need, &free(), answer(200, body), now())
}

fn told(body: &str) -> Result<Told<Bars>, ProviderError> {
    told_of("AAPL", body)
}

#[test]
fn the_address_has_its_name_for_the_symbol() {
    let url = |symbol: &str, endpoints: &Endpoints| {
        let need = need(symbol, "2018-01-02", "2026-11-23");
        let request = provider::plan(Provider::Stooq, &need, endpoints, None);
        request.map(|request| request.url)
    };
    let none = Endpoints::default();
    assert_eq!(
        url("BRK-B", &none).unwrap(),
        "https://stooq.com/q/d/l/?s=brk-b.us&i=d&d1=20180102&d2=20261123"
    );
    assert_eq!(
        url("^SPX", &keys()).unwrap(),
        "https://stooq.com/q/d/l/?s=%5Espx&i=d&d1=20180102&d2=20261123&apikey=sec%2Fret%2B42"
    );
    for symbol in [
        "EURUSD=X", "ES=F", "VOD.L", "BTC-USD", "A-B-C", "-A", "A-", "^A.B",
    ] {
        let unsupported = ProviderError::Unsupported("it has no such kind of symbol");
        assert_eq!(url(symbol, &none), Err(unsupported), "{symbol}");
    }
}

#[test]
fn rows_are_bars() {
    let held = new(told(DAYS));
    assert_eq!(
        shown(&held.bars),
        [
            (
                "2026-11-18".into(),
                [268.1, 270.55, 266.8, 269.7, 41_203_100.0]
            ),
            (
                "2026-11-19".into(),
                [269.9, 272.0, 268.05, 271.44, 38_771_200.0]
            ),
            (
                "2026-11-20".into(),
                [271.0, 273.3, 270.2, 272.95, 45_233_900.0]
            ),
        ]
    );
    assert_eq!((held.rejected, held.validator), (0, None));
    // A byte-order mark, other line ends, quotes.
    let other = format!(
        "\u{feff}{}",
        DAYS.replace("\r\n", "\n").replace("271.44", "\"271.44\"")
    );
    assert_eq!(new(told(&other)).bars, held.bars);
}

#[test]
fn its_own_words_are_understood() {
    let cases = [
        ("No data", ProviderError::Empty),
        ("No data\r\n", ProviderError::Empty),
        (
            "Exceeded the daily hits limit",
            ProviderError::RateLimited { retry_after: None },
        ),
        (
            "Get your apikey:\n\n1. Open https://stooq.com/q/d/?s=aapl.us&get_apikey\n",
            ProviderError::Unauthorized,
        ),
        ("Access denied", ProviderError::Said("Access denied".into())),
        ("\r\n", ProviderError::Malformed("it is empty")),
        ("Date,Open,High,Low,Close,Volume\r\n", ProviderError::Empty),
        (
            "<!DOCTYPE html><noscript>This site requires JavaScript to verify your browser",
            ProviderError::WebPage,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(told(body), Err(expected), "{body}");
    }
}

#[test]
fn bad_rows_cost_themselves_only() {
    let bad = [
        "2026-11-17,268.1,270.55,266.8,269.7\r\n",
        "2026-11-17,268.1,270.55,266.8,269.7,1,1\r\n",
        "2026-11-17,NaN,NaN,NaN,NaN,NaN\r\n",
        "2026-11-17,268.1,270.55,266.8,269.7,\r\n",
        "2026-11-17,,270.55,266.8,269.7,1\r\n",
        "2026-11-17,268.1,266.8,270.55,269.7,1\r\n",
        "2026-11-17,268.1,270.55,-1,269.7,1\r\n",
        "2026-11-17,268.1,270.55,inf,269.7,1\r\n",
        "2026-11-31,268.1,270.55,266.8,269.7,1\r\n",
        "2026-11-24,268.1,270.55,266.8,269.7,1\r\n",
        "20261117,268.1,270.55,266.8,269.7,1\r\n",
        "2026-11-17,\"268.1,270.55,266.8,269.7,1\r\n",
        "N/D,N/D,N/D,N/D,N/D,N/D\r\n",
    ];
    for row in bad {
        let held = new(told(&format!("{DAYS}{row}")));
        assert_eq!(held.bars.len(), 3, "{row}");
        assert_eq!(held.rejected, 1, "{row}");
    }
    // A day without numbers, and days that were not asked for.
    for row in ["2026-11-17,,,,,\r\n", "2026-10-30,1,1,1,1,1\r\n"] {
        let held = new(told(&format!("{DAYS}{row}")));
        assert_eq!((held.bars.len(), held.rejected), (3, 0), "{row}");
    }
}

#[test]
fn rows_come_in_any_order_and_the_last_of_a_day_counts() {
    let held = new(told(&format!(
        "{DAYS}2026-11-17,1,1,1,1,1\r\n2026-11-19,2,2,2,2,2\r\n2026-11-19,3,2,2,2,2\r\n"
    )));
    let closes: Vec<_> = held.bars.iter().map(|bar| bar.close).collect();
    assert_eq!(closes, [1.0, 269.7, 2.0, 272.95]);
    assert_eq!(held.rejected, 1);
}

#[test]
fn what_is_cut_off_is_no_number() {
    // In the volume of the last row, or before it.
    for (missing, kept) in [(1, 3), (2, 2), (4, 2), (20, 2), (50, 1)] {
        let held = new(told(&DAYS[..DAYS.len() - missing]));
        assert_eq!(held.bars.len(), kept, "{missing}");
        assert_eq!(held.bars, new(told(DAYS)).bars[..kept], "{missing}");
    }
    assert_eq!(
        told(&DAYS[..20]),
        Err(ProviderError::Malformed("it lacks a column"))
    );
}

#[test]
fn an_index_has_no_volume_and_a_share_does() {
    let index = "Date,Open,High,Low,Close\r\n2026-11-20,6700,6710,6690,6705.5\r\n";
    let held = new(told_of("^SPX", index));
    assert_eq!(
        shown(&held.bars),
        [("2026-11-20".into(), [6700.0, 6710.0, 6690.0, 6705.5, 0.0])]
    );
    assert_eq!(
        told(index),
        Err(ProviderError::Malformed("it lacks a column"))
    );
    let missing = "Date,Open,High,Low,Close,Volume\r\n2026-11-20,6700,6710,6690,6705.5,\r\n";
    assert!(told_of("^SPX", missing).is_err());
}

#[test]
fn more_rows_than_there_can_be_are_refused() {
    let many = format!("{DAYS}{}", "2026-11-20,1,1,1,1,1\r\n".repeat(19_998));
    assert_eq!(
        told(&many),
        Err(ProviderError::Malformed("it has too many rows"))
    );
    let most = format!("{DAYS}{}", "2026-11-20,1,1,1,1,1\r\n".repeat(19_997));
    assert!(told(&most).is_ok());
}
