//! When a signal is new, and who may decide on it.

use crate::support::script::check;

#[test]
fn a_signal_is_new_once_per_date_and_content() {
    check(
        "
        > connect AAPL 1
        1 < welcome e1 #0
        1 < snapshot [], no city
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > latest AAPL
        NoSignal
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > bars AAPL 0 BUY now
        0 accepted, 0 replaced, 1 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > compute AAPL
        Unchanged
        > bars AAPL 0 BUY2 now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:2 BUY PENDING_REVIEW
        1 < #2 new_signal AAPL:2021-02-25:2 BUY PENDING_REVIEW
        > bars AAPL 0 RISK
        0 accepted, 1 replaced, 0 unchanged
        > compute AAPL
        New
        1 < #3 new_signal AAPL:2021-02-25:3 RISK PENDING_REVIEW
        > compute AAPL
        Unchanged
        > history AAPL
        [AAPL:2021-02-25:3 RISK PENDING_REVIEW, AAPL:2021-02-25:2 BUY SUPERSEDED, AAPL:2021-02-25:1 BUY SUPERSEDED]
        > log AAPL
        3 events
        ",
    );
}

#[test]
fn a_newer_date_supersedes_what_nobody_decided_on() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > bars AAPL 1 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-26:1 NEUTRAL PENDING_REVIEW
        > approve AAPL RISK alice
        AAPL:2021-02-26:1 RISK by alice at #3
        > bars AAPL 2 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-03-01:1 BUY PENDING_REVIEW
        > history AAPL
        [AAPL:2021-03-01:1 BUY PENDING_REVIEW, AAPL:2021-02-26:1 NEUTRAL APPROVED_RISK, AAPL:2021-02-25:1 BUY SUPERSEDED]
        ",
    );
}

#[test]
fn an_older_bar_makes_no_older_signal() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 1 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-26:1 BUY PENDING_REVIEW
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-26:2 NEUTRAL PENDING_REVIEW
        > history AAPL
        [AAPL:2021-02-26:2 NEUTRAL PENDING_REVIEW, AAPL:2021-02-26:1 BUY SUPERSEDED]
        ",
    );
}

#[test]
fn a_decision_stands_until_the_suggestion_changes() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL NEUTRAL alice
        AAPL:2021-02-25:1 NEUTRAL by alice at #2
        > bars AAPL 0 BUY2 now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY APPROVED_NEUTRAL
        > history AAPL
        [AAPL:2021-02-25:1 BUY APPROVED_NEUTRAL]
        > bars AAPL 0 RISK now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:2 RISK PENDING_REVIEW
        > bars AAPL 0 RISK2 now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:3 RISK PENDING_REVIEW
        > bars AAPL 0 BUY now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:4 BUY PENDING_REVIEW
        > history AAPL
        [AAPL:2021-02-25:4 BUY PENDING_REVIEW, AAPL:2021-02-25:3 RISK SUPERSEDED, AAPL:2021-02-25:2 RISK SUPERSEDED, AAPL:2021-02-25:1 BUY APPROVED_NEUTRAL]
        > approvals AAPL
        [AAPL:2021-02-25:1 NEUTRAL by alice]
        ",
    );
}

#[test]
fn what_is_missing_is_said() {
    check(
        "
        > latest AAPL
        UnknownSymbol
        > history AAPL
        UnknownSymbol
        > compute AAPL
        UnknownSymbol
        > approvals AAPL
        UnknownSymbol
        > approve AAPL BUY alice
        UnknownSymbol
        > bars AAPL short
        25 accepted, 0 replaced, 0 unchanged
        > compute AAPL
        InsufficientHistory
        > latest AAPL
        InsufficientHistory: [unslug, fear, momentum, strength, volatility, breadth, safe_haven, credit, short_sentiment]
        > approve AAPL BUY alice
        NoSignal
        > approvals AAPL
        []
        > city AAPL
        Misdirected
        > latest feed
        Misdirected
        ",
    );
}

#[test]
fn a_decision_needs_the_signal_that_was_looked_at() {
    check(
        "
        > connect AAPL 1
        1 < welcome e1 #0
        1 < snapshot [], no city
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice if=AAPL:2021-02-25:2
        StaleSignal: AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice if=AAPL:2021-02-25:1 if=AAPL:2021-02-24:1
        StaleSignal: AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice if=AAPL:2021-02-24:1|AAPL:2021-02-25:1 if=AAPL:2021-02-25:1
        AAPL:2021-02-25:1 BUY by alice at #2
        1 < #2 approval_notification AAPL:2021-02-25:1 BUY by alice
        > approve AAPL RISK bob
        AlreadyDecided: AAPL:2021-02-25:1 BUY APPROVED_BUY
        > approve AAPL RISK bob if=AAPL:2021-02-25:1
        AlreadyDecided: AAPL:2021-02-25:1 BUY APPROVED_BUY
        > approve AAPL RISK bob if=AAPL:2021-02-24:1
        StaleSignal: AAPL:2021-02-25:1 BUY APPROVED_BUY
        > latest AAPL
        AAPL:2021-02-25:1 BUY APPROVED_BUY
        > bars AAPL 0 RISK now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:2 RISK PENDING_REVIEW
        1 < #3 new_signal AAPL:2021-02-25:2 RISK PENDING_REVIEW
        > approve AAPL RISK bob if=AAPL:2021-02-25:1
        StaleSignal: AAPL:2021-02-25:2 RISK PENDING_REVIEW
        > approve AAPL RISK bob if=AAPL:2021-02-25:2
        AAPL:2021-02-25:2 RISK by bob at #4
        1 < #4 approval_notification AAPL:2021-02-25:2 RISK by bob
        > approvals AAPL
        [AAPL:2021-02-25:2 RISK by bob, AAPL:2021-02-25:1 BUY by alice]
        > approvals AAPL by=alice
        [AAPL:2021-02-25:1 BUY by alice]
        ",
    );
}

#[test]
fn a_retry_under_its_key_is_answered_as_the_first() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL RISK alice if=other key=k1 asked=a
        StaleSignal: AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice key=k1 asked=a
        AAPL:2021-02-25:1 BUY by alice at #2
        > deliver AAPL
        [#1, #2] v2
        > approve AAPL BUY alice key=k1 asked=a
        AAPL:2021-02-25:1 BUY by alice at #2
        > deliver AAPL
        [] v2
        > approve AAPL RISK alice key=k1 asked=b
        KeyReused
        > approve AAPL BUY bob key=k1 asked=a
        AlreadyDecided: AAPL:2021-02-25:1 BUY APPROVED_BUY
        > approve AAPL BUY alice key=k2 asked=a
        AlreadyDecided: AAPL:2021-02-25:1 BUY APPROVED_BUY
        > bars AAPL 1 RISK now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-26:1 RISK PENDING_REVIEW
        > approve AAPL BUY alice key=k1 asked=a
        AAPL:2021-02-25:1 BUY by alice at #2
        > wait 86400000
        > approve AAPL RISK alice key=k1 asked=b
        AAPL:2021-02-26:1 RISK by alice at #4
        > approvals AAPL
        [AAPL:2021-02-26:1 RISK by alice, AAPL:2021-02-25:1 BUY by alice]
        ",
    );
}
