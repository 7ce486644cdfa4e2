//! Yahoo's chart: splits, time zones, and the ways its rows go wrong.

use serde_json::{Value, json};

use super::*;

/// Nvidia around its 10:1 split of 2024-06-10, as the chart API writes it.
const SPLIT: &str = r#"{"chart":{"result":[{"meta":{"currency":"USD","symbol":"NVDA","exchangeName":"NMS","fullExchangeName":"NasdaqGS","instrumentType":"EQUITY","firstTradeDate":917015400,"regularMarketTime":1795467600,"hasPrePostMarketData":true,"gmtoffset":-18000,"timezone":"EST","exchangeTimezoneName":"America/New_York","regularMarketPrice":180.5,"priceHint":2,"currentTradingPeriod":{"regular":{"timezone":"EST","end":1795467600,"start":1795444200,"gmtoffset":-18000}},"dataGranularity":"1d","range":"","validRanges":["1d","max"]},"timestamp":[1717680600,1717767000,1718026200,1718112600],"events":{"dividends":{"1718112600":{"amount":0.01,"date":1718112600}},"splits":{"1718026200":{"date":1718026200,"numerator":10.0,"denominator":1.0,"splitRatio":"10:1"}}},"indicators":{"quote":[{"open":[124.04799652099609,119.7699966430664,120.37000274658203,121.7699966430664],"close":[120.99800109863281,120.88800048828125,121.79000091552734,120.91000366210938],"low":[118.31999969482422,118.02200317382812,117.01000213623047,118.73999786376953],"high":[125.58699798583984,121.69200134277344,123.0999984741211,122.87000274658203],"volume":[664696000,412386000,314162700,222551200]}],"adjclose":[{"adjclose":[120.94800567626953,120.83803558349609,121.73967742919922,120.87000274658203]}]}}],"error":null}}"#;

fn told(symbol: &str, body: &str) -> Result<Told<Bars>, ProviderError> {
    let need = need(symbol, "2024-06-01", "2026-11-23");
    provider::parse(Provider::Yahoo, &need, &free(), answer(200, body), now())
}

fn refused(body: &Value) -> ProviderError {
    told("AAPL", &body.to_string()).expect_err("no bars")
}

/// A chart of a share in New York: its times, and open, high, low, close, volume and adjusted close
/// of each.
fn chart(rows: &[(&str, [Value; 6])]) -> Value {
    let column = |at: usize| -> Vec<Value> { rows.iter().map(|row| row.1[at].clone()).collect() };
    let times: Vec<i64> = rows.iter().map(|row| at(row.0).0 / 1000).collect();
    json!({"chart": {"result": [{
        "meta": {"symbol": "AAPL", "instrumentType": "EQUITY", "gmtoffset": -18000,
            "exchangeTimezoneName": "America/New_York", "dataGranularity": "1d"},
        "timestamp": times,
        "indicators": {
            "quote": [{"open": column(0), "high": column(1), "low": column(2), "close": column(3),
                "volume": column(4)}],
            "adjclose": [{"adjclose": column(5)}]},
    }], "error": null}})
}

/// Plain numbers around a price.
fn row(price: f64) -> [Value; 6] {
    [price, price + 1.0, price - 1.0, price, 1000.0, price].map(Value::from)
}

fn bars(rows: &[(&str, [Value; 6])]) -> Bars {
    new(told("AAPL", &chart(rows).to_string()))
}

/// `chart` with the member at that pointer replaced, or taken out.
fn but(mut chart: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = format!("/chart/result/0{parent}");
    let parent = chart.pointer_mut(&parent).and_then(Value::as_object_mut);
    let parent = parent.expect("it is there");
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    chart
}

#[test]
fn the_address_is_the_same_all_day() {
    let need = need("^GSPC", "2018-01-02", "2026-11-23");
    let request = provider::plan(Provider::Yahoo, &need, &Endpoints::default(), None).unwrap();
    assert_eq!(
        request.url,
        "https://query1.finance.yahoo.com/v8/finance/chart/%5EGSPC?period1=1514764800\
         &period2=1795478400&interval=1d&events=div%2Csplit&includeAdjustedClose=true"
    );
    let agent = request.headers.iter().find(|it| it.0 == "user-agent");
    assert!(agent.is_some_and(|it| it.1.starts_with("Mozilla/5.0")));
}

#[test]
fn a_split_is_no_crash() {
    let Bars { bars, rejected, .. } = new(told("NVDA", SPLIT));
    assert_eq!(rejected, 0);
    assert_eq!(
        dates(&bars),
        ["2024-06-06", "2024-06-07", "2024-06-10", "2024-06-11"]
    );
    assert_no_crash(&bars);
    // The close is the adjusted one, and the other prices are scaled with it.
    let factor = 120.838_04 / 120.888;
    assert!((bars[1].close - 120.838_04).abs() < 1e-4, "{:?}", bars[1]);
    assert!(
        (bars[1].open - 119.77 * factor).abs() < 1e-4,
        "{:?}",
        bars[1]
    );
    assert!((bars[1].high - 121.692 * factor).abs() < 1e-4);
    assert!((bars[1].low - 118.022 * factor).abs() < 1e-4);
    assert_eq!(bars[1].volume, 412_386_000.0);
}

#[test]
fn prices_of_single_precision_are_what_was_meant() {
    let given = [
        ("149.99000549316406", 149.99),
        ("0.000012339999557298142", 1.234e-5),
        ("0.00001234999996", 1.234_999_996e-5),
        ("44293.12890625", 44293.13),
        ("745123.4375", 745_123.437_5),
        ("97279.7890625", 97279.79),
        ("120.838035", 120.838_035),
        ("150", 150.0),
    ];
    for (text, meant) in given {
        let price: Value = serde_json::from_str(text).unwrap();
        let mut all = row(0.0).map(|_| price.clone());
        all[4] = json!(16_777_219);
        let held = bars(&[("2026-11-20T14:30:00Z", all)]).bars;
        assert_eq!(held[0].close, meant, "{text}");
        assert_eq!(held[0].volume, 16_777_219.0);
    }
}

#[test]
fn rows_come_in_any_order_and_the_last_of_a_day_counts() {
    let held = bars(&[
        ("2026-11-20T14:30:00Z", row(20.0)),
        ("2026-11-18T14:30:00Z", row(18.0)),
        ("2026-11-19T14:30:00Z", row(19.0)),
        ("2026-11-19T14:30:00Z", row(19.5)),
        // The running session: its row, and one of the last trade.
        ("2026-11-23T20:59:58Z", row(23.5)),
        ("2026-11-23T14:30:00Z", row(23.0)),
    ]);
    let closes: Vec<_> = held.bars.iter().map(|bar| bar.close).collect();
    assert_eq!(closes, [18.0, 19.5, 20.0, 23.5]);
    assert_eq!(
        dates(&held.bars),
        ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-23"]
    );
    assert_eq!(held.rejected, 0);
}

#[test]
fn a_row_of_nulls_is_no_row_and_one_with_some_is_refused() {
    let null = Value::Null;
    let mut no_adjusted = row(17.0);
    no_adjusted[5] = null.clone();
    let mut no_volume = row(18.0);
    no_volume[4] = null.clone();
    let mut no_prices = row(19.0).map(|_| null.clone());
    no_prices[4] = json!(0);
    let held = bars(&[
        ("2026-11-16T14:30:00Z", row(16.0)),
        ("2026-11-17T14:30:00Z", no_adjusted),
        ("2026-11-18T14:30:00Z", no_volume),
        ("2026-11-19T14:30:00Z", no_prices),
        ("2026-11-20T14:30:00Z", row(0.0).map(|_| null.clone())),
    ]);
    assert_eq!(dates(&held.bars), ["2026-11-16"]);
    assert_eq!(held.rejected, 2);
}

#[test]
fn numbers_that_are_none_cost_their_row() {
    let cases = [
        (0, json!("NaN")),
        (1, json!(-1)),
        (2, json!(0)),
        (3, json!(true)),
        (4, json!(-1)),
        (5, json!(0)),
        (5, json!(-3.5)),
        (5, json!([])),
        (1, json!(15.9)),
        (2, json!(16.1)),
    ];
    for (column, value) in cases {
        let mut bad = row(16.0);
        bad[column] = value.clone();
        let rows = [
            ("2026-11-17T14:30:00Z", bad),
            ("2026-11-18T14:30:00Z", row(18.0)),
        ];
        let held = bars(&rows);
        assert_eq!(dates(&held.bars), ["2026-11-18"], "{column}: {value}");
        assert_eq!(held.rejected, 1, "{column}: {value}");
    }
    // A number that no f64 holds; a bare NaN is no JSON at all.
    let good = chart(&[
        ("2026-11-17T14:30:00Z", row(16.0)),
        ("2026-11-18T14:30:00Z", row(18.0)),
    ]);
    let huge = good.to_string().replacen("17.0", "1e999", 1);
    let held = new(told("AAPL", &huge));
    assert_eq!(
        (dates(&held.bars), held.rejected),
        (vec!["2026-11-18".into()], 1)
    );
    let bare = good.to_string().replacen("17.0", "NaN", 1);
    assert_eq!(
        told("AAPL", &bare),
        Err(ProviderError::Malformed("it is no JSON"))
    );
}

#[test]
fn rounding_is_made_up_for_and_nothing_more() {
    // The close is the high, and scaled on its own comes out below itself: 666.47 * (879.58 / 666.47)
    // is less than 879.58. And the other way round.
    let high = [600.0, 666.47, 590.0, 666.47, 10.0, 879.58].map(Value::from);
    let low = [160.0, 170.0, 155.55, 155.55, 10.0, 650.37].map(Value::from);
    let held = bars(&[
        ("2026-11-18T14:30:00Z", high),
        ("2026-11-19T14:30:00Z", low),
    ]);
    assert_eq!(held.rejected, 0);
    assert_eq!((held.bars[0].high, held.bars[1].low), (879.58, 650.37));
    for off in [
        [3.3, 3.2999, 1.1, 1.1, 10.0, 0.7],
        [3.3, 3.3, 1.1001, 1.1, 10.0, 0.7],
    ] {
        let chart = chart(&[("2026-11-18T14:30:00Z", off.map(Value::from))]);
        assert_eq!(
            refused(&chart),
            ProviderError::Malformed("no row of it can be read")
        );
    }
}

#[test]
fn what_has_not_been_is_refused_and_what_was_not_asked_for_left_out() {
    let held = bars(&[
        ("2024-05-31T13:30:00Z", row(1.0)),
        ("2024-06-03T13:30:00Z", row(2.0)),
        ("2026-11-24T14:30:00Z", row(3.0)),
        ("2096-11-23T14:30:00Z", row(4.0)),
    ]);
    assert_eq!(dates(&held.bars), ["2024-06-03"]);
    assert_eq!(held.rejected, 2);
    let mut far = chart(&[
        ("2026-11-18T14:30:00Z", row(18.0)),
        ("2026-11-19T14:30:00Z", row(19.0)),
    ]);
    for time in [i64::MAX, i64::MIN] {
        far = but(far, "/timestamp", Some(json!([time, 1_795_185_000])));
        let held = new(told("AAPL", &far.to_string()));
        assert_eq!(dates(&held.bars), ["2026-11-20"]);
    }
}

/// The dates of rows at those times, of something that is no share.
fn dated(zone: &str, offset: i64, times: &[&str]) -> Vec<String> {
    let rows: Vec<_> = times.iter().map(|time| (*time, row(100.0))).collect();
    let meta = json!({"symbol": "AAPL", "instrumentType": "CURRENCY", "gmtoffset": offset,
        "exchangeTimezoneName": zone});
    let chart = but(chart(&rows), "/meta", Some(meta));
    dates(&new(told("AAPL", &chart.to_string())).bars)
}

#[test]
fn a_row_has_its_exchange_s_date_whatever_today_s_offset_is() {
    // Both weekends on which clocks change, in New York at the opening and, as futures are, at
    // midnight; and in London at midnight, as currencies are.
    let new_york = [
        "2026-03-06T14:30:00Z",
        "2026-03-09T13:30:00Z",
        "2026-10-30T13:30:00Z",
        "2026-11-02T14:30:00Z",
    ];
    let futures = [
        "2026-03-06T05:00:00Z",
        "2026-03-09T04:00:00Z",
        "2026-10-30T04:00:00Z",
        "2026-11-02T05:00:00Z",
    ];
    let expected = ["2026-03-06", "2026-03-09", "2026-10-30", "2026-11-02"];
    for offset in [-18_000, -14_400] {
        assert_eq!(dated("America/New_York", offset, &new_york), expected);
        assert_eq!(dated("America/New_York", offset, &futures), expected);
        let chicago = futures.map(|time| at(time).plus(3_600_000).to_string());
        let chicago: Vec<&str> = chicago.iter().map(String::as_str).collect();
        assert_eq!(dated("America/Chicago", offset, &chicago), expected);
    }
    let london = [
        "2026-03-27T00:00:00Z",
        "2026-03-29T23:00:00Z",
        "2026-10-22T23:00:00Z",
        "2026-10-26T00:00:00Z",
    ];
    let expected = ["2026-03-27", "2026-03-30", "2026-10-23", "2026-10-26"];
    for offset in [0, 3_600] {
        assert_eq!(dated("Europe/London", offset, &london), expected);
        for (zone, hours) in [("Europe/Berlin", 1), ("Europe/Athens", 2)] {
            let earlier = london.map(|time| at(time).plus(-3_600_000 * hours).to_string());
            let earlier: Vec<&str> = earlier.iter().map(String::as_str).collect();
            assert_eq!(dated(zone, offset, &earlier), expected, "{zone}");
        }
    }
    let tokyo = dated("Asia/Tokyo", 32_400, &["2026-11-20T00:00:00Z"]);
    assert_eq!(tokyo, ["2026-11-20"]);
    let sydney = dated("Australia/Sydney", 39_600, &["2026-11-19T23:00:00Z"]);
    assert_eq!(sydney, ["2026-11-20"]);
    let crypto = dated("UTC", 0, &["2026-11-22T00:00:00Z"]);
    assert_eq!(crypto, ["2026-11-22"]);
}

#[test]
fn what_is_no_share_is_taken_as_it_is() {
    let good = chart(&[("2026-11-20T14:30:00Z", row(20.0))]);
    let without = but(good, "/indicators/adjclose", None);
    assert_eq!(
        refused(&without),
        ProviderError::Malformed("it has no adjusted closes")
    );
    let index = but(without, "/meta/instrumentType", Some(json!("INDEX")));
    let held = new(told("AAPL", &index.to_string())).bars;
    assert_eq!(
        shown(&held),
        [("2026-11-20".into(), [20.0, 21.0, 19.0, 20.0, 1000.0])]
    );
    let empty = but(index, "/indicators/adjclose", Some(json!([{}])));
    assert_eq!(new(told("AAPL", &empty.to_string())).bars, held);
}

#[test]
fn another_chart_than_the_one_asked_for_is_refused() {
    let good = chart(&[("2026-11-20T14:30:00Z", row(20.0))]);
    let symbol = |name: &str| but(good.clone(), "/meta/symbol", Some(json!(name)));
    assert_eq!(refused(&symbol("MSFT")), ProviderError::WrongSymbol);
    assert!(told("AAPL", &symbol("aapl").to_string()).is_ok());
    let weeks = but(good.clone(), "/meta/dataGranularity", Some(json!("1wk")));
    let malformed = [
        (weeks, "its rows are not days"),
        (
            but(good.clone(), "/indicators/quote/0/high", Some(json!([]))),
            "its columns differ in length",
        ),
        (
            but(good.clone(), "/indicators/quote/0/volume", None),
            "its columns differ in length",
        ),
        (
            but(good.clone(), "/timestamp", Some(json!([1, 2]))),
            "its columns differ in length",
        ),
        (
            but(good.clone(), "/indicators/quote", Some(json!([]))),
            "it has no quotes",
        ),
        (
            but(good.clone(), "/timestamp", Some(json!(vec![1; 20_001]))),
            "it has too many rows",
        ),
        (
            but(good.clone(), "/meta/symbol", None),
            "it is not the JSON that is documented",
        ),
        (
            but(good, "/meta", Some(json!({"symbol": "AAPL"}))),
            "it has no time zone",
        ),
        (
            json!({"chart": {"result": [], "error": null}}),
            "its chart is empty",
        ),
        (json!({"quoteResponse": {}}), "it has no chart"),
    ];
    for (body, why) in malformed {
        assert_eq!(refused(&body), ProviderError::Malformed(why));
    }
    for length in [1, 700, SPLIT.len() - 1] {
        assert_eq!(
            told("NVDA", &SPLIT[..length]),
            Err(ProviderError::Malformed("it is cut off"))
        );
    }
}

#[test]
fn its_own_errors_are_understood() {
    let said = |text: &str| ProviderError::Said(text.to_owned());
    let cases = [
        (
            404,
            "Not Found",
            "No data found, symbol may be delisted",
            ProviderError::NotFound,
        ),
        (
            200,
            "Not Found",
            "No data found, symbol may be delisted",
            ProviderError::NotFound,
        ),
        (
            400,
            "Bad Request",
            "Data doesn't exist for startDate = 1591957, endDate = 1781260",
            ProviderError::Empty,
        ),
        (
            400,
            "Bad Request",
            "1d data not available",
            said("1d data not available"),
        ),
        (
            422,
            "Unprocessable Entity",
            "Invalid input",
            said("Invalid input"),
        ),
        (
            200,
            "Too Many Requests",
            "Rate limited",
            ProviderError::RateLimited { retry_after: None },
        ),
    ];
    for (status, code, description, expected) in cases {
        for member in ["chart", "finance"] {
            let fault = json!({"code": code, "description": description});
            let body = json!({member: {"result": null, "error": fault}}).to_string();
            let need = need("AAPL", "2024-06-01", "2026-11-23");
            let fetched = answer(status, body);
            let told = provider::parse(Provider::Yahoo, &need, &free(), fetched, now());
            assert_eq!(told, Err(expected.clone()), "{status} {description}");
        }
    }
    // What it answers where there is no session in the dates.
    let none = but(chart(&[]), "/timestamp", None);
    let none = but(
        none,
        "/indicators",
        Some(json!({"quote": [{}], "adjclose": [{}]})),
    );
    assert_eq!(refused(&none), ProviderError::Empty);
}
