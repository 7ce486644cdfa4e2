//! Coming back: what was missed comes once, or a snapshot says that it cannot.

use crate::support::script::{check, check_in};
use crate::support::world::World;

#[test]
fn what_was_missed_comes_in_order() {
    check(
        "
        > receive feed A e1 1..2 v1
        has #2 v1, own #2
        > receive feed B e1 1..1 v1
        has #1 v1, own #3
        > connect feed 1 since=1
        1 < welcome e1 #3
        1 < #2 new_signal A:2 BUY PENDING_REVIEW
        1 < #3 new_signal B:1 BUY PENDING_REVIEW
        1 < resumed true 2
        > connect feed 2 since=0
        2 < welcome e1 #3
        2 < #1 new_signal A:1 BUY PENDING_REVIEW
        2 < #2 new_signal A:2 BUY PENDING_REVIEW
        2 < #3 new_signal B:1 BUY PENDING_REVIEW
        2 < resumed true 3
        > connect feed 3 since=3
        3 < welcome e1 #3
        3 < resumed true 0
        > connect feed 4 since=1 v1
        4 < welcome e1 #3
        4 < [#2 new_signal A:2 BUY PENDING_REVIEW; #3 new_signal B:1 BUY PENDING_REVIEW]
        4 < resumed true 2
        > connect feed 5 since=2 v1
        5 < welcome e1 #3
        5 < #3 new_signal B:1 BUY PENDING_REVIEW
        5 < resumed true 1
        > connect feed 6 since=0 symbols=A
        6 < welcome e1 #3
        6 < #1 new_signal A:1 BUY PENDING_REVIEW
        6 < #2 new_signal A:2 BUY PENDING_REVIEW
        6 < resumed true 2
        > connect feed 7 since=2 symbols=A
        7 < welcome e1 #3
        7 < resumed true 0
        > receive feed A e1 3..3 v1
        has #3 v1, own #4
        1 < #4 new_signal A:3 BUY PENDING_REVIEW
        2 < #4 new_signal A:3 BUY PENDING_REVIEW
        3 < #4 new_signal A:3 BUY PENDING_REVIEW
        6 < #4 new_signal A:3 BUY PENDING_REVIEW
        7 < #4 new_signal A:3 BUY PENDING_REVIEW
        4 < #4 new_signal A:3 BUY PENDING_REVIEW
        5 < #4 new_signal A:3 BUY PENDING_REVIEW
        ",
    );
}

#[test]
fn decisions_are_missed_by_everybody() {
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
        > connect feed 1 since=0 symbols=MSFT
        1 < welcome e1 #2
        1 < #2 approval_notification AAPL:2021-02-25:1 BUY by alice
        1 < resumed true 1
        > connect AAPL 2 since=1
        2 < welcome e1 #2
        2 < #2 approval_notification AAPL:2021-02-25:1 BUY by alice
        2 < resumed true 1
        ",
    );
}

#[test]
fn another_log_brings_nothing() {
    check(
        "
        > receive feed A e1 1..2 v1
        has #2 v1, own #2
        > connect feed 1 since=1 epoch=other
        1 < welcome e1 #2
        1 < resumed false 0
        1 < snapshot [A:2 BUY PENDING_REVIEW], city null
        > connect feed 2 since=3
        2 < welcome e1 #2
        2 < resumed false 0
        2 < snapshot [A:2 BUY PENDING_REVIEW], city null
        > connect feed 3 since=9007199254740991
        3 < welcome e1 #2
        3 < resumed false 0
        3 < snapshot [A:2 BUY PENDING_REVIEW], city null
        > wipe feed
        > connect feed 4 since=2 epoch=e1
        4 < welcome e2 #0
        4 < resumed false 0
        4 < snapshot [], city null
        > receive feed A e1 1..3 v1
        has #3 v1, own #3
        4 < #1 new_signal A:1 BUY PENDING_REVIEW
        4 < #2 new_signal A:2 BUY PENDING_REVIEW
        4 < #3 new_signal A:3 BUY PENDING_REVIEW
        > connect feed 5 since=2 epoch=e1
        5 < welcome e2 #3
        5 < resumed false 0
        5 < snapshot [A:3 BUY PENDING_REVIEW], city null
        ",
    );
}

#[test]
fn an_empty_log_can_be_resumed() {
    check(
        "
        > connect feed 1 since=0
        1 < welcome e1 #0
        1 < resumed true 0
        > connect feed 2 since=0
        2 < welcome e1 #0
        2 < resumed true 0
        > connect feed 3 since=1
        3 < welcome e1 #0
        3 < resumed false 0
        3 < snapshot [], city null
        > receive feed A e1 1..1 v1
        has #1 v1, own #1
        1 < #1 new_signal A:1 BUY PENDING_REVIEW
        2 < #1 new_signal A:1 BUY PENDING_REVIEW
        3 < #1 new_signal A:1 BUY PENDING_REVIEW
        ",
    );
}

#[test]
fn a_log_reaches_back_as_far_as_it_is_kept() {
    let mut world = World::new(5);
    check_in(
        &mut world,
        "
        > receive feed A e1 1..8 v1
        has #8 v1, own #8
        > connect feed 1 since=3 v1
        1 < welcome e1 #8
        1 < [#4 new_signal A:4 BUY PENDING_REVIEW; #5 new_signal A:5 BUY PENDING_REVIEW; #6 new_signal A:6 BUY PENDING_REVIEW; #7 new_signal A:7 BUY PENDING_REVIEW; #8 new_signal A:8 BUY PENDING_REVIEW]
        1 < resumed true 5
        > connect feed 2 since=2 v1
        2 < welcome e1 #8
        2 < resumed false 0
        2 < snapshot [A:8 BUY PENDING_REVIEW], city null
        > connect feed 3 since=8 v1
        3 < welcome e1 #8
        3 < resumed true 0
        > forget feed
        > connect feed 4 since=3 v1
        4 < welcome e1 #8
        4 < [#4 new_signal A:4 BUY PENDING_REVIEW; #5 new_signal A:5 BUY PENDING_REVIEW; #6 new_signal A:6 BUY PENDING_REVIEW; #7 new_signal A:7 BUY PENDING_REVIEW; #8 new_signal A:8 BUY PENDING_REVIEW]
        4 < resumed true 5
        > connect feed 5 since=2 v1
        5 < welcome e1 #8
        5 < resumed false 0
        5 < snapshot [A:8 BUY PENDING_REVIEW], city null
        > gone 1
        > gone 2
        > gone 3
        > gone 4
        > gone 5
        > receive feed A e1 9..60 v1
        has #60 v1, own #60
        > receive feed A e1 61..64 v1
        has #64 v1, own #64
        > receive feed A e1 65..70 v1
        has #70 v1, own #70
        > forget feed
        > connect feed 6 since=65 v1
        6 < welcome e1 #70
        6 < [#66 new_signal A:66 BUY PENDING_REVIEW; #67 new_signal A:67 BUY PENDING_REVIEW; #68 new_signal A:68 BUY PENDING_REVIEW; #69 new_signal A:69 BUY PENDING_REVIEW; #70 new_signal A:70 BUY PENDING_REVIEW]
        6 < resumed true 5
        > connect feed 7 since=64 v1
        7 < welcome e1 #70
        7 < resumed false 0
        7 < snapshot [A:70 BUY PENDING_REVIEW], city null
        ",
    );
    // Trimmed once per 64 appends: what was not deleted is not brought either.
    let events = world.room("feed").disk.count("events");
    assert!((5..70).contains(&events), "{events}");
}

#[test]
fn arrays_hold_a_hundred_messages_and_come_only_to_those_who_asked() {
    let mut world = World::new(10_000);
    world.play("receive feed A e1 1..200 v1");
    world.play("receive feed A e1 201..205 v1");
    let arrays = world.play("connect feed 1 since=0 v1");
    assert_eq!(arrays.len(), 5, "{arrays:?}");
    for (array, count) in arrays[1..].iter().zip([100, 100, 5]) {
        assert_eq!(array.matches(" new_signal ").count(), count);
    }
    assert_eq!(arrays[4], "1 < resumed true 205");
    let single = world.play("connect feed 2 since=0");
    assert_eq!(single.len(), 207);
    assert_eq!(single[206], "2 < resumed true 205");
}
