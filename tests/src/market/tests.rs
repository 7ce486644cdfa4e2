//! The provider itself: what it says is what the formats say, and it fails as it is told to.

use anyhow::Result;
use chrono::NaiveDate;
use reqwest::Response;
use serde_json::{Value, json};
use signalroom_core::calendar;
use signalroom_core::time::Millis;

use super::book::View;
use super::render::opening;
use super::{Keys, Market, Options, Order};
use crate::client::rest::http;

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// Monday, before trading: the newest session is Friday's, the 20th.
const MONDAY: &str = "2026-11-23T07:00:00Z";

pub(super) async fn market() -> Result<Market> {
    let market = Market::start().await?;
    market.set_now(Millis::parse(MONDAY).expect("a time"));
    Ok(market)
}

pub(super) async fn get(market: &Market, target: &str) -> Result<Response> {
    Ok(http()?.get(market.url() + target).send().await?)
}

async fn json(market: &Market, target: &str) -> Result<Value> {
    Ok(serde_json::from_str(
        &get(market, target).await?.text().await?,
    )?)
}

pub(super) async fn text(market: &Market, target: &str) -> Result<String> {
    Ok(get(market, target).await?.text().await?)
}

pub(super) const YAHOO: &str = "/yahoo/v8/finance/chart/AAPL?period1=1762732800&period2=1795737600&interval=1d&includeAdjustedClose=true&events=div%2Csplits";
pub(super) const STOOQ: &str = "/stooq/q/d/l/?s=aapl.us&i=d&d1=20261102&d2=20261123";
pub(super) const TIINGO: &str =
    "/tiingo/tiingo/daily/AAPL/prices?startDate=2026-11-02&endDate=2026-11-23&token=any";
pub(super) const FRED: &str = "/fred/fred/series/observations?series_id=DGS10&api_key=k&file_type=json&observation_start=2026-11-02";
pub(super) const GRAPH: &str = "/fred/graph/fredgraph.csv?id=VIXCLS&cosd=2026-11-02";
pub(super) const INDEX: &str = "/cboe/api/global/us_indices/daily_prices/VIX_History.csv";
pub(super) const RATIOS: &str = "/cboe/resources/options/volume_and_call_put_ratios/totalpc.csv";

fn closes(chart: &Value) -> Vec<f64> {
    let closes = &chart["chart"]["result"][0]["indicators"]["quote"][0]["close"];
    let closes = closes.as_array().into_iter().flatten();
    closes.filter_map(Value::as_f64).collect()
}

#[tokio::test]
async fn yahoo_opens_at_half_past_nine_on_both_sides_of_daylight_saving() -> Result<()> {
    let market = market().await?;
    let chart = json(&market, YAHOO).await?;
    let result = &chart["chart"]["result"][0];
    assert_eq!(result["meta"]["symbol"], "AAPL");
    assert_eq!(result["meta"]["gmtoffset"], -18_000);
    assert_eq!(chart["chart"]["error"], Value::Null);
    let stamps: Vec<i64> = serde_json::from_value(result["timestamp"].clone())?;
    // 2025-11-10 is the first session, in winter; 2026-03-09 the first in summer.
    assert_eq!(stamps.first(), Some(&1_762_785_000));
    for (day, opens) in [("2026-03-06", 1_772_807_400), ("2026-03-09", 1_773_063_000)] {
        assert_eq!(opening(date(day)), opens, "{day}");
        assert!(stamps.contains(&opens), "{day}");
    }
    let friday = opening(date("2026-11-20"));
    assert_eq!(stamps.last(), Some(&friday));
    // The end is not part of what is asked for.
    let before = YAHOO.replace("1795737600", &friday.to_string());
    assert_eq!(
        closes(&json(&market, &before).await?).len(),
        stamps.len() - 1
    );
    assert_eq!(closes(&chart).len(), stamps.len());
    for field in ["open", "high", "low", "volume"] {
        let quote = &result["indicators"]["quote"][0][field];
        assert_eq!(
            quote.as_array().map(Vec::len),
            Some(stamps.len()),
            "{field}"
        );
    }
    Ok(())
}

#[test]
fn its_time_of_opening_is_the_calendar_s() {
    for day in calendar::sessions(calendar::HISTORY_START, date("2027-12-31")) {
        let session = calendar::session(day).expect("a session");
        assert_eq!(opening(day) * 1000, session.open.0, "{day}");
    }
}

#[tokio::test]
async fn who_is_not_known_is_told_so_in_each_format() -> Result<()> {
    let market = market().await?;
    market.tell(Order::Delist {
        symbol: "AAPL".to_owned(),
    })?;
    let reply = get(&market, YAHOO).await?;
    assert_eq!(reply.status(), 404);
    let told: Value = serde_json::from_str(&reply.text().await?)?;
    assert_eq!(told["chart"]["error"]["code"], "Not Found");
    assert_eq!(text(&market, STOOQ).await?, "No data");
    let reply = get(&market, TIINGO).await?;
    assert_eq!(reply.status(), 404);
    assert_eq!(
        reply.text().await?,
        r#"{"detail":"Error: Ticker 'AAPL' not found"}"#
    );
    let reply = get(&market, &FRED.replace("DGS10", "NONE")).await?;
    assert_eq!(reply.status(), 400);
    assert_eq!(get(&market, "/yahoo/v7/other").await?.status(), 404);
    assert_eq!(get(&market, "/bloomberg/x").await?.status(), 404);
    Ok(())
}

#[tokio::test]
async fn all_three_have_the_same_days() -> Result<()> {
    let market = market().await?;
    let held = market.bars("AAPL");
    assert_eq!(held.first().map(|bar| bar.date), Some(date("2018-01-02")));
    assert_eq!(held.last().map(|bar| bar.date), Some(date("2026-11-20")));
    let month = held.iter().filter(|bar| bar.date >= date("2026-11-02"));
    let wanted: Vec<_> = month.map(|bar| (bar.date.to_string(), bar.close)).collect();

    let csv = text(&market, STOOQ).await?;
    let mut lines = csv.split_terminator("\r\n");
    assert_eq!(lines.next(), Some("Date,Open,High,Low,Close,Volume"));
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
    let rows: Vec<_> = rows
        .map(|row| (row[0].to_owned(), row[4].parse().expect("a price")))
        .collect();
    assert_eq!(rows, wanted);

    let rows = json(&market, TIINGO).await?;
    let rows = rows.as_array().expect("an array").iter();
    let rows = rows.map(|row| {
        assert_eq!(row["splitFactor"], 1.0);
        let day = row["date"]
            .as_str()
            .and_then(|it| it.strip_suffix("T00:00:00.000Z"));
        (
            day.expect("a day").to_owned(),
            row["adjClose"].as_f64().expect("a price"),
        )
    });
    assert_eq!(rows.collect::<Vec<_>>(), wanted);

    let chart = closes(&json(&market, YAHOO).await?);
    for (shown, (_, close)) in chart.iter().rev().zip(wanted.iter().rev()) {
        assert!((shown / close - 1.0).abs() < 1e-6, "{shown} {close}");
    }
    Ok(())
}

#[tokio::test]
async fn a_split_divides_what_was_before_it_and_the_price_as_traded_falls() -> Result<()> {
    let market = market().await?;
    let before = market.bars("AAPL");
    market.tell(Order::Split {
        symbol: "AAPL".to_owned(),
        date: date("2026-11-12"),
        ratio: 10.0,
    })?;
    let after = market.bars("AAPL");
    for (before, after) in before.iter().zip(&after) {
        assert!((before.close / 10.0 - after.close).abs() < 1e-9);
        assert_eq!(before.volume * 10.0, after.volume);
    }
    let rows = json(&market, TIINGO).await?;
    let row = |day: &str| {
        let mut rows = rows.as_array().into_iter().flatten();
        let found = rows.find(|row| row["date"].as_str().is_some_and(|it| it.starts_with(day)));
        found.cloned().unwrap_or_default()
    };
    let (old, new) = (row("2026-11-11"), row("2026-11-12"));
    assert_eq!(new["splitFactor"], 10.0);
    assert_eq!(old["close"].as_f64(), Some(close_on(&before, "2026-11-11")));
    assert_eq!(new["close"], new["adjClose"]);
    let ratio =
        old["close"].as_f64().unwrap_or_default() / old["adjClose"].as_f64().unwrap_or_default();
    assert!((ratio - 10.0).abs() < 1e-9, "{ratio}");
    let chart = json(&market, YAHOO).await?;
    let splits = &chart["chart"]["result"][0]["events"]["splits"];
    assert_eq!(splits.as_object().map(serde_json::Map::len), Some(1));
    // It is not known before its day.
    market.publish_through(date("2026-11-11"));
    assert_eq!(
        market.bars("AAPL").last().map(|bar| bar.close),
        Some(close_on(&before, "2026-11-11"))
    );
    Ok(())
}

fn close_on(bars: &[signalroom_core::signals::Bar], day: &str) -> f64 {
    let found = bars.iter().find(|bar| bar.date == date(day));
    found.map_or(f64::NAN, |bar| bar.close)
}

#[tokio::test]
async fn a_dividend_lowers_what_was_before_it() -> Result<()> {
    let market = market().await?;
    let before = market.bars("AAPL");
    let cash = 2.0;
    market.tell(Order::Dividend {
        symbol: "AAPL".to_owned(),
        date: date("2026-11-12"),
        cash,
    })?;
    let after = market.bars("AAPL");
    let factor = 1.0 - cash / close_on(&before, "2026-11-11");
    for (before, after) in before.iter().zip(&after) {
        let factor = if before.date < date("2026-11-12") {
            factor
        } else {
            1.0
        };
        assert!(
            (before.close * factor - after.close).abs() < 1e-9,
            "{}",
            before.date
        );
        assert_eq!(before.volume, after.volume);
    }
    // After a split it is paid for the new shares, which are worth less.
    market.tell(Order::Split {
        symbol: "AAPL".to_owned(),
        date: date("2026-11-10"),
        ratio: 4.0,
    })?;
    let factor = 1.0 - cash / (close_on(&before, "2026-11-11") / 4.0);
    let first = market.bars("AAPL")[0].close;
    assert!((first / (before[0].close / 4.0 * factor) - 1.0).abs() < 1e-9);
    let result = &json(&market, YAHOO).await?["chart"]["result"][0];
    let adjusted = &result["indicators"]["adjclose"][0]["adjclose"][0];
    let quoted = &result["indicators"]["quote"][0]["close"][0];
    let ratio = adjusted.as_f64().unwrap_or_default() / quoted.as_f64().unwrap_or_default();
    assert!((ratio / factor - 1.0).abs() < 1e-6, "{ratio} {factor}");
    Ok(())
}

#[tokio::test]
async fn corrections_holes_and_new_listings_are_shown_and_taken_back() -> Result<()> {
    let market = market().await?;
    let symbol = || "BRK.B".to_owned();
    let before = market.bars("BRK-B");
    market.tell(Order::Correct {
        symbol: symbol(),
        date: date("2026-11-11"),
        times: 1.02,
    })?;
    let (was, is) = (
        close_on(&before, "2026-11-11"),
        close_on(&market.bars("brk.b"), "2026-11-11"),
    );
    assert_eq!(is, was * 1.02);
    market.tell(Order::Hole {
        symbol: symbol(),
        from: date("2026-11-09"),
        to: date("2026-11-13"),
    })?;
    assert_eq!(market.bars("BRK.B").len(), before.len() - 5);
    market.tell(Order::Mend { symbol: symbol() })?;
    assert_eq!(market.bars("BRK.B"), before);
    market.tell(Order::List {
        symbol: symbol(),
        from: date("2026-11-16"),
    })?;
    assert_eq!(market.bars("BRK.B").len(), 5);
    let old = "/yahoo/v8/finance/chart/BRK-B?period1=1514764800&period2=1546300800&interval=1d";
    assert_eq!(get(&market, old).await?.status(), 400);
    market.hold("BRK.B", before[..3].to_vec());
    assert_eq!(market.bars("BRK.B"), before[..3]);
    Ok(())
}

#[test]
fn a_day_is_partial_until_trading_ends_and_final_when_it_is_due() {
    let at = |time: &str| View::at(Millis::parse(time).expect("a time"), None);
    let (friday, monday) = (date("2026-11-20"), date("2026-11-23"));
    for (time, newest, share, newest_final) in [
        ("2026-11-23T07:00:00Z", friday, 1.0, friday),
        ("2026-11-23T14:29:59Z", friday, 1.0, friday),
        ("2026-11-23T17:45:00Z", monday, 0.5, friday),
        ("2026-11-23T21:00:00Z", monday, 1.0, friday),
        ("2026-11-23T22:00:00Z", monday, 1.0, monday),
    ] {
        let view = at(time);
        assert_eq!(view.newest, newest, "{time}");
        assert_eq!(view.share, share, "{time}");
        assert_eq!(view.newest_final(), newest_final, "{time}");
    }
}

#[tokio::test]
async fn fred_and_cboe_show_their_days() -> Result<()> {
    let market = market().await?;
    let told = json(&market, FRED).await?;
    let days = told["observations"].as_array().cloned().unwrap_or_default();
    assert_eq!(told["count"], days.len());
    assert_eq!(days[0]["date"], "2026-11-02");
    assert_eq!(
        days.last().map(|day| &day["date"]),
        Some(&json!("2026-11-20"))
    );
    let all = FRED.replace("2026-11-02", "2025-12-24");
    let all = json(&market, &all).await?;
    let christmas = all["observations"].as_array().into_iter().flatten();
    let christmas: Vec<_> = christmas
        .filter(|day| day["date"] == "2025-12-25")
        .collect();
    assert_eq!(christmas.len(), 1);
    assert_eq!(christmas[0]["value"], ".");

    let graph = text(&market, GRAPH).await?;
    let mut lines = graph.lines();
    assert_eq!(lines.next(), Some("observation_date,VIXCLS"));
    let last = lines.next_back().unwrap_or_default();
    let close = last.strip_prefix("2026-11-20,").expect("the last day");
    let index = text(&market, INDEX).await?;
    assert!(index.starts_with("DATE,OPEN,HIGH,LOW,CLOSE\n01/02/1990,"));
    let last = index.lines().next_back().unwrap_or_default();
    assert!(
        last.starts_with("11/20/2026,") && last.ends_with(&format!(",{close}0000")),
        "{last}"
    );

    let ratios = text(&market, RATIOS).await?;
    let mut lines = ratios.lines();
    assert_eq!(lines.nth(1), Some(", PRODUCT: TOTAL,,EXCHANGE: Cboe,"));
    assert_eq!(lines.next(), Some("DATE,CALLS,PUTS,TOTAL,P/C Ratio"));
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("11/1/2006,"))
    );
    assert!(
        lines
            .next_back()
            .is_some_and(|line| line.starts_with("10/04/2019, "))
    );
    market.tell(Order::PutCallToDate { on: true })?;
    let ratios = text(&market, RATIOS).await?;
    assert!(
        ratios
            .lines()
            .next_back()
            .is_some_and(|line| line.starts_with("11/20/2026, "))
    );
    let daily = "/cboe/data/us/options/market_statistics/daily/";
    let day = json(&market, &format!("{daily}2026-11-20_daily_options")).await?;
    assert_eq!(day["ratios"][0]["name"], "TOTAL PUT/CALL RATIO");
    let sunday = get(&market, &format!("{daily}2026-11-22_daily_options")).await?;
    assert_eq!(sunday.status(), 403);

    market.tell(Order::Revise {
        series: "DGS10".to_owned(),
        date: date("2026-11-20"),
        value: Some(9.0),
    })?;
    let told = json(&market, FRED).await?;
    let last = told["observations"]
        .as_array()
        .and_then(|days| days.last().cloned());
    assert_eq!(last.unwrap_or_default()["value"], "9.00");
    Ok(())
}

#[tokio::test]
async fn a_version_is_sent_once() -> Result<()> {
    let market = market().await?;
    for (target, always) in [
        (INDEX, true),
        (RATIOS, true),
        (YAHOO, false),
        (FRED, false),
        (GRAPH, false),
    ] {
        market.tell(Order::Conditional { on: always })?;
        if !always {
            assert_eq!(get(&market, target).await?.headers().get("etag"), None);
            market.tell(Order::Conditional { on: true })?;
        }
        let first = get(&market, target).await?;
        for (name, of) in [
            ("if-none-match", "etag"),
            ("if-modified-since", "last-modified"),
        ] {
            let value = first.headers().get(of).expect("a version");
            let again = http()?
                .get(market.url() + target)
                .header(name, value)
                .send()
                .await?;
            assert_eq!(again.status(), 304, "{target} {name}");
            assert_eq!(again.text().await?, "");
        }
        let value = first.headers().get("last-modified").expect("a version");
        let other = http()?.get(market.url() + target);
        let other = other.header("if-none-match", "\"other\"");
        let other = other.header("if-modified-since", value).send().await?;
        assert_eq!(other.status(), 200, "{target}: the tag decides");
    }
    Ok(())
}

#[tokio::test]
async fn keys_are_wanted_where_they_are() -> Result<()> {
    let key = |text: &str| Some(text.to_owned());
    let keys = Keys {
        tiingo: key("t"),
        fred: key("f"),
        stooq: key("s"),
    };
    let options = Options {
        keys,
        ..Options::default()
    };
    let market = Market::with(options).await?;
    assert_eq!(get(&market, TIINGO).await?.status(), 401);
    let bearer = http()?.get(market.url() + &TIINGO.replace("&token=any", ""));
    let told = bearer.header("authorization", "Token t").send().await?;
    assert_eq!(told.status(), 200);
    assert_eq!(get(&market, FRED).await?.status(), 400);
    assert_eq!(
        get(&market, &FRED.replace("=k&", "=f&")).await?.status(),
        200
    );
    assert!(text(&market, STOOQ).await?.starts_with("Get your apikey"));
    let stooq = format!("{STOOQ}&apikey=s");
    assert!(text(&market, &stooq).await?.starts_with("Date,"));
    Ok(())
}

#[tokio::test]
async fn it_is_told_over_http_too() -> Result<()> {
    let market = market().await?;
    let control = market.url() + "/control";
    let order = json!([
        {"do": "misbehave", "rule": {"provider": "yahoo", "what": "aapl",
            "fault": {"rate_limited": {"seconds": 5}}, "times": 1}},
        {"do": "through", "date": "2026-11-19"},
    ]);
    let told = http()?
        .post(&control)
        .body(order.to_string())
        .send()
        .await?;
    assert_eq!(told.status(), 200);
    assert_eq!(get(&market, YAHOO).await?.status(), 429);
    assert_eq!(
        market.bars("AAPL").last().map(|bar| bar.date),
        Some(date("2026-11-19"))
    );
    let told = json(&market, "/control").await?;
    assert_eq!(told["asked"][0]["requests"], 1);
    for wrong in [
        "",
        "{\"do\":\"dance\"}",
        "{\"do\":\"split\",\"symbol\":\"A\",\"date\":\"2026-11-19\",\"ratio\":0}",
    ] {
        let told = http()?.post(&control).body(wrong).send().await?;
        assert_eq!(told.status(), 422, "{wrong}");
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_of_files_has_those_symbols_and_no_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let rows = "date,open,high,low,close,volume\n2026-11-19,1,2,1,2,10\n2026-11-18,1,2,1,1.5,10\n";
    std::fs::write(folder.path().join("AAPL.csv"), rows)?;
    let data = Some(folder.path().to_owned());
    let options = || Options {
        data: data.clone(),
        ..Options::default()
    };
    let market = Market::with(options()).await?;
    let csv =
        "Date,Open,High,Low,Close,Volume\r\n2026-11-18,1,2,1,1.5,10\r\n2026-11-19,1,2,1,2,10\r\n";
    assert_eq!(text(&market, STOOQ).await?, csv);
    assert_eq!(
        text(&market, &STOOQ.replace("aapl", "msft")).await?,
        "No data"
    );
    std::fs::write(
        folder.path().join("MSFT.csv"),
        rows.replace(",2,10", ",x,10"),
    )?;
    let refused = Market::with(options())
        .await
        .err()
        .map(|error| error.to_string());
    assert!(refused.is_some_and(|why| why.contains("line 2")));
    Ok(())
}
