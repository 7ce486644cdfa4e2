//! From a symbol room to the feed: nothing is lost, nothing is doubled, failures wait longer.

use crate::support::script::{check, check_in};
use crate::support::world::World;

#[test]
fn a_batch_is_owed_until_it_is_acknowledged() {
    check(
        "
        > deadline AAPL
        none
        > push AAPL
        nothing
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > push AAPL
        [] v1 dirty
        > arrive AAPL
        has #0 v1, own #0
        > ack AAPL
        > push AAPL
        nothing
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice
        AAPL:2021-02-25:1 BUY by alice at #2
        > deadline AAPL
        in 5000 ms
        > push AAPL
        [#1, #2] v2
        > push AAPL
        [#1, #2] v2
        > arrive AAPL
        has #2 v2, own #2
        > forget AAPL
        > push AAPL
        [#1, #2] v2
        > ack AAPL
        > push AAPL
        nothing
        > deadline AAPL
        none
        > signals feed
        [AAPL:2021-02-25:1 BUY APPROVED_BUY]
        ",
    );
}

#[test]
fn a_lost_answer_and_a_doubled_batch_change_nothing() {
    check(
        "
        > connect feed 1
        1 < welcome e1 #0
        1 < snapshot [], city null
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > push AAPL
        [#1] v2
        > arrive AAPL
        has #1 v2, own #1
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > lost AAPL
        > deadline AAPL
        in 1000 ms
        > push AAPL
        nothing
        > wait 1000
        > push AAPL
        [#1] v2
        > arrive AAPL
        has #1 v2, own #1
        > arrive AAPL
        has #1 v2, own #1
        > ack AAPL
        > deadline AAPL
        none
        > log feed
        1 events
        ",
    );
}

#[test]
fn a_feed_that_lost_its_data_gets_all_that_is_held() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > bars AAPL 0 RISK now
        0 accepted, 1 replaced, 0 unchanged, signal AAPL:2021-02-25:2 RISK PENDING_REVIEW
        > deliver AAPL
        [#1, #2] v3
        > wipe feed
        > connect feed 1
        1 < welcome e2 #0
        1 < snapshot [], city null
        > approve AAPL BUY alice
        AAPL:2021-02-25:2 BUY by alice at #3
        > deliver AAPL
        [#3] v3, [#1, #2, #3] v3
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        1 < #2 new_signal AAPL:2021-02-25:2 RISK PENDING_REVIEW
        1 < #3 approval_notification AAPL:2021-02-25:2 BUY by alice
        > deadline AAPL
        none
        > approvals feed
        [AAPL:2021-02-25:2 BUY by alice]
        ",
    );
}

#[test]
fn failures_wait_twice_as_long_up_to_a_minute() {
    let mut world = World::new(10_000);
    world.play("bars AAPL history");
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        check_in(
            &mut world,
            &format!(
                "
                > push AAPL
                [] v1 dirty
                > lost AAPL
                > deadline AAPL
                in {wait}000 ms
                > forget AAPL
                > push AAPL
                nothing
                > wait {wait}000
                "
            ),
        );
    }
    check_in(
        &mut world,
        "
        > deliver AAPL
        [] v1 dirty
        > bars AAPL 0 BUY
        1 accepted, 0 replaced, 0 unchanged
        > deadline AAPL
        in 5000 ms
        ",
    );
}

#[test]
fn a_failure_delays_what_comes_after_it() {
    check(
        "
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > push AAPL
        [] v1 dirty
        > lost AAPL
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > push AAPL
        nothing
        > deadline AAPL
        in 1000 ms
        > wait 1000
        > deliver AAPL
        [#1] v2
        ",
    );
}

#[test]
fn what_is_not_acknowledged_is_not_trimmed() {
    let mut world = World::new(5);
    world.play("bars AAPL history");
    for n in 0..64 {
        let shape = ["BUY", "RISK"][n % 2];
        world.play(&format!("bars AAPL 0 {shape} now"));
    }
    check_in(
        &mut world,
        "
        > log AAPL
        64 events
        > connect AAPL 1 since=58
        1 < welcome e1 #64
        1 < resumed false 0
        1 < snapshot [AAPL:2021-02-25:64 RISK PENDING_REVIEW], no city
        > connect AAPL 2 since=59 v1
        2 < welcome e1 #64
        2 < [#60 new_signal AAPL:2021-02-25:60 RISK PENDING_REVIEW; #61 new_signal AAPL:2021-02-25:61 BUY PENDING_REVIEW; #62 new_signal AAPL:2021-02-25:62 RISK PENDING_REVIEW; #63 new_signal AAPL:2021-02-25:63 BUY PENDING_REVIEW; #64 new_signal AAPL:2021-02-25:64 RISK PENDING_REVIEW]
        2 < resumed true 5
        ",
    );
    let events = |world: &mut World| world.room("AAPL").disk.count("events");
    assert_eq!(events(&mut world), 64);
    world.play("deliver AAPL");
    let arrived = |world: &mut World| world.room("feed").log.last().map(|event| event.seq);
    assert_eq!(arrived(&mut world), Some(64));
    for n in 0..64 {
        let shape = ["BUY", "RISK"][n % 2];
        world.play(&format!("bars AAPL 1 {shape} now"));
    }
    // The first 64 were acknowledged, the others were not.
    assert_eq!(events(&mut world), 64);
    world.play("deliver AAPL");
    assert_eq!(arrived(&mut world), Some(128));
    assert_eq!(events(&mut world), 64);
}
