//! Cboe's files: the volatility index, the archive of put/call ratios, and a day's statistics.

use super::*;

const VIX: &str = "DATE,OPEN,HIGH,LOW,CLOSE\n\
    01/02/1990,17.240000,17.240000,17.240000,17.240000\n\
    11/19/2026,18.300000,19.120000,17.900000,18.050000\n\
    11/20/2026,18.010000,18.770000,17.450000,17.620000\n";

const RATIOS: &str = "Volume and Put/Call Ratio data is compiled for the convenience of visitors,,,,\r\n\
    , PRODUCT: TOTAL,,EXCHANGE: Cboe,\r\n\
    DATE,CALLS,PUTS,TOTAL,P/C Ratio\r\n\
    11/1/2006,1401036,1271445,2672481,0.91\r\n\
    10/03/2019, 2175006, 2289715, 4464721, 1.05\r\n\
    10/04/2019, 1975006, 1889715, 3864721, 0.96\r\n";

const DAY: &str = r#"{"ratios":[{"name":"INDEX PUT/CALL RATIO","value":"1.01"},{"name":"TOTAL PUT/CALL RATIO","value":"0.84"},{"name":"EQUITY PUT/CALL RATIO","value":"0.55"}],"SUM OF ALL PRODUCTS":[{"name":"VOLUME","call":6031257,"put":6071481,"total":12102738}]}"#;

fn told(series: Series, from: &str, fetched: Fetched) -> Result<Told<Observations>, ProviderError> {
    let endpoints = Endpoints::default();
    series::parse(
        Provider::Cboe,
        series,
        date(from),
        &endpoints,
        fetched,
        now(),
    )
}

fn vix(body: &str) -> Result<Told<Observations>, ProviderError> {
    told(Series::Vix, "2018-01-02", answer(200, body))
}

fn ratios(body: &str) -> Result<Told<Observations>, ProviderError> {
    told(Series::PutCall, "2018-01-02", answer(200, body))
}

fn day(from: &str, fetched: Fetched) -> Result<Told<Observations>, ProviderError> {
    told(Series::PutCall, from, fetched)
}

#[test]
fn each_file_has_its_address() {
    let url = |series, from: &str| {
        let none = Endpoints::default();
        series::plan(Provider::Cboe, series, date(from), &none, None).map(|it| it.url)
    };
    let at = |path: &str| Ok(format!("https://cdn.cboe.com/{path}"));
    let history = "api/global/us_indices/daily_prices/VIX_History.csv";
    assert_eq!(url(Series::Vix, "2018-01-02"), at(history));
    let archive = "resources/options/volume_and_call_put_ratios/totalpc.csv";
    assert_eq!(url(Series::PutCall, "2018-01-02"), at(archive));
    assert_eq!(url(Series::PutCall, "2019-10-04"), at(archive));
    let daily = |date: &str| {
        at(&format!(
            "data/us/options/market_statistics/daily/{date}_daily_options"
        ))
    };
    assert_eq!(url(Series::PutCall, "2019-10-05"), daily("2019-10-07"));
    assert_eq!(url(Series::PutCall, "2026-11-20"), daily("2026-11-20"));
    assert_eq!(url(Series::PutCall, "2026-11-26"), daily("2026-11-27"));
}

#[test]
fn the_index_is_its_close() {
    let held = new(vix(VIX));
    let expected = [(date("2026-11-19"), 18.05), (date("2026-11-20"), 17.62)];
    assert_eq!((held.values, held.rejected), (expected.to_vec(), 0));
    // Lines before the header, and other orders of columns.
    let other = "Some words,about it\nCLOSE,DATE\n18.05,11/19/2026\n17.62,11/20/2026\n";
    assert_eq!(new(vix(other)).values, expected);
    assert_eq!(
        vix("11/19/2026,1,1,1,1\n"),
        Err(ProviderError::Malformed("it has no header"))
    );
}

#[test]
fn the_archive_s_ratio_is_as_published() {
    let held = new(ratios(RATIOS));
    let expected = vec![(date("2019-10-03"), 1.05), (date("2019-10-04"), 0.96)];
    assert_eq!((held.values, held.rejected), (expected, 0));
    let all = new(told(Series::PutCall, "2006-01-01", answer(200, RATIOS)));
    assert_eq!(all.values.first(), Some(&(date("2006-11-01"), 0.91)));
    let other = RATIOS.replace("TOTAL,,", "EQUITY,,");
    assert_eq!(ratios(&other), Err(ProviderError::WrongSymbol));
}

#[test]
fn since_then_a_day_is_a_file() {
    let held = new(day("2026-11-20", answer(200, DAY)));
    assert_eq!(
        (held.values, held.rejected),
        (vec![(date("2026-11-20"), 0.84)], 0)
    );
    // The first session from the date on; Thanksgiving is none.
    let late = day("2026-11-26", answer(200, DAY));
    assert_eq!(
        late,
        Err(ProviderError::Malformed("no row of it can be read")),
        "it has not been"
    );
    let held = new(day("2025-11-27", answer(200, DAY)));
    assert_eq!(held.values, [(date("2025-11-28"), 0.84)]);
    let absent = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>";
    for (status, body, error) in [
        (403, absent, ProviderError::Empty),
        (404, "", ProviderError::Empty),
        (403, "<html>no</html>", ProviderError::WebPage),
        (403, "no", ProviderError::Status(403)),
        (
            200,
            "{}",
            ProviderError::Malformed("it is not the JSON that is documented"),
        ),
        (
            200,
            r#"{"ratios":[]}"#,
            ProviderError::Malformed("it has no ratio of all products"),
        ),
        (200, &DAY[..40], ProviderError::Malformed("it is cut off")),
        (
            200,
            &DAY.replace("0.84", "NaN"),
            ProviderError::Malformed("no row of it can be read"),
        ),
        (
            200,
            &DAY.replace("0.84", "-1"),
            ProviderError::Malformed("no row of it can be read"),
        ),
    ] {
        assert_eq!(
            day("2026-11-20", answer(status, body)),
            Err(error),
            "{body}"
        );
    }
    // A number is as good as its text.
    let number = DAY.replace("\"0.84\"", "0.84");
    assert_eq!(
        new(day("2026-11-20", answer(200, number))).values[0].1,
        0.84
    );
    // The files that are always there are not absent.
    assert_eq!(
        told(Series::Vix, "2018-01-02", answer(403, absent)),
        Err(ProviderError::WebPage)
    );
}

#[test]
fn bad_rows_cost_themselves_only() {
    let bad = [
        "11/18/2026,1,1,1,NaN\n",
        "11/18/2026,1,1,1,-1\n",
        "11/18/2026,1,1,1,0\n",
        "11/18/2026,1,1,1\n",
        "11/31/2026,1,1,1,1\n",
        "13/01/2026,1,1,1,1\n",
        "2026-11-18,1,1,1,1\n",
        "11/18/26,1,1,1,1\n",
        "11/18/2026/1,1,1,1,1\n",
        "111/8/2026,1,1,1,1\n",
        "+1/18/2026,1,1,1,1\n",
        "11/24/2026,1,1,1,1\n",
        "11/18/2026,1,1,1,1",
    ];
    for row in bad {
        let held = new(vix(&format!("{VIX}{row}")));
        assert_eq!((held.values.len(), held.rejected), (2, 1), "{row}");
    }
    let held = new(vix(&format!("{VIX}11/18/2026,,,,\n")));
    assert_eq!((held.values.len(), held.rejected), (2, 0));
    let held = new(vix(&format!(
        "{VIX}11/18/2026,1,1,1,16\n11/19/2026,1,1,1,17\n"
    )));
    let values: Vec<_> = held.values.iter().map(|it| it.1).collect();
    assert_eq!(values, [16.0, 17.0, 17.62]);
}
