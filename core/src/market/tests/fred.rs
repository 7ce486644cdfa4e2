//! FRED, with a key and without one.

use super::*;

const CSV: &str = "observation_date,DGS10\n2026-11-18,4.13\n2026-11-19,\n2026-11-20,-0.12\n";

const JSON: &str = r#"{"realtime_start":"2026-11-23","realtime_end":"2026-11-23","observation_start":"2026-11-01","observation_end":"9999-12-31","units":"lin","output_type":1,"file_type":"json","order_by":"observation_date","sort_order":"asc","count":3,"offset":0,"limit":100000,"observations":[{"realtime_start":"2026-11-23","realtime_end":"2026-11-23","date":"2026-11-18","value":"4.13"},{"realtime_start":"2026-11-23","realtime_end":"2026-11-23","date":"2026-11-19","value":"."},{"realtime_start":"2026-11-23","realtime_end":"2026-11-23","date":"2026-11-20","value":"-0.12"}]}"#;

fn told_of(
    series: Series,
    endpoints: &Endpoints,
    fetched: Fetched,
) -> Result<Told<Observations>, ProviderError> {
    let from = date("2026-11-01");
    series::parse(Provider::Fred, series, from, endpoints, fetched, now())
}

fn csv(body: &str) -> Result<Told<Observations>, ProviderError> {
    told_of(Series::TenYear, &free(), answer(200, body))
}

fn api(status: u16, body: &str) -> Result<Told<Observations>, ProviderError> {
    told_of(Series::TenYear, &keys(), answer(status, body))
}

fn expected() -> Vec<Observation> {
    vec![(date("2026-11-18"), 4.13), (date("2026-11-20"), -0.12)]
}

#[test]
fn with_a_key_the_api_is_asked_and_without_one_the_csv() {
    let url = |series, endpoints: &Endpoints| {
        let request = series::plan(Provider::Fred, series, date("2026-11-01"), endpoints, None);
        request.unwrap().url
    };
    assert_eq!(
        url(Series::Vix, &keys()),
        "https://api.stlouisfed.org/fred/series/observations?series_id=VIXCLS&file_type=json\
         &observation_start=2026-11-01&api_key=sec%2Fret%2B42"
    );
    let ids = [
        (Series::Vix, "VIXCLS"),
        (Series::HighYieldSpread, "BAMLH0A0HYM2"),
        (Series::YieldCurve, "T10Y2Y"),
        (Series::TenYear, "DGS10"),
    ];
    for (series, id) in ids {
        assert_eq!(
            url(series, &free()),
            format!("https://fred.stlouisfed.org/graph/fredgraph.csv?id={id}&cosd=2026-11-01")
        );
    }
}

#[test]
fn values_are_read_and_a_day_without_one_is_none() {
    for held in [new(csv(CSV)), new(api(200, JSON))] {
        assert_eq!((held.values, held.rejected), (expected(), 0));
    }
    let older = CSV
        .replace("observation_date", "DATE")
        .replace("2026-11-19,\n", "2026-11-19,.\n");
    assert_eq!(new(csv(&older)).values, expected());
    let tagged = with(answer(200, CSV), "etag", "\"1\"");
    let held = new(told_of(Series::TenYear, &free(), tagged));
    assert!(held.validator.is_some());
    // Only holidays so far.
    assert_eq!(
        csv("observation_date,DGS10\n2026-11-11,.\n"),
        Err(ProviderError::Empty)
    );
    assert_eq!(csv("observation_date,DGS10\n"), Err(ProviderError::Empty));
}

#[test]
fn bad_rows_cost_themselves_only() {
    for (text, rejected) in [
        ("NaN", 1),
        ("n/a", 1),
        ("inf", 1),
        ("4,13", 1),
        ("1e999", 1),
        ("4.2", 0),
    ] {
        let held = new(csv(&format!("{CSV}2026-11-17,{text}\n")));
        assert_eq!(held.rejected, rejected, "{text}");
        assert_eq!(held.values.len(), 3 - rejected as usize);
    }
    for (day, rejected) in [("2026-11-24", 1), ("17.11.2026", 1), ("2026-10-30", 0)] {
        let held = new(csv(&format!("{CSV}{day},4.2\n")));
        assert_eq!((held.values.len(), held.rejected), (2, rejected), "{day}");
        let item = format!(r#"{{"date":"{day}","value":"4.2"}},{{"date":"#);
        let held = new(api(200, &JSON.replacen(r#"{"date":"#, &item, 0)));
        assert_eq!(held.values, expected());
    }
    let held = new(api(
        200,
        &JSON.replacen(r#""value":".""#, r#""value":4.2"#, 1),
    ));
    assert_eq!((held.values, held.rejected), (expected(), 1));
    let held = new(api(
        200,
        &JSON.replacen(r#""value":".""#, r#""value":"NaN""#, 1),
    ));
    assert_eq!((held.values, held.rejected), (expected(), 1));
    // Positive by nature.
    let body = "observation_date,VIXCLS\n2026-11-19,0\n2026-11-20,-3\n2026-11-23,18.2\n";
    let held = new(told_of(Series::Vix, &free(), answer(200, body)));
    assert_eq!((held.values.len(), held.rejected), (1, 2));
}

#[test]
fn rows_come_in_any_order_and_the_last_of_a_day_counts() {
    let held = new(csv(&format!("{CSV}2026-11-17,4.0\n2026-11-20,4.1\n")));
    assert_eq!(
        held.values,
        [
            (date("2026-11-17"), 4.0),
            (date("2026-11-18"), 4.13),
            (date("2026-11-20"), 4.1)
        ]
    );
}

#[test]
fn what_is_cut_off_is_no_number() {
    let held = new(csv(&CSV[..CSV.len() - 2]));
    assert_eq!((held.values, held.rejected), (expected()[..1].to_vec(), 1));
    for length in [1, 300, JSON.len() - 1] {
        let cut = api(200, &JSON[..length]);
        assert_eq!(cut, Err(ProviderError::Malformed("it is cut off")));
    }
}

#[test]
fn another_series_is_refused() {
    let other = CSV.replace("DGS10", "DGS2");
    assert_eq!(csv(&other), Err(ProviderError::WrongSymbol));
    assert_eq!(
        csv("sorry\n"),
        Err(ProviderError::Malformed("it has no header"))
    );
}

#[test]
fn its_own_errors_are_understood() {
    let cases = [
        (
            400,
            "Bad Request.  The value for variable api_key is not registered.",
            ProviderError::Unauthorized,
        ),
        (
            400,
            "Bad Request.  The series does not exist.",
            ProviderError::NotFound,
        ),
        (
            200,
            "Too Many Requests.  Exceeded Rate Limit",
            ProviderError::RateLimited { retry_after: None },
        ),
        (
            400,
            "Bad Request.  No.",
            ProviderError::Said("Bad Request. No.".into()),
        ),
    ];
    for (status, words, expected) in cases {
        let body = serde_json::json!({"error_code": 400, "error_message": words}).to_string();
        assert_eq!(api(status, &body), Err(expected), "{words}");
    }
    assert_eq!(
        api(200, "{}"),
        Err(ProviderError::Malformed("it has no observations"))
    );
}
