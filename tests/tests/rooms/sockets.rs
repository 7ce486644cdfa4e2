//! What sockets hear: welcomes, filters, answers, refusals.

use crate::support::script::{check, check_in};
use crate::support::world::World;

#[test]
fn a_socket_on_a_symbol_hears_that_symbol() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > connect AAPL 1
        1 < welcome e1 #1
        1 < snapshot [AAPL:2021-02-25:1 BUY PENDING_REVIEW], no city
        > connect AAPL 2 v1 city
        2 < welcome e1 #1
        2 < snapshot [AAPL:2021-02-25:1 BUY PENDING_REVIEW], no city
        > say 2 {\"type\":\"unsubscribe_symbol\",\"data\":{\"symbol\":\"aapl\"}}
        2 < unsubscription_confirmed AAPL
        > bars AAPL 0 BUY2 now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:2 BUY PENDING_REVIEW
        1 < #2 new_signal AAPL:2021-02-25:2 BUY PENDING_REVIEW
        > approve AAPL BUY alice
        AAPL:2021-02-25:2 BUY by alice at #3
        1 < #3 approval_notification AAPL:2021-02-25:2 BUY by alice
        2 < #3 approval_notification AAPL:2021-02-25:2 BUY by alice
        > say 2 {\"type\":\"subscribe_symbol\",\"data\":{\"symbol\":\"AAPL\"}}
        2 < subscription_confirmed AAPL
        > say 2 {\"type\":\"subscribe_symbol\",\"data\":{\"symbol\":\"MSFT\"}}
        2 < error invalid
        > say 2 {\"type\":\"subscribe_city_state\",\"data\":{}}
        2 < error invalid
        > gone 1
        > bars AAPL 0 RISK now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:3 RISK PENDING_REVIEW
        2 < #4 new_signal AAPL:2021-02-25:3 RISK PENDING_REVIEW
        > pong AAPL
        pong e1 #4 bare
        ",
    );
}

#[test]
fn a_socket_on_the_feed_hears_what_it_follows_and_every_decision() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > connect feed 2 symbols=AAPL
        2 < welcome e1 #0
        2 < snapshot [], city null
        > connect feed 3
        3 < welcome e1 #0
        3 < snapshot [], city null
        > say 3 {\"type\":\"subscribe_symbol\",\"data\":{\"symbols\":[\"MSFT\",\"TSLA\"]}}
        3 < subscription_confirmed MSFT
        3 < subscription_confirmed TSLA
        > connect feed 4
        4 < welcome e1 #0
        4 < snapshot [], city null
        > say 4 {\"type\":\"unsubscribe_symbol\",\"data\":{\"symbol\":\"AAPL\"}}
        4 < unsubscription_confirmed AAPL
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > deliver AAPL
        [#1] v2
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        2 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > bars MSFT history
        300 accepted, 0 replaced, 0 unchanged
        > bars MSFT 0 RISK now
        1 accepted, 0 replaced, 0 unchanged, signal MSFT:2021-02-25:1 RISK PENDING_REVIEW
        > deliver MSFT
        [#1] v2
        1 < #2 new_signal MSFT:2021-02-25:1 RISK PENDING_REVIEW
        3 < #2 new_signal MSFT:2021-02-25:1 RISK PENDING_REVIEW
        4 < #2 new_signal MSFT:2021-02-25:1 RISK PENDING_REVIEW
        > approve AAPL BUY alice
        AAPL:2021-02-25:1 BUY by alice at #2
        > deliver AAPL
        [#2] v2
        1 < #3 approval_notification AAPL:2021-02-25:1 BUY by alice
        2 < #3 approval_notification AAPL:2021-02-25:1 BUY by alice
        3 < #3 approval_notification AAPL:2021-02-25:1 BUY by alice
        4 < #3 approval_notification AAPL:2021-02-25:1 BUY by alice
        > say 2 {\"type\":\"unsubscribe_symbol\",\"data\":{\"symbol\":\"AAPL\"}}
        2 < unsubscription_confirmed AAPL
        > say 3 {\"type\":\"subscribe_all\",\"data\":{}}
        3 < subscription_confirmed *
        > bars AAPL 1 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-26:1 NEUTRAL PENDING_REVIEW
        > deliver AAPL
        [#3] v3
        1 < #4 new_signal AAPL:2021-02-26:1 NEUTRAL PENDING_REVIEW
        3 < #4 new_signal AAPL:2021-02-26:1 NEUTRAL PENDING_REVIEW
        > connect feed 5 symbols=MSFT
        5 < welcome e1 #4
        5 < snapshot [MSFT:2021-02-25:1 RISK PENDING_REVIEW], city null
        > connect feed 6
        6 < welcome e1 #4
        6 < snapshot [AAPL:2021-02-26:1 NEUTRAL PENDING_REVIEW, MSFT:2021-02-25:1 RISK PENDING_REVIEW], city null
        ",
    );
}

#[test]
fn a_snapshot_has_the_newest_signals_up_to_the_limit() {
    check(
        "
        > receive feed A e1 1..1 v1
        has #1 v1, own #1
        > receive feed B e1 1..1 v1
        has #1 v1, own #2
        > receive feed C e1 1..1 v1
        has #1 v1, own #3
        > receive feed D e1 1..1 v1
        has #1 v1, own #4
        > receive feed B e1 2..2 v1
        has #2 v1, own #5
        > connect feed 1
        1 < welcome e1 #5
        1 < snapshot [B:2 BUY PENDING_REVIEW, D:1 BUY PENDING_REVIEW, C:1 BUY PENDING_REVIEW], city null
        > connect feed 2 symbols=A,D,X
        2 < welcome e1 #5
        2 < snapshot [D:1 BUY PENDING_REVIEW, A:1 BUY PENDING_REVIEW], city null
        ",
    );
}

#[test]
fn the_city_state_goes_to_those_who_follow_it() {
    check(
        "
        > connect feed 1 city
        1 < welcome e1 #0
        1 < snapshot [], city null
        > connect feed 2
        2 < welcome e1 #0
        2 < snapshot [], city null
        > connect feed 3
        3 < welcome e1 #0
        3 < snapshot [], city null
        > say 3 {\"type\":\"subscribe_city_state\",\"data\":{}}
        3 < city_state_subscription_confirmed
        3 < city_state_update null
        > receive feed AAPL e1 1..1 v1 trust=0.75
        has #1 v1, own #1
        1 < #1 new_signal AAPL:1 BUY PENDING_REVIEW
        2 < #1 new_signal AAPL:1 BUY PENDING_REVIEW
        3 < #1 new_signal AAPL:1 BUY PENDING_REVIEW
        > deadline feed
        in 1000 ms
        > wait 1000
        > alarm feed
        1 < city_state_update thriving
        3 < city_state_update thriving
        > deadline feed
        none
        > say 2 {\"type\":\"subscribe_city_state\"}
        2 < city_state_subscription_confirmed
        2 < city_state_update thriving
        > say 1 {\"type\":\"unsubscribe_city_state\",\"data\":{}}
        1 < city_state_unsubscription_confirmed
        > receive feed MSFT e1 1..1 v1 trust=0.25
        has #1 v1, own #2
        1 < #2 new_signal MSFT:1 BUY PENDING_REVIEW
        2 < #2 new_signal MSFT:1 BUY PENDING_REVIEW
        3 < #2 new_signal MSFT:1 BUY PENDING_REVIEW
        > city feed
        stable: Mean trust 0.500 over 2 symbols.
        2 < city_state_update stable
        3 < city_state_update stable
        > receive feed MSFT e1 2..2 v2 trust=0.25
        has #2 v2, own #3
        1 < #3 new_signal MSFT:2 BUY PENDING_REVIEW
        2 < #3 new_signal MSFT:2 BUY PENDING_REVIEW
        3 < #3 new_signal MSFT:2 BUY PENDING_REVIEW
        > deadline feed
        none
        > finish feed
        stable: Mean trust 0.500 over 2 symbols.
        > connect feed 4
        4 < welcome e1 #3
        4 < snapshot [MSFT:2 BUY PENDING_REVIEW, AAPL:1 BUY PENDING_REVIEW], city stable
        ",
    );
}

#[test]
fn pings_tell_how_far_the_log_was_sent() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > pong feed
        pong e1 #0 bare
        > say 1 {\"type\":\"ping\",\"data\":{\"timestamp\":1.50}}
        1 < pong e1 #0 echo 1.5
        > receive feed AAPL e1 1..2 v1
        has #2 v1, own #2
        1 < #1 new_signal AAPL:1 BUY PENDING_REVIEW
        1 < #2 new_signal AAPL:2 BUY PENDING_REVIEW
        > say 1 {\"type\":\"ping\",\"data\":{}}
        1 < pong e1 #2
        > say 1 {\"type\":\"ping\"}
        1 < pong e1 #2
        > say 1 ping
        1 < pong e1 #2 bare
        > pong feed
        pong e1 #2 bare
        > pong AAPL
        none
        > forget feed
        > say 1 {\"type\":\"ping\",\"data\":{\"timestamp\":{\"a\":[\"x\"]}}}
        1 < pong e1 #2 echo {\"a\":[\"x\"]}
        ",
    );
}

#[test]
fn ten_bad_messages_close_and_good_ones_do_not_help() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > say 1 hello
        1 < error malformed
        > say 1 []
        1 < error malformed
        > say 1 [\"subscribe_all\"]
        1 < error malformed
        > say 1 {\"type\":\"nope\",\"data\":{}}
        1 < error unknown_type
        > say 1 {\"data\":{}}
        1 < error malformed
        > bytes 1 10
        1 < error binary
        > say 1 {\"type\":\"subscribe_all\",\"data\":{}}
        1 < subscription_confirmed *
        > say 1 {\"type\":\"subscribe_symbol\",\"data\":{\"symbol\":\"A B\"}}
        1 < error invalid
        > say 1 {\"type\":\"subscribe_symbol\",\"data\":{}}
        1 < error invalid
        > forget feed
        > say 1 {\"type\":\"subscribe_symbol\",\"data\":{\"symbol\":\"A\",\"symbols\":[\"B\"]}}
        1 < error invalid
        > say 1 {\"type\":\"authenticate\",\"data\":{\"token\":\"x\"}}
        1 < error unauthorized
        1 closed 4500
        > say 1 {\"type\":\"ping\"}
        no such socket
        > receive feed AAPL e1 1..1 v1
        has #1 v1, own #1
        > connect feed 1
        1 < welcome e1 #1
        1 < snapshot [AAPL:1 BUY PENDING_REVIEW], city null
        > say 1 hello
        1 < error malformed
        ",
    );
}

#[test]
fn long_messages_close_at_once() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > long 1 16384
        1 < error malformed
        > long 1 16385
        1 closed 1009
        > connect feed 2
        2 < welcome e1 #0
        2 < snapshot [], city null
        > bytes 2 16384
        2 < error binary
        > bytes 2 16385
        2 closed 1009
        > receive feed AAPL e1 1..1 v1
        has #1 v1, own #1
        ",
    );
}

#[test]
fn a_reader_creates_no_room() {
    let mut world = World::new(10_000);
    check_in(
        &mut world,
        "
        > latest XYZ
        UnknownSymbol
        > approve XYZ BUY alice
        UnknownSymbol
        > signals feed
        []
        ",
    );
    assert_eq!(world.room("XYZ").disk.dump(), []);
    assert_eq!(world.room("feed").disk.dump(), []);
}
