//! After a backup was restored: new epochs, the same numbers, and the truth told again.

use crate::support::script::check;

#[test]
fn whoever_followed_the_feed_starts_anew() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > receive feed A e1 1..2 v1
        has #2 v1, own #2
        1 < #1 new_signal A:1 BUY PENDING_REVIEW
        1 < #2 new_signal A:2 BUY PENDING_REVIEW
        > renew feed
        renewed at #2
        1 closed 1012
        > connect feed 2 since=2 epoch=e1
        2 < welcome e1-1 #2
        2 < resumed false 0
        2 < snapshot [A:2 BUY PENDING_REVIEW], city null
        > connect feed 3 since=1 epoch=e1-1
        3 < welcome e1-1 #2
        3 < #2 new_signal A:2 BUY PENDING_REVIEW
        3 < resumed true 1
        > pong feed
        pong e1-1 #2 bare
        > receive feed A e1 1..3 v1
        has #3 v1, own #3
        2 < #3 new_signal A:3 BUY PENDING_REVIEW
        3 < #3 new_signal A:3 BUY PENDING_REVIEW
        > forget feed
        > renew feed
        renewed at #3
        2 closed 1012
        3 closed 1012
        > connect feed 4
        4 < welcome e1-2 #3
        4 < snapshot [A:3 BUY PENDING_REVIEW], city null
        ",
    );
}

#[test]
fn a_symbol_tells_the_feed_again_what_holds() {
    check(
        "
        > renew AAPL
        UnknownSymbol
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice
        AAPL:2021-02-25:1 BUY by alice at #2
        > deliver AAPL
        [#1, #2] v2
        > connect feed 1
        1 < welcome e1 #2
        1 < snapshot [AAPL:2021-02-25:1 BUY APPROVED_BUY], city null
        > connect AAPL 2
        2 < welcome e1 #2
        2 < snapshot [AAPL:2021-02-25:1 BUY APPROVED_BUY], no city
        > renew AAPL
        renewed at #3
        2 closed 1012
        > deliver AAPL
        [#3] v3
        1 < #3 new_signal AAPL:2021-02-25:1 BUY APPROVED_BUY
        > approvals feed
        [AAPL:2021-02-25:1 BUY by alice]
        > connect AAPL 3 since=2 epoch=e1
        3 < welcome e1-1 #3
        3 < resumed false 0
        3 < snapshot [AAPL:2021-02-25:1 BUY APPROVED_BUY], no city
        > connect AAPL 4 since=2 epoch=e1-1
        4 < welcome e1-1 #3
        4 < #3 new_signal AAPL:2021-02-25:1 BUY APPROVED_BUY
        4 < resumed true 1
        > renew AAPL
        renewed at #4
        3 closed 1012
        4 closed 1012
        > renew AAPL
        renewed at #5
        > deliver AAPL
        [#4, #5] v5
        1 < #4 new_signal AAPL:2021-02-25:1 BUY APPROVED_BUY
        1 < #5 new_signal AAPL:2021-02-25:1 BUY APPROVED_BUY
        ",
    );
}

#[test]
fn the_feed_goes_on_where_the_backup_and_it_agree() {
    check(
        "
        > receive feed A e1 1..10 v5
        has #10 v5, own #10
        > receive feed A e2 8..9 v3 after=e1@7
        has #9 v3, own #12
        > receive feed A e1 10..11 v6
        RetiredEpoch
        > receive feed A e2 10..10 v3 after=e1@7
        has #10 v3, own #13
        > receive feed A e4 9..11 v4 after=e1@7 after=e2@9 after=e3@10
        has #11 v4, own #15
        > receive feed A e3 11..12 v9 after=e1@7 after=e2@9
        RetiredEpoch
        > receive feed A e6 7..8 v1 after=e1@7 after=e5@6
        has #8 v1, own #17
        > receive feed A e7 1..2 v1
        has #2 v1, own #19
        > receive feed A e6 9..9 v1
        RetiredEpoch
        ",
    );
}

#[test]
fn a_feed_older_than_its_sources_gets_what_it_lacks() {
    check(
        "
        > receive feed A e1 1..4 v1
        has #4 v1, own #4
        > receive feed A e2 11..11 v2 after=e1@10
        has #4 v2, own #4
        > receive feed A e2 5..11 v2 after=e1@10
        has #11 v2, own #11
        ",
    );
}

#[test]
fn a_restored_room_that_was_not_renewed_keeps_what_it_owes() {
    check(
        "
        > receive feed AAPL e1 1..5 v9
        has #5 v9, own #5
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > deliver AAPL
        [#1] v2
        > deadline AAPL
        in 1000 ms
        > renew AAPL
        renewed at #2
        > wait 1000
        > deliver AAPL
        [#1, #2] v3
        > deadline AAPL
        none
        > log feed
        7 events
        ",
    );
}

#[test]
fn of_two_logs_the_feed_does_not_know_the_later_counts() {
    check(
        "
        > receive feed A e2 1..1 v1 born=200
        has #1 v1, own #1
        > receive feed A e1 1..7 v9 born=100
        RetiredEpoch
        > receive feed A e2 2..2 v2 born=200
        has #2 v2, own #2
        > receive feed B e2 9..9 v1 born=200 after=e1@8 floor=9
        has #9 v1, own #3
        > receive feed B e1 9..9 v9 born=200
        RetiredEpoch
        > receive feed A e3 1..1 v1 born=300
        has #1 v1, own #4
        ",
    );
}
