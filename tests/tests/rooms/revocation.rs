//! Revocation: who is closed, who is kept out, and what rooms keep of it.

use crate::support::script::{check, check_in};
use crate::support::world::World;

const AT_THE_FEED: &str = "
    > connect feed 1 as=mallory
    1 < welcome e1 #0
    1 < snapshot [], city null
    > connect feed 2 as=mallory dated
    2 < welcome e1 #0
    2 < snapshot [], city null
    > connect feed 3 as=ann
    3 < welcome e1 #0
    3 < snapshot [], city null
    > wait 1000
    > revoke feed mallory
    revoked before 2026-01-05T22:00:01.000Z
    1 closed 4501
    2 closed 4501
    > connect feed 4 as=mallory
    4 closed 4501
    > connect feed 5 as=mallory dated
    5 < welcome e1 #0
    5 < snapshot [], city null
    > admit feed mallory
    admitted, revoked before 2026-01-05T22:00:01.000Z
    > admit feed ann
    admitted
    > wait 1
    > revoke feed mallory
    revoked before 2026-01-05T22:00:01.001Z
    5 closed 4501
    > say 3 {\"type\":\"ping\",\"data\":{}}
    3 < pong e1 #0
";

#[test]
fn sockets_of_older_tokens_are_closed_and_kept_out() {
    check(AT_THE_FEED);
}

#[test]
fn a_revocation_outlives_hibernation() {
    let mut world = World::new(10_000);
    world.forgetful = true;
    check_in(&mut world, AT_THE_FEED);
}

#[test]
fn the_feed_knows_whose_rooms_to_tell() {
    check(
        "
        > admit feed mallory opens=QQQ
        admitted
        > admit feed mallory opens=AAPL
        admitted
        > admit feed mallory opens=QQQ
        admitted
        > admit feed mallory
        admitted
        > admit feed ann opens=SPY
        admitted
        > visited feed mallory
        [AAPL, QQQ]
        > sources feed
        []
        > plan feed
        []
        ",
    );
}

#[test]
fn a_symbols_room_closes_and_keeps_out_and_nobody_else() {
    check(
        "
        > connect NONE 1 as=mallory
        1 < welcome e1 #0
        1 < snapshot [], no city
        > connect NONE 2 as=ann
        2 < welcome e1 #0
        2 < snapshot [], no city
        > forget NONE
        > dismiss NONE mallory
        dismissed
        1 closed 4501
        > forget NONE
        > connect NONE 3 as=mallory
        3 closed 4501
        > connect NONE 4 as=mallory dated
        4 < welcome e1 #0
        4 < snapshot [], no city
        > latest NONE
        UnknownSymbol
        ",
    );
}

#[test]
fn a_room_that_comes_to_be_later_keeps_out_too() {
    check(
        "
        > dismiss NONE mallory
        dismissed
        > forget NONE
        > connect NONE 1 as=mallory
        1 closed 4501
        ",
    );
}

#[test]
fn only_the_feed_revokes() {
    check(
        "
        > revoke AAPL mallory
        Misdirected
        > admit AAPL mallory
        Misdirected
        > visited AAPL mallory
        Misdirected
        > dismiss feed mallory
        Misdirected
        ",
    );
}
