//! What a run looks after: alarms that did not come, symbols without fresh bars.

use crate::support::script::check;

#[test]
fn a_room_not_heard_of_for_an_hour_is_looked_at_once_an_hour() {
    check(
        "
        > receive feed A e1 1..1 v1 bar=2026-01-05
        has #1 v1, own #1
        > wait 3600000
        > plan feed
        []
        > receive feed B e1 1..1 v1 bar=2026-01-05
        has #1 v1, own #2
        > wait 1
        > plan feed
        [], look [A]
        > plan feed
        []
        > wait 3600000
        > plan feed
        [], look [B]
        > receive feed A e1 1..1 v2 dirty bar=2026-01-05
        has #1 v2, own #1
        > wait 3600001
        > plan feed
        [A], look [B]
        ",
    );
}

#[test]
fn a_lost_alarm_is_found_and_its_debt_paid() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > look AAPL
        in time
        > wait 65000
        > look AAPL
        in time
        > wait 1
        > look AAPL
        overdue
        > deliver AAPL
        [] v1 dirty
        > look AAPL
        in time
        > receive feed B e1 1..1 v1 trust=0.9 bar=2026-01-05
        has #1 v1, own #1
        > wait 61001
        > plan feed
        [AAPL], stale [AAPL 2021-02-24], overdue
        > finish feed
        thriving: Mean trust 0.900 over 1 symbol.
        > plan feed
        [AAPL], stale [AAPL 2021-02-24]
        ",
    );
}

#[test]
fn a_look_also_ends_expired_sockets() {
    check(
        "
        > connect AAPL 1 for=70000
        1 < welcome e1 #0
        1 < snapshot [], no city
        > wait 200000
        > look AAPL
        overdue
        1 closed 4001
        ",
    );
}

#[test]
fn stale_symbols_are_named() {
    check(
        "
        > wait 60000
        > receive feed OLD e1 1..1 v1 bar=2025-12-20
        has #1 v1, own #1
        > receive feed NEW e1 1..1 v1 bar=2026-01-05
        has #1 v1, own #2
        > plan feed watchlist=NEW,OLD,SPY
        [], stale [OLD 2025-12-20, SPY never]
        > wait 518400000
        > plan feed
        [], look [NEW, OLD], stale [NEW 2026-01-05, OLD 2025-12-20]
        > receive feed NEW e1 2..2 v2 bar=2026-01-09
        has #2 v2, own #3
        > plan feed
        [], stale [OLD 2025-12-20]
        > sources feed
        [NEW, OLD]
        ",
    );
}

#[test]
fn a_feed_that_lost_its_data_is_filled_again() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice
        AAPL:2021-02-25:1 BUY by alice at #2
        > deliver AAPL
        [#1, #2] v2
        > wipe feed
        > wait 3600000
        > plan feed watchlist=AAPL,SPY
        [], look [AAPL, SPY], stale [AAPL never, SPY never]
        > look SPY
        in time
        > deliver SPY
        > look AAPL
        in time
        > deliver AAPL
        [] v2, [#1, #2] v2
        > approvals feed
        [AAPL:2021-02-25:1 BUY by alice]
        > look AAPL
        in time
        > deliver AAPL
        [] v2
        > log feed
        2 events
        > wait 60000
        > plan feed watchlist=AAPL,SPY
        [], stale [AAPL 2021-02-25, SPY never]
        ",
    );
}
