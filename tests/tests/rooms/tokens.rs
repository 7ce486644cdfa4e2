//! A token's life in a socket, and a socket that falls silent.

use crate::support::script::check;

#[test]
fn an_expiring_socket_is_warned_and_closed_and_hears_nothing_after() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > connect AAPL 1 for=120000
        1 < welcome e1 #0
        1 < snapshot [], no city
        > connect AAPL 2
        2 < welcome e1 #0
        2 < snapshot [], no city
        > deliver AAPL
        [] v1 dirty
        > deadline AAPL
        in 60000 ms
        > wait 60000
        > alarm AAPL
        1 < token_expiring
        > deadline AAPL
        in 60000 ms
        > forget AAPL
        > alarm AAPL
        > wait 60000
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        1 closed 4001
        2 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        ",
    );
}

#[test]
fn an_expired_socket_gets_no_answer_though_the_alarm_is_late() {
    check(
        "
        > connect feed 1 for=90000
        1 < welcome e1 #0
        1 < snapshot [], city null
        > wait 90000
        > say 1 {\"type\":\"ping\",\"data\":{}}
        1 closed 4001
        > alarm feed
        ",
    );
}

#[test]
fn a_silent_socket_is_closed_once() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > quiet 1
        1 closed 4012
        > quiet 1
        no such socket
        ",
    );
}

#[test]
fn a_short_token_is_warned_of_half_way() {
    check(
        "
        > connect feed 1 for=20000
        1 < welcome e1 #0
        1 < snapshot [], city null
        > deadline feed
        in 10000 ms
        > wait 10000
        > alarm feed
        1 < token_expiring
        > deadline feed
        in 10000 ms
        > wait 10000
        > alarm feed
        1 closed 4001
        ",
    );
}
