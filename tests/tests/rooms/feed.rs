//! The feed: everybody's events in one order, and what is read from it.

use crate::support::script::check;

#[test]
fn events_are_known_by_source_epoch_and_number() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > receive feed A e1 1..2 v1
        has #2 v1, own #2
        1 < #1 new_signal A:1 BUY PENDING_REVIEW
        1 < #2 new_signal A:2 BUY PENDING_REVIEW
        > receive feed B e1 1..1 v1
        has #1 v1, own #3
        1 < #3 new_signal B:1 BUY PENDING_REVIEW
        > receive feed A e1 1..3 v1
        has #3 v1, own #4
        1 < #4 new_signal A:3 BUY PENDING_REVIEW
        > receive feed A e1 2..3 v1
        has #3 v1, own #4
        > receive feed A e1 5..6 v1
        has #3 v1, own #4
        > receive feed A e2 1..1 v1
        has #1 v1, own #5
        1 < #5 new_signal A:1 BUY PENDING_REVIEW
        > receive feed A e2 2..1 v1
        has #1 v1, own #5
        > log feed
        5 events
        ",
    );
}

#[test]
fn lists_show_the_latest_of_each_symbol() {
    check(
        "
        > signals feed
        []
        > top feed 3
        []
        > approvals feed
        []
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > deliver AAPL
        [#1] v2
        > bars MSFT history
        300 accepted, 0 replaced, 0 unchanged
        > bars MSFT 0 RISK now
        1 accepted, 0 replaced, 0 unchanged, signal MSFT:2021-02-25:1 RISK PENDING_REVIEW
        > deliver MSFT
        [#1] v2
        > signals feed
        [MSFT:2021-02-25:1 RISK PENDING_REVIEW, AAPL:2021-02-25:1 BUY PENDING_REVIEW]
        > top feed 1
        [AAPL:2021-02-25:1 BUY PENDING_REVIEW]
        > approve AAPL BUY alice
        AAPL:2021-02-25:1 BUY by alice at #2
        > deliver AAPL
        [#2] v2
        > approve MSFT RISK bob
        MSFT:2021-02-25:1 RISK by bob at #2
        > deliver MSFT
        [#2] v2
        > signals feed
        [MSFT:2021-02-25:1 RISK APPROVED_RISK, AAPL:2021-02-25:1 BUY APPROVED_BUY]
        > signals feed status=APPROVED_RISK
        [MSFT:2021-02-25:1 RISK APPROVED_RISK]
        > signals feed status=PENDING_REVIEW
        []
        > approvals feed
        [MSFT:2021-02-25:1 RISK by bob, AAPL:2021-02-25:1 BUY by alice]
        > approvals feed by=alice
        [AAPL:2021-02-25:1 BUY by alice]
        > approvals feed symbol=MSFT
        [MSFT:2021-02-25:1 RISK by bob]
        > approvals feed symbol=MSFT by=alice
        []
        ",
    );
}

#[test]
fn a_run_looks_at_what_has_new_bars() {
    check(
        "
        > plan feed
        []
        > bars MSFT short
        25 accepted, 0 replaced, 0 unchanged
        > deliver MSFT
        [] v1 dirty
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > deliver AAPL
        [] v1 dirty
        > plan feed
        [AAPL, MSFT], stale [AAPL 2021-02-24, MSFT 2020-02-05]
        > compute AAPL
        New
        > plan feed
        [AAPL, MSFT], stale [AAPL 2021-02-24, MSFT 2020-02-05]
        > deliver AAPL
        [#1] v2
        > plan feed
        [MSFT], stale [AAPL 2021-02-24, MSFT 2020-02-05]
        > compute MSFT
        InsufficientHistory
        > deliver MSFT
        [] v2
        > plan feed
        [], stale [AAPL 2021-02-24, MSFT 2020-02-05]
        > bars AAPL history
        0 accepted, 0 replaced, 300 unchanged
        > deliver AAPL
        > plan feed
        [], stale [AAPL 2021-02-24, MSFT 2020-02-05]
        > bars AAPL 0 BUY
        1 accepted, 0 replaced, 0 unchanged
        > deliver AAPL
        [] v3 dirty
        > plan feed
        [AAPL], stale [AAPL 2021-02-25, MSFT 2020-02-05]
        ",
    );
}

#[test]
fn only_the_newest_state_counts() {
    check(
        "
        > receive feed A e1 1..1 v2 trust=0.5
        has #1 v2, own #1
        > receive feed A e1 1..1 v1 dirty
        has #1 v2, own #1
        > plan feed
        [], stale [A never]
        > city feed
        stable: Mean trust 0.500 over 1 symbol.
        > receive feed A e1 1..1 v3 dirty
        has #1 v3, own #1
        > plan feed
        [A], stale [A never]
        > deadline feed
        in 1000 ms
        > city feed
        null: No symbol has all three scores yet.
        ",
    );
}
