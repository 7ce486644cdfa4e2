//! Parsers that make one value of bytes.

use chrono::NaiveDate;
use signalroom_core::audit::{Export, canonical, is_canonical};
use signalroom_core::auth::{AuthError, MAX_SUBJECT_BYTES, Provider, Secret, Verifier};
use signalroom_core::config::Config;
use signalroom_core::cron::Cron;
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::Attachment;
use signalroom_core::signals::parse::{MAX_ROWS, Parsed, parse_csv, parse_json};
use signalroom_core::symbol::Symbol;
use signalroom_core::text::plain;
use signalroom_core::time::Millis;

/// The key that tokens of the corpus are signed with; it guards nothing.
pub(crate) const SECRET: &str = "a secret that guards nothing at all";

/// 2026-01-15 12:00:00Z: tokens of the corpus live around it.
pub(crate) const NOW: Millis = Millis(1_768_478_400_000);

fn today() -> NaiveDate {
    NOW.date()
}

/// Text, where bytes are some.
pub(crate) fn utf8(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

pub(crate) fn verifier() -> Verifier {
    let secret = Secret::new(SECRET).expect("it is long enough");
    Verifier::new(secret, None, None)
}

/// A token that is taken has a subject and has not ended.
pub(crate) fn token(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    if let Ok(claims) = verifier().verify(text, NOW) {
        assert!((1..=MAX_SUBJECT_BYTES).contains(&claims.sub.len()));
        assert!(claims.expires_at.plus(60_000) > NOW, "it has ended");
    }
}

/// A key set is taken or refused; none makes a token good that is signed with zeroes, or with what
/// the set says of itself.
pub(crate) fn keys(data: &[u8]) {
    // The claims of a good token, by each algorithm in turn; the key is called `k`.
    const BODY: &str = "eyJzdWIiOiJhIiwicm9sZSI6ImFkbWluIiwiZXhwIjoxNzY4NDc4NDYwfQ";
    const HEADERS: [&str; 4] = [
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ",
        "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ",
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ",
    ];
    let provider = Provider::new("https://id.example/keys", "role".into(), "sub".into());
    let verifier = verifier().trusting(Some(provider.expect("https")));
    let refused = verifier.fetched(Ok(data.to_vec()), NOW).is_some();
    for (header, bytes) in HEADERS.iter().zip([256, 64, 64, 32]) {
        let signature = "A".repeat((bytes * 4_usize).div_ceil(3));
        let token = format!("{header}.{BODY}.{signature}");
        let verdict = verifier.verify(&token, NOW);
        let unjudged = verdict == Err(AuthError::NoKeys);
        assert!(verdict.is_err(), "{token}");
        assert_eq!(unjudged, refused && bytes != 32, "{verdict:?}");
    }
}

fn bars(parsed: Parsed) {
    let Parsed { bars, rejected } = parsed;
    assert!(bars.len() + rejected.len() <= MAX_ROWS, "too many rows");
    assert!(
        bars.is_sorted_by(|a, b| a.date < b.date),
        "not ascending, or a date twice"
    );
    for bar in &bars {
        assert_eq!(bar.check(today()), Ok(()), "{bar:?}");
    }
    for row in &rejected {
        assert!(row.line >= 1 && !row.reason.is_empty() && row.reason.len() < 300);
    }
}

/// Bars that are kept are good, ascending and unique.
pub(crate) fn bars_csv(data: &[u8]) {
    if let Ok(parsed) = parse_csv(data, today()) {
        bars(parsed);
    }
}

/// The same as JSON; what is kept is read again as it was.
pub(crate) fn bars_json(data: &[u8]) {
    if let Ok(parsed) = parse_json(data, today()) {
        let again = serde_json::to_vec(&parsed.bars).expect("bars are plain data");
        let again = parse_json(&again, today()).expect("an array of bars");
        assert_eq!(again.bars, parsed.bars);
        bars(parsed);
    }
}

/// An attachment that is read is written as it was read.
pub(crate) fn attachment(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    if let Ok(attachment) = Attachment::decode(text)
        && let Ok(written) = attachment.encode()
    {
        assert_eq!(Attachment::decode(&written), Ok(attachment));
    }
}

/// Names that are read are written as something that is read as the same.
pub(crate) fn names(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    if let Ok(symbol) = text.parse::<Symbol>() {
        assert!((1..=15).contains(&symbol.as_str().len()));
        assert_eq!(symbol.as_str().parse(), Ok(symbol));
    }
    if let Ok(room) = text.parse::<RoomName>() {
        assert_eq!(room.to_string().parse(), Ok(room));
    }
    if let Ok(cron) = text.parse::<Cron>()
        && let Some(next) = cron.next_after(NOW)
    {
        assert!(next > NOW && cron.matches(next), "{text:?} at {next:?}");
    }
    if let Some(time) = Millis::parse(text) {
        assert_eq!(Millis::parse(&time.to_string()), Some(time));
    }
}

/// Plain text stays as it is, and has nothing in it that deceives.
pub(crate) fn text(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let once = plain(text);
    assert_eq!(plain(&once), once);
    let allowed = |it: char| matches!(it, '\n' | '\t') || !it.is_control();
    assert!(once.chars().all(allowed));
    assert!(!once.contains('\u{202E}'), "an override");
}

/// A configuration of `NAME=value` lines is taken or refused, and never shows its secret.
pub(crate) fn config(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|it| it.split_once('=')).collect();
    let var = |name: &str| {
        let set = lines.iter().find(|(key, _)| *key == name)?;
        let value = if name == "JWT_SECRET" { SECRET } else { set.1 };
        Some(value.to_owned())
    };
    let shown = match Config::from_vars(var) {
        Ok(config) => format!("{config:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(SECRET), "{shown}");
}

/// What is whole counts every line of its room, and the canonical form says the same value.
pub(crate) fn audit_export(data: &[u8]) {
    let Some(text) = utf8(data) else { return };
    let mut export = Export::default();
    let mut lines = 0;
    for line in text.lines() {
        if export.line(line).is_err() {
            break;
        }
        lines += 1;
    }
    let rooms = export.rooms().values();
    let whole: i64 = rooms.map(|room| room.head.n).sum();
    assert!(whole <= lines, "{whole} whole rows in {lines} lines");
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
        && let Some(form) = canonical(&value)
    {
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(form.get()).ok(),
            Some(value.clone())
        );
        assert_eq!(is_canonical(&form), value.is_object(), "{form}");
    }
}
