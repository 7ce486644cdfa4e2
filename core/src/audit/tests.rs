//! What the chain is worth: any change of any byte is found, and nothing else is.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn record(before: &Head, sub: &str, details: &Value) -> Record {
    let mut record = Record {
        action: "approval".to_owned(),
        at: Millis(1_777_929_347_123),
        details: canonical(details).expect("whole numbers and text"),
        hash: Hash::ZERO,
        ip: Some("192.0.2.7".to_owned()),
        n: before.n + 1,
        prev: before.hash,
        role: "approver".to_owned(),
        room: "symbol/AAPL".parse().expect("a room"),
        sub: sub.to_owned(),
        user_agent: None,
        v: VERSION,
    };
    record.hash = record.computed_hash();
    record
}

fn chain(subs: &[String]) -> Vec<Record> {
    let mut head = Head::START;
    let mut rows = Vec::new();
    for (n, sub) in subs.iter().enumerate() {
        let row = record(&head, sub, &json!({ "n": n, "note": sub }));
        head = follow(&head, &row).expect("it follows");
        rows.push(row);
    }
    rows
}

fn lines(rows: &[Record]) -> Vec<String> {
    rows.iter().map(|row| json(row).get().to_owned()).collect()
}

/// Whether lines are an unbroken export.
fn whole(lines: &[String]) -> bool {
    let mut export = Export::default();
    let read = lines.iter().all(|line| export.line(line).is_ok());
    read && export.rooms().values().all(|room| room.broken.is_none())
}

/// Another serialisation of the same rows, so that a change of ours to the form is seen: it is
/// told to others in `docs/audit.md`.
#[test]
fn the_form_is_the_documented_one() {
    let row = record(
        &Head::START,
        "ann",
        &json!({"status": "BUY", "note": "é\n\u{7f}"}),
    );
    assert_eq!(
        row.unsealed().get(),
        "{\"action\":\"approval\",\"at\":\"2026-05-04T21:15:47.123Z\",\
         \"details\":{\"note\":\"é\\n\u{7f}\",\"status\":\"BUY\"},\"ip\":\"192.0.2.7\",\"n\":1,\
         \"prev\":\"0000000000000000000000000000000000000000000000000000000000000000\",\
         \"role\":\"approver\",\"room\":\"symbol/AAPL\",\"sub\":\"ann\",\"user_agent\":null,\
         \"v\":1}"
    );
    assert_eq!(
        row.hash.to_string(),
        "f1f717e1566a0059451f6749a0ed5779248e28a086e2c1c2c31d6e007e5fd43a"
    );
}

#[test]
fn the_scheme_is_that_of_the_rfc() {
    // RFC 8785, 3.2.3, sorted by UTF-16 code units; and what JSON escapes.
    let value = json!({
        "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet",
        "1": "One", "\u{1f600}": "Emoji", "\u{80}": "Control", "\u{f6}": "Latin",
    });
    let text = canonical(&value).expect("text alone");
    assert_eq!(
        text.get(),
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"\u{f6}\":\"Latin\",\
         \"\u{20ac}\":\"Euro Sign\",\"\u{1f600}\":\"Emoji\",\"\u{fb33}\":\"Hebrew Letter Dalet\"}"
    );
    let escapes = canonical(&json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/")).expect("text");
    assert_eq!(escapes.get(), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
    for no in [json!(0.5), json!(9_007_199_254_740_992_i64), json!([1e300])] {
        assert!(canonical(&no).is_none(), "{no}");
    }
    for no in [
        "{\"a\": 1}",
        "{\"b\":1,\"a\":1}",
        "{\"a\":1,\"a\":1}",
        "[]",
        "{\"a\":\"\\u0041\"}",
    ] {
        let raw = serde_json::from_str(no).expect("JSON");
        assert!(!is_canonical(raw), "{no}");
    }
}

#[test]
fn rows_of_rooms_do_not_mix() {
    let row = record(&Head::START, "ann", &json!({}));
    let mut moved = row.clone();
    moved.room = "symbol/MSFT".parse().expect("a room");
    assert!(follow(&Head::START, &row).is_ok());
    let broken = follow(&Head::START, &moved).expect_err("of another room");
    assert_eq!((broken.n, broken.reason), (1, Breach::Changed));
}

#[test]
fn what_is_wrong_is_named() {
    let subs: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
    let rows = chain(&subs);
    let broken = |rows: &[Record]| {
        let mut head = Head::START;
        rows.iter().find_map(|row| match follow(&head, row) {
            Ok(next) => {
                head = next;
                None
            }
            Err(broken) => Some((broken.n, broken.reason)),
        })
    };
    let without = |n: usize| [&rows[..n], &rows[n + 1..]].concat();
    assert_eq!(broken(&rows), None);
    assert_eq!(broken(&without(0)), Some((1, Breach::Removed)));
    assert_eq!(broken(&without(2)), Some((3, Breach::Removed)));
    let mut swapped = rows.clone();
    swapped.swap(1, 2);
    assert_eq!(broken(&swapped), Some((2, Breach::Removed)));
    // With its number made to fit, and even its hash: the one before is another.
    swapped[1].n = 2;
    assert_eq!(broken(&swapped), Some((2, Breach::Changed)));
    swapped[1].hash = swapped[1].computed_hash();
    assert_eq!(broken(&swapped), Some((2, Breach::Misplaced)));
    // One row changed, with its hash: the next one does not follow it.
    let mut forged = rows.clone();
    forged[1].sub = "eve".to_owned();
    forged[1].hash = forged[1].computed_hash();
    assert_eq!(broken(&forged), Some((3, Breach::Misplaced)));
    let mut twice = rows.clone();
    twice.insert(2, rows[1].clone());
    assert_eq!(broken(&twice), Some((2, Breach::Misplaced)));

    let heads: Vec<Head> = rows
        .iter()
        .map(|row| Head {
            n: row.n,
            hash: row.hash,
        })
        .collect();
    let end = |noted: Option<Head>, witnessed: &[Head], last: &Head| {
        let known = Known { noted, witnessed };
        known.check_end(last).err().map(|it| (it.n, it.reason))
    };
    let [first, .., third, fourth] = heads[..] else {
        panic!("four rows");
    };
    assert_eq!(end(Some(fourth), &heads, &fourth), None);
    assert_eq!(end(None, &[], &Head::START), None);
    assert_eq!(end(Some(fourth), &[], &third), Some((4, Breach::CutOff)));
    assert_eq!(end(Some(third), &heads, &third), Some((4, Breach::CutOff)));
    assert_eq!(end(Some(third), &[], &fourth), Some((4, Breach::Misplaced)));
    assert_eq!(end(None, &[first], &Head::START), Some((1, Breach::CutOff)));
    let other = Head {
        hash: first.hash,
        ..fourth
    };
    assert_eq!(end(Some(other), &[], &fourth), Some((4, Breach::Replaced)));
    let known = Known {
        noted: None,
        witnessed: &[first, other],
    };
    assert!(known.check(&first).is_ok() && known.check(&third).is_ok());
    let replaced = known
        .check(&fourth)
        .expect_err("the feed was told of another");
    assert_eq!((replaced.n, replaced.reason), (4, Breach::Replaced));
}

#[test]
fn an_export_is_taken_to_the_letter() {
    let line = lines(&chain(&["ann".to_owned()])).remove(0);
    assert!(whole(std::slice::from_ref(&line)));
    for (said, otherwise) in [
        ("T21:15", "t21:15"),
        ("T21:15", " 21:15"),
        (".123Z", ".123+00:00"),
        (".123Z", ".1230Z"),
        ("\"sub\":", "\"sub\": "),
        ("\"ann\",\"u", "\"\\u0061nn\",\"u"),
        ("\"n\":1,\"p", "\"n\":1.0,\"p"),
        (",\"user_agent\":null", ""),
        ("\"v\":1", "\"v\":1,\"w\":1"),
        ("\"v\":1", "\"v\":1,\"v\":1"),
        ("{\"n\":0,", "{\"n\":0 ,"),
    ] {
        let changed = line.replacen(said, otherwise, 1);
        assert_ne!(changed, line, "{said}");
        assert!(!whole(&[changed]), "{said} as {otherwise}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".*", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_that_differ_have_forms_that_do(one in value(), other in value()) {
        let (first, second) = (canonical(&one), canonical(&other));
        let (first, second) = (first.expect("a form"), second.expect("a form"));
        prop_assert_eq!(&serde_json::from_str::<Value>(first.get()).expect("JSON"), &one);
        prop_assert_eq!(first.get() == second.get(), one == other);
    }

    #[test]
    fn any_other_byte_is_found(
        subs in prop::collection::vec("\\PC{0,8}", 1..5),
        place: prop::sample::Index,
        byte: u8,
    ) {
        let text = lines(&chain(&subs)).join("\n");
        prop_assert!(whole(&text.split('\n').map(str::to_owned).collect::<Vec<_>>()));
        let mut bytes = text.clone().into_bytes();
        let at = place.index(bytes.len());
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        // What is no text is read by nobody.
        let Ok(changed) = String::from_utf8(bytes) else {
            return Ok(());
        };
        let changed: Vec<String> = changed.split('\n').map(str::to_owned).collect();
        prop_assert!(!whole(&changed), "{:?}", changed);
    }

    #[test]
    fn what_is_removed_inserted_or_moved_is_found(
        subs in prop::collection::vec("[a-c]{0,2}", 2..8),
        one: prop::sample::Index,
        other: prop::sample::Index,
        what in 0..3,
    ) {
        let mut lines = lines(&chain(&subs));
        let (one, other) = (one.index(lines.len()), other.index(lines.len()));
        match what {
            // The last one is missed by the room and the feed, not by the chain.
            0 => {
                prop_assume!(one + 1 < lines.len());
                lines.remove(one);
            }
            1 => lines.insert(other, lines[one].clone()),
            _ => {
                prop_assume!(one != other);
                lines.swap(one, other);
            }
        }
        prop_assert!(!whole(&lines));
    }

    #[test]
    fn no_line_makes_it_stumble(line in ".*|\\{.*\\}") {
        prop_assert!(Export::default().line(&line).is_err());
    }
}
