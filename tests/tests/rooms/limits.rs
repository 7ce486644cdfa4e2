//! What a room takes of one user: sockets, messages, decisions, bars.

use crate::support::script::check_in;
use crate::support::world::World;

const PING: &str = "say 1 {\"type\":\"ping\",\"data\":{}}";

fn world(forgetful: bool) -> World {
    let mut world = World::new(10_000);
    world.forgetful = forgetful;
    world
}

/// Says it so often; what came of the last.
fn repeat(world: &mut World, command: &str, times: usize) -> Vec<String> {
    let mut last = Vec::new();
    for _ in 0..times {
        last = world.play(command);
    }
    last
}

#[test]
fn a_socket_is_warned_once_and_then_closed() {
    for forgetful in [false, true] {
        let mut world = world(forgetful);
        world.play("connect feed 1");
        assert_eq!(repeat(&mut world, PING, 100), ["1 < pong e1 #0"]);
        let script = format!(
            "
            > {PING}
            1 < error rate_limited
            > say 1 ping
            1 < pong e1 #0 bare
            > {PING}
            1 closed 4029
            "
        );
        check_in(&mut world, &script);
    }
}

#[test]
fn a_bucket_fills_evenly_and_outlives_hibernation() {
    let mut world = world(true);
    world.play("connect feed 1");
    repeat(&mut world, PING, 100);
    // 600 ms bring one.
    let script = format!(
        "
        > wait 600
        > {PING}
        1 < pong e1 #0
        > {PING}
        1 < error rate_limited
        > wait 600
        > {PING}
        1 < pong e1 #0
        > bytes 1 3
        1 closed 4029
        "
    );
    check_in(&mut world, &script);
}

#[test]
fn a_warning_is_forgotten_when_the_bucket_is_full_again() {
    let mut world = world(true);
    world.play("connect feed 1");
    assert_eq!(repeat(&mut world, PING, 101), ["1 < error rate_limited"]);
    world.play("wait 60000");
    assert_eq!(repeat(&mut world, PING, 101), ["1 < error rate_limited"]);
}

#[test]
fn bare_pings_are_not_counted() {
    let mut world = world(false);
    world.play("connect feed 1");
    let last = repeat(&mut world, "say 1 ping", 200);
    assert_eq!(last, ["1 < pong e1 #0 bare"]);
}

#[test]
fn a_user_has_so_many_sockets_in_a_room() {
    for room in ["feed", "AAPL"] {
        let mut world = world(true);
        for n in 1..=20 {
            let shown = world.play(&format!("connect {room} {n} as=ann"));
            assert_eq!(shown.len(), 2, "{shown:?}");
        }
        let [over, other, again] = ["21 as=ann", "22 as=bob", "23 as=ann"];
        assert_eq!(
            world.play(&format!("connect {room} {over}")),
            ["21 closed 4503"]
        );
        assert_eq!(world.play(&format!("connect {room} {other}")).len(), 2);
        world.play("gone 7");
        assert_eq!(world.play(&format!("connect {room} {again}")).len(), 2);
    }
}

#[test]
fn decisions_are_limited_refused_ones_too() {
    for forgetful in [false, true] {
        let mut world = world(forgetful);
        world.play("bars AAPL history now");
        world.play("approve AAPL BUY ann");
        // Refused ones.
        repeat(&mut world, "approve AAPL BUY ann", 29);
        check_in(
            &mut world,
            "
            > approve AAPL BUY ann
            RateLimited: wait 2000 ms
            > wait 2000
            > approve AAPL RISK ann key=k
            AlreadyDecided: AAPL:2021-02-24:1 RISK APPROVED_BUY
            > approve AAPL RISK ann key=k
            RateLimited: wait 2000 ms
            > approve AAPL RISK bob
            AlreadyDecided: AAPL:2021-02-24:1 RISK APPROVED_BUY
            ",
        );
        // Those of ann and bob; full ones are not kept.
        assert_eq!(rows(&mut world, "SELECT 1 FROM buckets"), 2);
        world.play("wait 60000");
        world.play("approve AAPL RISK bob");
        assert_eq!(rows(&mut world, "SELECT 1 FROM buckets"), 1);
    }
}

fn rows(world: &mut World, sql: &str) -> usize {
    let rows = world.room("AAPL").disk.look(sql, &[]);
    rows.expect("the database answers").len()
}

#[test]
fn bars_are_limited() {
    let mut world = world(false);
    world.play("bars AAPL history");
    repeat(&mut world, "bars AAPL none", 599);
    check_in(
        &mut world,
        "
        > bars AAPL 0 BUY
        RateLimited: wait 100 ms
        > wait 100
        > bars AAPL none
        0 accepted, 0 replaced, 0 unchanged
        > approve AAPL BUY importer
        NoSignal
        ",
    );
}

#[test]
fn what_brings_nothing_about_makes_no_room() {
    let mut world = world(false);
    repeat(&mut world, "bars AAPL none", 3);
    repeat(&mut world, "approve AAPL BUY ann", 3);
    let made = world.room("AAPL").disk.look("SELECT 1 FROM meta", &[]);
    assert!(made.is_err(), "{made:?}");
}
