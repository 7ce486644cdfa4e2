//! Messages that leave a room one after the other, on a platform for which a broadcast is one long
//! step.

use crate::support::script::check;

/// Three symbols with a signal each on the way to the feed, and sockets that hear of it: 1 takes
/// one message a frame, 2 several, 3 several and no MSFT.
const DESK: &str = "
    > connect feed 1 for=120000
    1 < welcome e1 #0
    1 < snapshot [], city null
    > connect feed 2 v1
    2 < welcome e1 #0
    2 < snapshot [], city null
    > connect feed 3 v1 symbols=AAPL,TSLA
    3 < welcome e1 #0
    3 < snapshot [], city null
    > bars AAPL history
    300 accepted, 0 replaced, 0 unchanged
    > bars AAPL 0 BUY now
    1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
    > bars MSFT history
    300 accepted, 0 replaced, 0 unchanged
    > bars MSFT 0 BUY now
    1 accepted, 0 replaced, 0 unchanged, signal MSFT:2021-02-25:1 BUY PENDING_REVIEW
    > bars TSLA history
    300 accepted, 0 replaced, 0 unchanged
    > bars TSLA 0 BUY now
    1 accepted, 0 replaced, 0 unchanged, signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
    > deliver AAPL
    [#1] v2
    1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
    2 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
    3 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
    > hold feed
    sent
    > hold feed
    nothing to wait for
    ";

fn check_after_the_first(script: &str) {
    check(&format!("{DESK}{script}"));
}

#[test]
fn what_comes_during_a_broadcast_is_one_frame() {
    check_after_the_first(
        "
        > deliver MSFT
        [#1] v2
        > deliver TSLA
        [#1] v2
        > pong feed
        pong e1 #1 bare
        > release feed
        goes on
        1 < #2 new_signal MSFT:2021-02-25:1 BUY PENDING_REVIEW
        1 < #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
        3 < #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
        2 < [#2 new_signal MSFT:2021-02-25:1 BUY PENDING_REVIEW; #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW]
        > pong feed
        pong e1 #3 bare
        > rest feed 200
        200 ms
        > release feed
        ends
        > approve AAPL BUY alice
        AAPL:2021-02-25:1 BUY by alice at #2
        > deliver AAPL
        [#2] v2
        1 < #4 approval_notification AAPL:2021-02-25:1 BUY by alice
        2 < #4 approval_notification AAPL:2021-02-25:1 BUY by alice
        3 < #4 approval_notification AAPL:2021-02-25:1 BUY by alice
        ",
    );
}

#[test]
fn an_answer_comes_after_what_was_gathered() {
    check_after_the_first(
        "
        > deliver MSFT
        [#1] v2
        > say 2 {\"type\":\"ping\",\"data\":{}}
        1 < #2 new_signal MSFT:2021-02-25:1 BUY PENDING_REVIEW
        2 < #2 new_signal MSFT:2021-02-25:1 BUY PENDING_REVIEW
        2 < pong e1 #2
        > deliver TSLA
        [#1] v2
        > connect feed 4
        4 < welcome e1 #3
        4 < snapshot [TSLA:2021-02-25:1 BUY PENDING_REVIEW, MSFT:2021-02-25:1 BUY PENDING_REVIEW, AAPL:2021-02-25:1 BUY PENDING_REVIEW], city null
        > release feed
        goes on
        1 < #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
        2 < #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
        3 < #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
        ",
    );
}

#[test]
fn nothing_gathered_reaches_an_expired_token_or_a_socket_that_is_gone() {
    check_after_the_first(
        "
        > deliver MSFT
        [#1] v2
        > gone 3
        > wait 120000
        > release feed
        goes on
        1 closed 4001
        2 < #2 new_signal MSFT:2021-02-25:1 BUY PENDING_REVIEW
        ",
    );
}

#[test]
fn a_run_waits_for_its_signals_and_its_end_lets_them_out() {
    check_after_the_first(
        "
        > rest feed 30
        0 ms
        > release feed
        ends
        > bars NVDA history
        300 accepted, 0 replaced, 0 unchanged
        > deliver NVDA
        [] v1 dirty
        > bars QQQ history
        300 accepted, 0 replaced, 0 unchanged
        > deliver QQQ
        [] v1 dirty
        > plan feed run=r1
        [NVDA, QQQ], stale [AAPL 2021-02-25, NVDA 2021-02-24, QQQ 2021-02-24]
        > deliver MSFT
        [#1] v2
        > hold feed
        80 ms for a run
        > deliver TSLA
        [#1] v2
        > finish feed run=r1
        stable: Mean trust 0.659 over 3 symbols.
        1 < #2 new_signal MSFT:2021-02-25:1 BUY PENDING_REVIEW
        1 < #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
        3 < #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW
        2 < [#2 new_signal MSFT:2021-02-25:1 BUY PENDING_REVIEW; #3 new_signal TSLA:2021-02-25:1 BUY PENDING_REVIEW]
        > release feed
        ends
        ",
    );
}
