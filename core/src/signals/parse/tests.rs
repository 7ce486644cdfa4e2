//! What uploads may look like, one hostility per line, and that no body can make the parser panic.

use super::{MAX_ROWS, ParseError, Parsed, parse_csv, parse_json};
use crate::signals::Bar;
use chrono::NaiveDate;
use proptest::prelude::*;

const HEADER: &str = "date,open,high,low,close,volume";
const ROW: &str = "2020-03-23,10,12,9,11,500";

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2020, 3, 25).unwrap()
}

fn bar() -> Bar {
    let date = NaiveDate::from_ymd_opt(2020, 3, 23).unwrap();
    Bar {
        date,
        open: 10.0,
        high: 12.0,
        low: 9.0,
        close: 11.0,
        volume: 500.0,
    }
}

fn on(day: u32) -> Bar {
    Bar {
        date: NaiveDate::from_ymd_opt(2020, 3, day).unwrap(),
        ..bar()
    }
}

fn reasons(parsed: &Parsed) -> Vec<(u64, &str)> {
    parsed
        .rejected
        .iter()
        .map(|row| (row.line, row.reason.as_str()))
        .collect()
}

#[test]
fn csv_in_many_shapes() {
    let shapes: &[&str] = &[
        "date,open,high,low,close,volume\n2020-03-23,10,12,9,11,500\n",
        "date,open,high,low,close,volume\n2020-03-23,10,12,9,11,500",
        "date,open,high,low,close,volume\r\n2020-03-23,10,12,9,11,500\r\n",
        "date,open,high,low,close,volume\r2020-03-23,10,12,9,11,500\r",
        "\u{feff}date,open,high,low,close,volume\n2020-03-23,10,12,9,11,500\n",
        "\u{feff}\"date\",\"open\",\"high\",\"low\",\"close\",\"volume\"\n\"2020-03-23\",\"10\",\"12\",\"9\",\"11\",\"500\"\n",
        "\n \t\ndate,open,high,low,close,volume\n\n  \n2020-03-23,10,12,9,11,500\n\n",
        " Date , OPEN,High ,lOW, Close,VOLUME \n 2020-03-23 , 10 ,\t12, 9,11 , 500 \n",
        " \"date\" ,\"open\" ,high,low,close,volume\n \" 2020-03-23 \" , \"10\",12,9,11,500\n",
        "volume,close,low,high,open,date\n500,11,9,12,10,2020-03-23\n",
        "date,open,high,low,close,adj close,volume,note\n2020-03-23,10,12,9,11,?,500,\"a, \"\"b\"\"\"\n",
        "date,open,high,low,close,volume,,\n2020-03-23,10,12,9,11,500,,\n",
        "date,open,high,low,close,volume\n2020-03-23,1e1,+12.0,9.,11.000,.5E3\n",
    ];
    for shape in shapes {
        let parsed = parse_csv(shape.as_bytes(), today()).unwrap();
        assert_eq!(
            parsed,
            Parsed {
                bars: vec![bar()],
                rejected: vec![]
            },
            "{shape:?}"
        );
    }
}

#[test]
fn csv_rows_are_rejected_with_line_and_reason() {
    let not_a_date = "date is not a YYYY-MM-DD date";
    let cases: &[(&str, &str)] = &[
        (
            "2020-03-23,10,12,9,11",
            "wrong number of fields: 5, the header has 6",
        ),
        (
            "2020-03-23,10,12,9,11,500,1",
            "wrong number of fields: 7, the header has 6",
        ),
        (
            "2020-03-23;10;12;9;11;500",
            "wrong number of fields: 1, the header has 6",
        ),
        (",,,,,", "date is missing"),
        ("2020-03-23,,12,9,11,500", "open is missing"),
        ("2020-03-23,10,12,9,\"\",500", "close is missing"),
        ("2020-03-23,ten,12,9,11,500", "open is not a number"),
        ("2020-03-23,10,\"1,200\",9,11,500", "high is not a number"),
        ("2020-03-23,10,12,$9,11,500", "low is not a number"),
        ("2020-03-23,10,12,9,0x0b,500", "close is not a number"),
        ("2020-03-23,10,12,9,1 1,500", "close is not a number"),
        ("2020-03-23,10,12,9,١١,500", "close is not a number"),
        ("2020-03-23,10,12,9,11,5\u{0}", "volume is not a number"),
        ("2020-03-23,=1+9,12,9,11,500", "open is not a number"),
        ("2020-03-23,10,12,9,NaN,500", "close is not finite"),
        ("2020-03-23,10,inf,9,11,500", "high is not finite"),
        ("2020-03-23,10,12,-Infinity,11,500", "low is not finite"),
        ("2020-03-23,10,12,9,11,1e999", "volume is not finite"),
        ("2020-03-23,0,12,9,11,500", "open is not positive"),
        ("2020-03-23,10,12,-9,11,500", "low is not positive"),
        ("2020-03-23,10,12,9,11,-1", "volume is negative"),
        ("2020-03-23,10,10.5,9,11,500", "high is below close"),
        ("2020-03-23,10,12,10.5,11,500", "low is above open"),
        (
            "2020-03-26,10,12,9,11,500",
            "date 2020-03-26 is in the future",
        ),
        ("2020-3-23,10,12,9,11,500", not_a_date),
        ("20200323,10,12,9,11,500", not_a_date),
        ("23.03.2020,10,12,9,11,500", not_a_date),
        ("2020-02-30,10,12,9,11,500", not_a_date),
        ("2020-13-01,10,12,9,11,500", not_a_date),
        ("2020-03-23T00:00:00Z,10,12,9,11,500", not_a_date),
        ("+2020-03-2,10,12,9,11,500", not_a_date),
        ("2020-03-+1,10,12,9,11,500", not_a_date),
        ("-020-03-23,10,12,9,11,500", not_a_date),
        (
            "\"2020-03-23,10,12,9,11,500",
            "a quote is not closed on its line",
        ),
        (
            "2020-03-23,10,12,9,11,\"500",
            "a quote is not closed on its line",
        ),
        (
            "2020-03-23,10,12,9,11,\"\"\"",
            "a quote is not closed on its line",
        ),
        (
            "2020-03-23,\"10\"0,12,9,11,500",
            "there is text after a closing quote",
        ),
        ("2020-03-23,1\"0,12,9,11,500", "open is not a number"),
    ];
    for (row, reason) in cases {
        // The good rows around it are kept, whatever stands between them.
        let body =
            format!("{HEADER}\n2020-03-20,10,12,9,11,500\n\n{row}\r\n2020-03-24,10,12,9,11,500\n");
        let parsed = parse_csv(body.as_bytes(), today()).unwrap();
        assert_eq!(reasons(&parsed), [(4, *reason)], "{row:?}");
        assert_eq!(parsed.bars, [on(20), on(24)], "{row:?}");
    }
}

#[test]
fn csv_counts_physical_lines() {
    let body = "\r\n\r\ndate,open,high,low,close,volume\r\nx\r\n\n\ry\n\u{feff}\n   \nz";
    let parsed = parse_csv(body.as_bytes(), today()).unwrap();
    let lines: Vec<u64> = parsed.rejected.iter().map(|row| row.line).collect();
    assert_eq!(lines, [4, 7, 8, 10]);
}

#[test]
fn csv_refuses_a_row_that_is_not_utf8() {
    let body = [
        HEADER.as_bytes(),
        b",note\n2020-03-23,10,12,9,11,500,caf\xe9\n",
        ROW.as_bytes(),
        b",ok",
    ]
    .concat();
    let parsed = parse_csv(&body, today()).unwrap();
    assert_eq!(reasons(&parsed), [(2, "not valid UTF-8")]);
    assert_eq!(parsed.bars, [bar()]);
}

#[test]
fn bars_ascend_and_the_first_valid_one_of_a_date_counts() {
    let body = format!(
        "{HEADER}\n2020-03-24,10,12,9,11,500\n2020-03-23,10,9,9,11,500\n{ROW}\n2020-03-23,10,12,9,11,999\n2020-03-20,10,12,9,11,500\n"
    );
    let parsed = parse_csv(body.as_bytes(), today()).unwrap();
    assert_eq!(parsed.bars, [on(20), on(23), on(24)]);
    let twice = "date 2020-03-23 was given before; the first counts";
    assert_eq!(reasons(&parsed), [(3, "high is below open"), (5, twice)]);
}

#[test]
fn csv_bodies_without_a_usable_header() {
    let cases: &[(&[u8], ParseError)] = &[
        (b"", ParseError::Empty),
        (b"\xef\xbb\xbf", ParseError::Empty),
        (b" \r\n\t\n\n", ParseError::Empty),
        (
            b"2020-03-23,10,12,9,11,500\n",
            ParseError::MissingColumn("date"),
        ),
        (
            b"date,open,high,low,close\n",
            ParseError::MissingColumn("volume"),
        ),
        (
            b"date;open;high;low;close;volume\n",
            ParseError::MissingColumn("date"),
        ),
        (b"\xff\xfed\0a\0t\0e\0", ParseError::MissingColumn("date")),
        (b"<html>", ParseError::MissingColumn("date")),
        (
            b"date,open,high,low,close,Close,volume\n",
            ParseError::DuplicateColumn("close"),
        ),
        (
            b"\"date,open\n",
            ParseError::Header("a quote is not closed on its line"),
        ),
    ];
    for (body, expected) in cases {
        let error = parse_csv(body, today()).unwrap_err();
        assert_eq!(error, *expected, "{body:?}");
        assert!(!error.is_syntax() && !error.is_too_large());
    }
    assert_eq!(parse_csv(HEADER.as_bytes(), today()), Ok(Parsed::default()));
}

#[test]
fn rows_are_limited_good_or_bad() {
    let csv = |rows: usize| format!("{HEADER}\n{}", "x\n\n".repeat(rows));
    assert_eq!(
        parse_csv(csv(MAX_ROWS).as_bytes(), today())
            .unwrap()
            .rejected
            .len(),
        MAX_ROWS
    );
    let error = parse_csv(csv(MAX_ROWS + 1).as_bytes(), today()).unwrap_err();
    assert!(error == ParseError::TooManyRows && error.is_too_large() && !error.is_syntax());

    let json = |rows: usize| format!("[0{}]", ",0".repeat(rows - 1));
    assert_eq!(
        parse_json(json(MAX_ROWS).as_bytes(), today())
            .unwrap()
            .rejected
            .len(),
        MAX_ROWS
    );
    assert_eq!(
        parse_json(json(MAX_ROWS + 1).as_bytes(), today()),
        Err(ParseError::TooManyRows)
    );
}

#[test]
fn json_in_both_shapes() {
    let item = serde_json::to_string(&bar()).unwrap();
    let extra = r#"{"volume":5e2,"note":{"a":[null]},"close":11,"low":9,"high":12,"open":10,"date":"2020\u002d03-23"}"#;
    let shapes = [
        format!("[{item}]"),
        format!("\u{feff} [{extra}] \n"),
        format!(r#"{{"symbol":"X","bars":[{item}],"more":1}}"#),
    ];
    for shape in &shapes {
        let parsed = parse_json(shape.as_bytes(), today()).unwrap();
        assert_eq!(
            parsed,
            Parsed {
                bars: vec![bar()],
                rejected: vec![]
            },
            "{shape}"
        );
    }
    for empty in ["[]", r#"{"bars":[]}"#] {
        assert_eq!(parse_json(empty.as_bytes(), today()), Ok(Parsed::default()));
    }
}

#[test]
fn json_rows_are_rejected_with_place_and_reason() {
    let with = |members: &str| {
        format!(r#"{{"date":"2020-03-23","open":10,"low":9,"close":11,"volume":500{members}}}"#)
    };
    let unreadable = "an unreadable object, or one that names a member twice";
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let cases = [
        ("null".to_owned(), "not an object"),
        ("7".to_owned(), "not an object"),
        (
            r#"["2020-03-23",10,12,9,11,500]"#.to_owned(),
            "not an object",
        ),
        (deep.clone(), "not an object"),
        ("{}".to_owned(), "date is missing"),
        (r#"{"date":null}"#.to_owned(), "date is missing"),
        (r#"{"date":20200323}"#.to_owned(), "date is not a string"),
        (
            r#"{"date":"2020-3-23"}"#.to_owned(),
            "date is not a YYYY-MM-DD date",
        ),
        (with(""), "high is missing"),
        (with(r#","high":null"#), "high is missing"),
        (with(r#","high":"12""#), "high is not a number"),
        (with(r#","high":[12]"#), "high is not a number"),
        (with(r#","high":true"#), "high is not a number"),
        (with(r#","high":1e999"#), "high is not finite"),
        (with(r#","high":-12"#), "high is not positive"),
        (with(r#","high":10.5"#), "high is below close"),
        (with(r#","high":12,"high":13"#), unreadable),
        (with(r#","\ud800":12"#), unreadable),
        (
            with(&format!(r#","High":12,"x":{deep}"#)),
            "high is missing",
        ),
    ];
    for (row, reason) in &cases {
        let good = |day| serde_json::to_string(&on(day)).unwrap();
        let body = format!("[{},{row},{}]", good(20), good(24));
        let parsed = parse_json(body.as_bytes(), today()).unwrap();
        assert_eq!(reasons(&parsed), [(2, *reason)], "{row:.60}");
        assert_eq!(parsed.bars, [on(20), on(24)], "{row:.60}");
    }
}

#[test]
fn json_that_is_none_and_json_without_bars() {
    let broken: &[&[u8]] = &[
        b"",
        b" ",
        b"[",
        b"{\"bars\":[}",
        b"[NaN]",
        b"[1,]",
        b"[] secret",
        b"secret",
        b"\"\xff\"",
    ];
    for body in broken {
        let error = parse_json(body, today()).unwrap_err();
        assert!(
            error.is_syntax() && !error.is_too_large(),
            "{body:?}: {error}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let others = [
        "null",
        "1",
        "\"[]\"",
        "{}",
        r#"{"bars":{}}"#,
        r#"{"bars":null}"#,
        r#"{"Bars":[]}"#,
    ];
    for body in others {
        assert_eq!(
            parse_json(body.as_bytes(), today()),
            Err(ParseError::NotBars),
            "{body}"
        );
    }
}

#[test]
fn reasons_repeat_no_long_input() {
    let long = "9".repeat(5000);
    let csv = format!("{HEADER}\n{long},10,12,9,11,500\n2020-03-23,{long}x,12,9,11,500\n{long}\n");
    let json = format!(r#"[{{"date":"{long}"}},{{"date":"2020-03-23","open":"{long}"}},"{long}"]"#);
    let csv = parse_csv(csv.as_bytes(), today()).unwrap();
    let json = parse_json(json.as_bytes(), today()).unwrap();
    assert_eq!((csv.rejected.len(), json.rejected.len()), (3, 3));
    for row in csv.rejected.iter().chain(&json.rejected) {
        assert!(row.reason.len() < 80, "{row:?}");
    }
}

fn price() -> impl Strategy<Value = f64> {
    prop_oneof![
        0.01..5000.0,
        (1_u32..100_000).prop_map(|cents| f64::from(cents) / 100.0)
    ]
}

prop_compose! {
    fn any_bar()(
        day in 0..3000_i64, open in price(), close in price(), up in 0.0..9.0, down in 0.0..1.0,
        volume in prop_oneof![Just(0.0), 0.0..1e12],
    ) -> Bar {
        let date = NaiveDate::from_ymd_opt(2010, 1, 1).unwrap() + chrono::Days::new(day as u64);
        let (high, low) = (open.max(close) + up, open.min(close) * (1.0 - 0.5 * down));
        Bar { date, open, high, low, close, volume }
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_csv(&body, today());
        let _ = parse_json(&body, today());
    }

    #[test]
    fn no_rows_under_a_good_header_panic(
        rows in "([0-9a-z\u{e9}\",.+-]{0,12}[,\"\n\r ]{0,2}){0,60}",
    ) {
        let parsed = parse_csv(format!("{HEADER}\n{rows}").as_bytes(), today()).unwrap();
        prop_assert!(parsed.bars.is_sorted_by(|a, b| a.date < b.date));
    }

    #[test]
    fn bars_survive_csv_and_json_to_the_last_digit(
        bars in proptest::collection::vec(any_bar(), 0..40), crlf in any::<bool>(),
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut csv = format!("{HEADER}{end}");
        for b in &bars {
            let row = format!("{},{},{},{},{},{}{end}", b.date, b.open, b.high, b.low, b.close, b.volume);
            csv.push_str(&row);
        }
        let from_csv = parse_csv(csv.as_bytes(), today()).unwrap();
        let from_json = parse_json(&serde_json::to_vec(&bars).unwrap(), today()).unwrap();
        prop_assert_eq!(&from_csv.bars, &from_json.bars);

        let mut expected = bars.clone();
        expected.sort_by_key(|bar| bar.date);
        expected.dedup_by_key(|bar| bar.date);
        prop_assert_eq!(&from_csv.bars, &expected);
        prop_assert_eq!(from_csv.rejected.len(), bars.len() - expected.len());
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        bars in proptest::collection::btree_map(0..3000_i64, any_bar(), 1..30)
            .prop_map(|bars| bars.into_values().collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut unique = bars.clone();
        unique.sort_by_key(|bar| bar.date);
        unique.dedup_by_key(|bar| bar.date);
        let parsed = parse_json(&serde_json::to_vec(&bars).unwrap(), today()).unwrap();
        prop_assert_eq!(parsed.bars, unique);
    }
}
