//! When what is wanted.

use super::*;

fn at(text: &str) -> Millis {
    Millis::parse(text).expect("a time")
}

fn date(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn held(last: &str, provisional: bool) -> RoomState {
    RoomState {
        version: 1,
        filled: true,
        first_bar: Some(HISTORY_START),
        last_bar: Some(date(last)),
        provisional,
        ..RoomState::default()
    }
}

const FIVE: i64 = 5 * MINUTE;

#[test]
fn a_symbol_without_history_is_wanted_from_the_start() {
    let now = at("2026-11-20T12:00:00Z");
    assert_eq!(wanted(None, None, FIVE, now), (HISTORY_START, Millis(0)));
    let sent = RoomState {
        filled: false,
        ..held("2026-11-19", false)
    };
    assert_eq!(wanted(Some(&sent), None, FIVE, now).0, HISTORY_START);
}

#[test]
fn a_due_bar_is_wanted_at_once_and_asked_for_again_when_it_is_late() {
    let now = at("2026-11-20T22:00:00Z");
    let state = held("2026-11-19", false);
    let before = Some(at("2026-11-20T21:59:00Z"));
    assert_eq!(
        wanted(Some(&state), before, FIVE, now),
        (date("2026-11-09"), Millis(0))
    );
    let asked = Some(at("2026-11-20T22:00:00Z"));
    let (_, again) = wanted(Some(&state), asked, FIVE, now.plus(MINUTE));
    assert_eq!(again, now.plus(LATE_RETRY));
}

#[test]
fn a_provisional_bar_is_confirmed_once_it_is_final() {
    let state = held("2026-11-20", true);
    let looked = Some(at("2026-11-20T21:55:03Z"));
    let before = at("2026-11-20T21:56:00Z");
    let confirmed = at("2026-11-20T22:00:00Z");
    assert_eq!(wanted(Some(&state), looked, FIVE, before).1, confirmed);
    assert_eq!(wanted(Some(&state), looked, FIVE, confirmed).1, Millis(0));
}

#[test]
fn a_session_under_way_is_looked_at_every_few_minutes() {
    let state = held("2026-11-19", false);
    let open = at("2026-11-20T14:30:00Z");
    let night = Some(at("2026-11-19T22:00:07Z"));
    // Before the session, a few minutes after it opens; then by the minute, not by the second.
    assert_eq!(
        wanted(Some(&state), night, FIVE, open.plus(-1)).1,
        open.plus(FIVE)
    );
    let looked = Some(at("2026-11-20T15:00:07Z"));
    let now = at("2026-11-20T15:01:00Z");
    let next = at("2026-11-20T15:05:00Z");
    assert_eq!(
        wanted(Some(&held("2026-11-20", true)), looked, FIVE, now).1,
        next
    );
    // Without looks in between, at its end.
    let end = at("2026-11-20T22:00:00Z");
    assert_eq!(wanted(Some(&state), looked, 0, now).1, end);
    // On a holiday and a weekend there is nothing to be looked at.
    let friday = held("2026-11-20", false);
    let saturday = at("2026-11-21T15:00:00Z");
    let monday = at("2026-11-23T14:35:00Z");
    assert_eq!(wanted(Some(&friday), None, FIVE, saturday).1, monday);
}

#[test]
fn a_gap_is_wanted_with_the_days_around_it() {
    let now = at("2026-11-21T12:00:00Z");
    let state = RoomState {
        missing: Some(date("2024-05-06")),
        ..held("2026-11-20", false)
    };
    assert_eq!(
        wanted(Some(&state), None, FIVE, now),
        (date("2024-04-26"), Millis(0))
    );
}

#[test]
fn failures_wait_longer_each_time_up_to_a_quarter_of_an_hour() {
    let waits: Vec<i64> = (1..=8).map(|n| backoff(n) / MINUTE).collect();
    assert_eq!(waits, [1, 2, 4, 8, 15, 15, 15, 15]);
    assert_eq!(backoff(u32::MAX), MAX_BACKOFF);
}
