//! Tiingo's JSON: adjusted columns, and its refusals.

use super::*;

/// Nvidia around its 10:1 split of 2024-06-10.
const SPLIT: &str = r#"[{"date":"2024-06-06T00:00:00.000Z","close":1209.98,"high":1255.87,"low":1183.2,"open":1240.48,"volume":66469600,"adjClose":120.948,"adjHigh":125.535,"adjLow":118.271,"adjOpen":123.997,"adjVolume":664696000,"divCash":0.0,"splitFactor":1.0},
{"date":"2024-06-07T00:00:00.000Z","close":1208.88,"high":1216.917,"low":1180.22,"open":1197.7,"volume":41238580,"adjClose":120.838,"adjHigh":121.641,"adjLow":117.973,"adjOpen":119.720,"adjVolume":412385800,"divCash":0.0,"splitFactor":1.0},
{"date":"2024-06-10T00:00:00.000Z","close":121.79,"high":123.1,"low":117.01,"open":120.37,"volume":308134810,"adjClose":121.739,"adjHigh":123.049,"adjLow":116.961,"adjOpen":120.320,"adjVolume":308134810,"divCash":0.0,"splitFactor":10.0}]"#;

fn told(status: u16, body: &str) -> Result<Told<Bars>, ProviderError> {
    let need = need("NVDA", "2024-06-01", "2026-11-23");
    provider::parse(
        Provider::Tiingo,
        &need,
        &keys(),
        answer(status, body),
        now(),
    )
}

#[test]
fn the_key_is_in_a_header() {
    let need = need("BRK-B", "2018-01-02", "2026-11-23");
    let request = provider::plan(Provider::Tiingo, &need, &keys(), None).unwrap();
    assert_eq!(
        request.url,
        "https://api.tiingo.com/tiingo/daily/BRK-B/prices?startDate=2018-01-02\
         &endDate=2026-11-23&format=json&resampleFreq=daily"
    );
    let token = ("authorization", format!("Token {KEY}"));
    assert!(request.headers.contains(&token));
    let unsupported = |need: &Need, tiingo: Option<&str>| {
        let endpoints = Endpoints {
            tiingo: tiingo.map(|key| ApiKey(key.to_owned())),
            ..Endpoints::default()
        };
        let asked = provider::plan(Provider::Tiingo, need, &endpoints, None);
        matches!(asked, Err(ProviderError::Unsupported(_)))
    };
    assert!(unsupported(&need, None));
    assert!(unsupported(&need, Some("a\r\nb: c")));
    let index = super::need("^GSPC", "2018-01-02", "2026-11-23");
    assert!(unsupported(&index, Some(KEY)));
}

#[test]
fn a_split_is_no_crash() {
    let held = new(told(200, SPLIT));
    assert_no_crash(&held.bars);
    assert_eq!(
        shown(&held.bars[1..]),
        [
            (
                "2024-06-07".into(),
                [119.72, 121.641, 117.973, 120.838, 412_385_800.0]
            ),
            (
                "2024-06-10".into(),
                [120.32, 123.049, 116.961, 121.739, 308_134_810.0]
            ),
        ]
    );
    assert_eq!(held.rejected, 0);
}

#[test]
fn its_own_errors_are_understood() {
    let limited = ProviderError::RateLimited { retry_after: None };
    let cases = [
        (404, r#"{"detail":"Not found."}"#, ProviderError::NotFound),
        (
            200,
            r#"{"detail":"Error: Ticker 'XYZ' not found"}"#,
            ProviderError::NotFound,
        ),
        (
            401,
            r#"{"detail":"Invalid token."}"#,
            ProviderError::Unauthorized,
        ),
        (
            200,
            r#"{"detail":"Invalid token."}"#,
            ProviderError::Unauthorized,
        ),
        (
            200,
            r#"{"detail":"Error: You have run over your hourly request allocation."}"#,
            limited.clone(),
        ),
        (
            200,
            "Error: You have run over your 500 symbol lookup for this month.",
            limited,
        ),
        (
            400,
            r#"{"detail":"Error: Bad date"}"#,
            ProviderError::Said("Error: Bad date".into()),
        ),
        (200, "[]", ProviderError::Empty),
        (
            200,
            r#"{"error":1}"#,
            ProviderError::Malformed("it is not the JSON that is documented"),
        ),
        (200, "Sorry", ProviderError::Malformed("it is no JSON")),
        (500, r#"{"detail":"oops"}"#, ProviderError::Status(500)),
    ];
    for (status, body, expected) in cases {
        assert_eq!(told(status, body), Err(expected), "{status} {body}");
    }
    for length in [1, 300, SPLIT.len() - 1] {
        let cut = told(200, &SPLIT[..length]);
        assert_eq!(cut, Err(ProviderError::Malformed("it is cut off")));
    }
}

#[test]
fn bad_rows_cost_themselves_only() {
    let bad = [
        (r#""adjOpen":119.720"#, r#""adjOpen":null"#),
        (r#""adjOpen":119.720"#, r#""adjOpen":"119.72""#),
        (r#""adjOpen":119.720"#, r#""adjOpen":1e999"#),
        (r#""adjOpen":119.720,"#, ""),
        (r#""adjLow":117.973"#, r#""adjLow":0"#),
        (r#""adjHigh":121.641"#, r#""adjHigh":120.7"#),
        (r#""adjVolume":412385800"#, r#""adjVolume":-1"#),
        (
            r#""date":"2024-06-07T00:00:00.000Z""#,
            r#""date":"2024-06-07T04:00:00.000Z""#,
        ),
        (r#""date":"2024-06-07T00:00:00.000Z""#, r#""date":"7 June""#),
        (r#""date":"2024-06-07T00:00:00.000Z""#, r#""date":7"#),
        (
            r#""date":"2024-06-07T00:00:00.000Z""#,
            r#""date":"2026-11-24T00:00:00.000Z""#,
        ),
        (r#""date":"2024-06-07T00:00:00.000Z","#, ""),
    ];
    for (good, bad) in bad {
        assert!(SPLIT.contains(good), "{good}");
        let held = new(told(200, &SPLIT.replacen(good, bad, 1)));
        assert_eq!(dates(&held.bars), ["2024-06-06", "2024-06-10"], "{bad}");
        assert_eq!(held.rejected, 1, "{bad}");
    }
    let null = r#"{"date":"2024-06-11T00:00:00.000Z","adjClose":null,"adjHigh":null}]"#;
    let held = new(told(200, &SPLIT.replace("}]", &format!("}},{null}"))));
    assert_eq!((held.bars.len(), held.rejected), (3, 0));
    let held = new(told(200, &SPLIT.replace("}]", "},7,[]]")));
    assert_eq!((held.bars.len(), held.rejected), (3, 2));
}

#[test]
fn rows_come_in_any_order_and_the_last_of_a_day_counts() {
    let mut days: Vec<serde_json::Value> = serde_json::from_str(SPLIT).unwrap();
    days.reverse();
    let mut again = days[1].clone();
    again["adjOpen"] = 120.5.into();
    days.push(again);
    let held = new(told(200, &serde_json::to_string(&days).unwrap()));
    assert_eq!(
        dates(&held.bars),
        ["2024-06-06", "2024-06-07", "2024-06-10"]
    );
    assert_eq!((held.bars[1].open, held.rejected), (120.5, 0));
}
