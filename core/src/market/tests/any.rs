//! Whatever a server sends: no panic, and nothing but what was promised.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn body() -> impl Strategy<Value = Vec<u8>> {
    let csv = prop::collection::vec(line(), 0..6).prop_map(|lines| {
        let header = "Date,Open,High,Low,Close,Volume,observation_date,DGS10,P/C Ratio\n";
        (header.to_owned() + &lines.concat()).into_bytes()
    });
    let json = prop_oneof![chart(), days()].prop_map(|json| json.to_string().into_bytes());
    let edited = (prop_oneof![csv, json], any::<usize>(), any::<Vec<u8>>()).prop_map(
        |(mut body, at, edit)| {
            if !edit.is_empty() && edit[0] < 64 {
                let at = at % (body.len() + 1);
                let end = (at + edit.len()).min(body.len());
                body.splice(at..end, edit);
            }
            body
        },
    );
    prop_oneof![1 => any::<Vec<u8>>(), 8 => edited]
}

fn line() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            "2026-11-[0-2][0-9]",
            "1?[0-9]/[0-2]?[0-9]/2026",
            "-?[0-9]{1,3}",
            "NaN|inf|\\.|"
        ],
        9,
    )
    .prop_map(|cells| cells.join(",") + "\n")
}

fn cell() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Null),
        8 => (90.0..110.0_f64).prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
    ]
}

fn chart() -> impl Strategy<Value = Value> {
    let row = (
        1_793_000_000..1_796_000_000_i64,
        prop::array::uniform6(cell()),
    );
    let zone = prop_oneof![
        "America/New_York",
        "Europe/(London|Athens|Moscow)",
        "Asia/Tokyo",
        ".*"
    ];
    let rows = prop::collection::vec(row, 0..12);
    (rows, zone, any::<i64>(), any::<bool>()).prop_map(|(rows, zone, offset, adjusted)| {
        let column = |at: usize| -> Vec<_> { rows.iter().map(|row| row.1[at].clone()).collect() };
        let times: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let quote = json!({"open": column(0), "high": column(1), "low": column(2),
            "close": column(3), "volume": column(4)});
        let adjclose = adjusted.then(|| json!([{"adjclose": column(5)}]));
        let meta = json!({"symbol": "AAPL", "exchangeTimezoneName": zone, "gmtoffset": offset});
        json!({"chart": {"result": [{"meta": meta, "timestamp": times,
            "indicators": {"quote": [quote], "adjclose": adjclose}}], "error": null}})
    })
}

fn days() -> impl Strategy<Value = Value> {
    let day = (
        "2026-11-[0-3][0-9](T00:00:00.000Z)?",
        prop::array::uniform5(cell()),
    );
    prop::collection::vec(day, 0..6).prop_map(|days| {
        let day = |(date, [open, high, low, close, volume]): &(String, [Value; 5])| {
            json!({"date": date, "adjOpen": open, "adjHigh": high, "adjLow": low,
                "adjClose": close, "adjVolume": volume, "value": close})
        };
        let days: Vec<_> = days.iter().map(day).collect();
        Value::from(days)
    })
}

fn header() -> impl Strategy<Value = (String, String)> {
    let name = prop_oneof!["etag", "last-modified", "retry-after"];
    (
        name,
        prop_oneof!["[0-9]{1,25}", ".*", "Mon, 23 Nov 2026 22:31:30 GMT"],
    )
}

proptest! {
    #[test]
    fn what_comes_out_is_what_was_promised(
        body in body(),
        status in prop_oneof![8 => Just(200_u16), 1 => prop::sample::select(vec![304, 400, 403, 404, 429, 503])],
        headers in prop::collection::vec(header(), 0..3),
    ) {
        let need = need("AAPL", "2026-11-03", "2026-11-20");
        let answer = Answer { status, headers, body };
        for endpoints in [keys(), free()] {
            for provider in [Provider::Yahoo, Provider::Stooq, Provider::Tiingo] {
                match provider::parse(provider, &need, &endpoints, Ok(answer.clone()), now()) {
                    Ok(Told::New(Bars { bars, .. })) => {
                        prop_assert!(!bars.is_empty());
                        prop_assert!(bars.is_sorted_by(|a, b| a.date < b.date));
                        for bar in &bars {
                            prop_assert_eq!(bar.check(now().date()), Ok(()));
                            prop_assert!((need.from..=need.to).contains(&bar.date));
                        }
                    }
                    Ok(Told::Unchanged) => prop_assert_eq!(status, 304),
                    Err(error) => prop_assert!(error.to_string().chars().count() < 250),
                }
            }
            for (provider, series, from) in [
                (Provider::Fred, Series::TenYear, "2026-11-03"),
                (Provider::Cboe, Series::Vix, "2026-11-03"),
                (Provider::Cboe, Series::PutCall, "2018-11-03"),
                (Provider::Cboe, Series::PutCall, "2026-11-03"),
            ] {
                let from = date(from);
                let fetched = Ok(answer.clone());
                let told = series::parse(provider, series, from, &endpoints, fetched, now());
                if let Ok(Told::New(Observations { values, .. })) = told {
                    prop_assert!(!values.is_empty());
                    prop_assert!(values.is_sorted_by(|a, b| a.0 < b.0));
                    for (day, value) in &values {
                        prop_assert!((from..=now().date()).contains(day));
                        prop_assert!(value.is_finite());
                    }
                }
            }
        }
    }
}
