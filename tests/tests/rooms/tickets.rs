//! Socket tickets in the feed: once, not for long, not after a revocation, not too many.

use crate::support::script::{check, check_in};
use crate::support::world::World;

const ONCE_AND_NOT_FOR_LONG: &str = "
    > ticket feed t1 ann dated
    good until 2026-01-05T22:00:30.000Z
    > ticket feed t2 ann dated
    good until 2026-01-05T22:00:30.000Z
    > redeem feed t1 opens=QQQ
    of ann approver
    > redeem feed t1
    of nobody
    > redeem feed t3
    of nobody
    > visited feed ann
    [QQQ]
    > wait 29999
    > ticket feed t4 ann dated
    good until 2026-01-05T22:00:59.999Z
    > wait 1
    > redeem feed t2
    of nobody
    > redeem feed t4
    of ann approver
";

#[test]
fn a_ticket_is_good_once_and_not_for_long() {
    check(ONCE_AND_NOT_FOR_LONG);
}

#[test]
fn tickets_outlive_hibernation() {
    let mut world = World::new(10_000);
    world.forgetful = true;
    check_in(&mut world, ONCE_AND_NOT_FOR_LONG);
}

#[test]
fn a_revocation_ends_open_tickets_and_those_of_older_tokens() {
    check(
        "
        > ticket feed t1 mallory dated
        good until 2026-01-05T22:00:30.000Z
        > ticket feed t2 ann dated
        good until 2026-01-05T22:00:30.000Z
        > wait 1
        > revoke feed mallory
        revoked before 2026-01-05T22:00:00.001Z
        > ticket feed t3 mallory
        good until 2026-01-05T22:00:30.001Z
        > ticket feed t4 mallory dated
        good until 2026-01-05T22:00:30.001Z
        > redeem feed t1
        of nobody
        > redeem feed t2
        of ann approver
        > redeem feed t3
        of nobody
        > redeem feed t4
        of mallory approver
        ",
    );
}

#[test]
fn of_too_many_open_tickets_the_oldest_are_forgotten() {
    let mut world = World::new(10_000);
    world.play("ticket feed other ann");
    for n in 1..=21 {
        world.play(&format!("ticket feed t{n} mallory"));
        world.play("wait 10");
    }
    check_in(
        &mut world,
        "
        > redeem feed t1
        of nobody
        > redeem feed t2
        of mallory approver
        > redeem feed t21
        of mallory approver
        > redeem feed other
        of ann approver
        ",
    );
}

#[test]
fn only_the_feed_has_tickets() {
    check(
        "
        > ticket AAPL t1 ann
        Misdirected
        > redeem AAPL t1
        Misdirected
        ",
    );
}
