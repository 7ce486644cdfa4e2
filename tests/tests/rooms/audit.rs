//! The record: what is put on it, together with what it is about, and what becomes of somebody
//! who changes it.

use signalroom_core::store::{Sql, Value};

use crate::support::script::{check, check_in};
use crate::support::sql::Fault;
use crate::support::world::{Fate, World};

#[test]
fn decisions_and_imports_are_on_record() {
    check(
        "
        > audit AAPL
        UnknownSymbol
        > verify AAPL
        UnknownSymbol
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > bars AAPL 0 BUY now rejected=2
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > bars AAPL history
        0 accepted, 0 replaced, 300 unchanged
        > bars AAPL none rejected=1
        0 accepted, 0 replaced, 0 unchanged
        > approve AAPL NEUTRAL alice note=because
        AAPL:2021-02-25:1 NEUTRAL by alice at #2
        > compute AAPL
        Unchanged
        > renew AAPL
        renewed at #3
        > forget AAPL
        > bars AAPL 0 RISK
        0 accepted, 1 replaced, 0 unchanged
        > audit AAPL
        [#1 bars_import by importer accepted=300 replaced=0 rejected=0, #2 bars_import by importer accepted=1 replaced=0 rejected=2, #3 bars_import by importer accepted=0 replaced=0 rejected=1, #4 approval by alice AAPL:2021-02-25:1 NEUTRAL, #5 epoch_renewed by root, #6 bars_import by importer accepted=0 replaced=1 rejected=0]
        > verify AAPL
        6 rows are whole
        > audit feed
        UnknownSymbol
        > verify feed
        UnknownSymbol
        > deliver AAPL
        [#1, #2, #3] v4 dirty
        > renew feed
        renewed at #3
        > audit feed
        [#1 epoch_renewed by root]
        > verify feed
        1 rows are whole
        ",
    );
}

#[test]
fn a_refused_decision_is_on_record_with_its_reason() {
    check(
        "
        > approve AAPL BUY alice
        UnknownSymbol
        > audit AAPL
        UnknownSymbol
        > connect AAPL 1
        1 < welcome e1 #0
        1 < snapshot [], no city
        > approve AAPL BUY alice
        UnknownSymbol
        > bars AAPL history
        300 accepted, 0 replaced, 0 unchanged
        > approve AAPL BUY alice
        NoSignal
        > bars AAPL 0 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        1 < #1 new_signal AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL RISK alice if=other
        StaleSignal: AAPL:2021-02-25:1 BUY PENDING_REVIEW
        > approve AAPL BUY alice key=k asked=a
        AAPL:2021-02-25:1 BUY by alice at #2
        1 < #2 approval_notification AAPL:2021-02-25:1 BUY by alice
        > approve AAPL BUY alice key=k asked=a
        AAPL:2021-02-25:1 BUY by alice at #2
        > approve AAPL RISK alice key=k asked=b
        KeyReused
        > approve AAPL RISK bob
        AlreadyDecided: AAPL:2021-02-25:1 BUY APPROVED_BUY
        > approve feed RISK bob
        Misdirected
        > log AAPL
        2 events
        > audit AAPL
        [#1 approval_refused by alice no-signal BUY, #2 bars_import by importer accepted=300 replaced=0 rejected=0, #3 approval_refused by alice no-signal BUY, #4 bars_import by importer accepted=1 replaced=0 rejected=0, #5 approval_refused by alice stale-signal AAPL:2021-02-25:1 RISK, #6 approval by alice AAPL:2021-02-25:1 BUY, #7 approval_refused by alice key-reused AAPL:2021-02-25:1 RISK, #8 approval_refused by bob already-decided AAPL:2021-02-25:1 RISK]
        > verify AAPL
        8 rows are whole
        ",
    );
}

#[test]
fn a_row_is_written_with_what_it_is_about_or_not_at_all() {
    let mut world = recorded();
    for fault in [Fault::Begin, Fault::Middle, Fault::Commit] {
        for command in [
            "bars A 0 RISK now",
            "approve A BUY alice",
            "approve A BUY alice if=other",
            "renew A",
        ] {
            let before = world.room("A").disk.dump();
            world.fail("A", Some(fault));
            let outcome = world.command(command);
            world.fail("A", None);
            assert!(outcome.fate == Fate::Failed, "{command} under {fault:?}");
            assert!(world.room("A").disk.dump() == before, "{command} wrote");
        }
    }
    assert_eq!(world.play("verify A"), ["5 rows are whole"]);
}

/// A room with five rows on record, of which the feed was told of the third and the fifth.
fn recorded() -> World {
    let mut world = World::new(10_000);
    for command in [
        "bars A history",
        "bars A 0 BUY now",
        "approve A BUY alice note=so",
        "deliver A",
        "approve A RISK bob",
        "bars A 1 RISK now",
        "deliver A",
    ] {
        world.play(command);
    }
    assert_eq!(world.play("verify A"), ["5 rows are whole"]);
    assert_eq!(world.play("witnessed feed A"), ["[[#3, #5]]"]);
    world
}

/// Does something to a room's database behind its back, while it is not in memory.
fn tamper(world: &mut World, room: &str, statements: &[&str]) {
    world.forget(room);
    let disk = world.room(room).disk.clone();
    disk.atomically(&mut || statements.iter().try_for_each(|sql| disk.run(sql, &[])))
        .expect("the database does as it is told");
}

const CHANGED: &str = "it was changed";
const REMOVED: &str = "it was removed";
const MISPLACED: &str = "it was inserted or moved here";
const CUT_OFF: &str = "it was the newest or near it, and was cut off";
const REPLACED: &str = "another row stood here";

#[test]
fn whatever_is_done_to_a_row_is_found() {
    let columns = "at, sub, role, ip, user_agent, action, details, v, prev, hash";
    let swap = [
        "UPDATE audit SET n = -2 WHERE n = 2",
        "UPDATE audit SET n = 2 WHERE n = 3",
        "UPDATE audit SET n = 3 WHERE n = -2",
    ];
    let copy = |from: i64, to: i64| {
        format!(
            "INSERT INTO audit (n, {columns}) SELECT {to}, {columns} FROM audit WHERE n = {from}"
        )
    };
    let (at_the_end, before_all) = (copy(5, 6), copy(1, -7));
    let between = copy(2, 3);
    let cases: &[(&[&str], i64, &str)] = &[
        (&["UPDATE audit SET at = at + 1 WHERE n = 2"], 2, CHANGED),
        (&["UPDATE audit SET sub = 'eve' WHERE n = 3"], 3, CHANGED),
        (
            &["UPDATE audit SET role = 'viewer' WHERE n = 3"],
            3,
            CHANGED,
        ),
        (&["UPDATE audit SET ip = '::1' WHERE n = 5"], 5, CHANGED),
        (
            &["UPDATE audit SET user_agent = '' WHERE n = 1"],
            1,
            CHANGED,
        ),
        (
            &["UPDATE audit SET action = 'approval_refused' WHERE n = 3"],
            3,
            CHANGED,
        ),
        (
            &["UPDATE audit SET details = replace(details, 'so', 'no') WHERE n = 3"],
            3,
            CHANGED,
        ),
        (
            &["UPDATE audit SET details = details || ' ' WHERE n = 3"],
            3,
            CHANGED,
        ),
        (
            &["UPDATE audit SET details = 'nothing' WHERE n = 3"],
            3,
            CHANGED,
        ),
        (&["UPDATE audit SET v = 2 WHERE n = 4"], 4, CHANGED),
        (&["UPDATE audit SET prev = hash WHERE n = 4"], 4, CHANGED),
        (&["UPDATE audit SET hash = prev WHERE n = 4"], 4, CHANGED),
        (
            &["UPDATE audit SET hash = upper(hash) WHERE n = 4"],
            4,
            CHANGED,
        ),
        (&["DELETE FROM audit WHERE n = 1"], 1, REMOVED),
        (&["DELETE FROM audit WHERE n = 3"], 3, REMOVED),
        (&["DELETE FROM audit WHERE n BETWEEN 2 AND 4"], 2, REMOVED),
        (&["DELETE FROM audit WHERE n = 5"], 5, CUT_OFF),
        (&["DELETE FROM audit WHERE n > 2"], 3, CUT_OFF),
        (&["DELETE FROM audit"], 1, CUT_OFF),
        (&["UPDATE audit SET n = 9 WHERE n = 5"], 5, REMOVED),
        (&["DELETE FROM audit WHERE n = 3", &between], 3, CHANGED),
        (&[&at_the_end], 6, CHANGED),
        (&[&before_all], -7, MISPLACED),
        (&swap, 2, CHANGED),
        (
            &["UPDATE meta SET value = '7' WHERE key = 'audit'"],
            1,
            MISPLACED,
        ),
        (&["DELETE FROM meta WHERE key = 'audit'"], 1, MISPLACED),
        // The room forgot the newest row; the feed was told of it.
        (
            &[
                "UPDATE meta SET value = (SELECT '4 ' || hash || ' 0' FROM audit WHERE n = 4) \
                 WHERE key = 'audit'",
                "DELETE FROM audit WHERE n = 5",
            ],
            5,
            CUT_OFF,
        ),
    ];
    for (statements, n, reason) in cases {
        let mut world = recorded();
        tamper(&mut world, "A", statements);
        let expected = [format!("row {n}: {reason}")];
        assert_eq!(world.play("verify A"), expected, "{statements:?}");
        // The room works on, and what comes later hides nothing.
        assert_eq!(
            world.play("bars A 2 BUY"),
            ["1 accepted, 0 replaced, 0 unchanged"]
        );
        world.play("deliver A");
        let later = world.play("verify A");
        // What the room noted is noted anew; its rows were whole.
        let rows_alone = !statements.iter().all(|sql| sql.contains("meta"));
        assert!(
            !rows_alone || later[0].starts_with("row "),
            "{statements:?}: {later:?}"
        );
    }
}

#[test]
fn a_record_written_anew_differs_from_what_the_feed_was_told() {
    let mut world = recorded();
    // Somebody who knows the rules: the same room with another past, every hash right.
    let mut other = World::new(10_000);
    for command in [
        "bars A history",
        "bars A 0 BUY now",
        "approve A BUY mallory note=so",
        "approve A RISK bob",
        "bars A 1 RISK now",
    ] {
        other.play(command);
    }
    let rows = other.room("A").disk.look(
        "SELECT n, at, sub, role, ip, user_agent, action, details, v, prev, hash FROM audit",
        &[],
    );
    let head = other
        .room("A")
        .disk
        .look("SELECT value FROM meta WHERE key = 'audit'", &[]);
    world.forget("A");
    let disk = world.room("A").disk.clone();
    disk.atomically(&mut || {
        disk.run("DELETE FROM audit", &[])?;
        for row in rows.as_ref().expect("rows") {
            disk.run(
                "INSERT INTO audit (n, at, sub, role, ip, user_agent, action, details, v, prev, \
                 hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )?;
        }
        let head: &[Value] = &head.as_ref().expect("a head")[0];
        disk.run("UPDATE meta SET value = ? WHERE key = 'audit'", head)
    })
    .expect("the database does as it is told");
    assert_eq!(world.play("verify A"), [format!("row 3: {REPLACED}")]);
}

#[test]
fn a_record_is_cut_short_rightly_by_a_backup_and_a_new_epoch_alone() {
    let mut world = recorded();
    let cut = [
        "UPDATE meta SET value = (SELECT '3 ' || hash || ' 0' FROM audit WHERE n = 3) \
         WHERE key = 'audit'",
        "DELETE FROM audit WHERE n > 3",
    ];
    tamper(&mut world, "A", &cut);
    check_in(
        &mut world,
        "
        > verify A
        row 4: it was the newest or near it, and was cut off
        > renew A
        renewed at #4
        > verify A
        row 5: it was the newest or near it, and was cut off
        > deliver A
        [#4] v4
        > verify A
        4 rows are whole
        > witnessed feed A
        [[#3, #4]]
        > forget A
        > bars A 2 BUY now
        1 accepted, 0 replaced, 0 unchanged, signal A:2021-03-01:1 BUY PENDING_REVIEW
        > deliver A
        [#5] v5
        > verify A
        5 rows are whole
        ",
    );
    // A room that was lost is missed, and one that takes its place does not hide it.
    world.wipe("A");
    world.play("wait 1000");
    check_in(
        &mut world,
        "
        > verify A
        row 1: it was the newest or near it, and was cut off
        > bars A history
        300 accepted, 0 replaced, 0 unchanged
        > deliver A
        [] v1 dirty
        > renew A
        renewed at #0
        > deliver A
        [] v2 dirty
        > verify A
        row 3: it was the newest or near it, and was cut off
        ",
    );
    // Nor does one that was renewed before the feed heard of it.
    let mut world = recorded();
    world.wipe("A");
    world.play("wait 1000");
    check_in(
        &mut world,
        "
        > bars A history
        300 accepted, 0 replaced, 0 unchanged
        > renew A
        renewed at #0
        > deliver A
        [] v2 dirty
        > verify A
        row 3: it was the newest or near it, and was cut off
        ",
    );
}

#[test]
fn a_backup_that_is_restored_twice_is_as_good_as_once() {
    let mut world = recorded();
    let restored = [
        "UPDATE meta SET value = (SELECT '3 ' || hash || ' 0' FROM audit WHERE n = 3) \
         WHERE key = 'audit'",
        "DELETE FROM audit WHERE n > 3",
        "DELETE FROM lineage",
        "UPDATE meta SET value = 'e1' WHERE key = 'epoch'",
    ];
    for (n, shape) in [(1, "BUY"), (2, "RISK")] {
        tamper(&mut world, "A", &restored);
        // Each time with another random name.
        world.room("A").life = n + 1;
        world.forget("A");
        world.play("wait 1000");
        world.play("renew A");
        for day in 0..n {
            world.play(&format!("bars A {} {shape}", day + 2));
        }
        world.play("wait 60000");
        world.play("deliver A");
        let rows = 4 + n;
        assert_eq!(world.play("verify A"), [format!("{rows} rows are whole")]);
    }
}

#[test]
fn a_long_record_is_checked_in_parts() {
    let mut world = World::new(10_000);
    world.play("bars A history");
    for n in 0..1100 {
        let shape = ["BUY", "RISK"][n % 2];
        world.play(&format!("bars A 0 {shape}"));
        // Within the rate of one user.
        world.play("wait 100");
        if n % 2 == 0 {
            world.play("deliver A");
        }
    }
    assert_eq!(world.play("verify A"), ["1101 rows are whole"]);
    tamper(
        &mut world,
        "A",
        &["UPDATE audit SET sub = 'eve' WHERE n = 1099"],
    );
    assert_eq!(world.play("verify A"), [format!("row 1099: {CHANGED}")]);
}

/// The tables of a symbol's room under schema 3, and of the feed under schema 2.
const SYMBOL_3: &[&str] = &[
    "answers",
    "approvals",
    "bars",
    "events",
    "lineage",
    "meta",
    "outbox",
    "signals",
];
const FEED_2: &[&str] = &[
    "approvals",
    "city",
    "events",
    "latest",
    "lineage",
    "meta",
    "retired",
    "sources",
];

const NEWER_COLUMNS: [(&str, &str); 10] = [
    ("outbox", "provisional"),
    ("outbox", "filled"),
    ("outbox", "missing"),
    ("outbox", "marks"),
    ("signals", "provisional"),
    ("sources", "first_bar"),
    ("sources", "provisional"),
    ("sources", "filled"),
    ("sources", "missing"),
    ("sources", "marks"),
];

/// Takes away what an older version did not have.
fn make_older(world: &mut World, room: &str, schema: &str, tables: &[&str]) {
    let dump = world.room(room).disk.dump();
    let newer = dump
        .iter()
        .filter(|(name, _)| !tables.contains(&name.as_str()));
    let mut statements: Vec<String> = newer
        .map(|(name, _)| format!("DROP TABLE {name}"))
        .collect();
    assert!(statements.contains(&"DROP TABLE audit".to_owned()));
    let columns = NEWER_COLUMNS
        .iter()
        .filter(|(table, _)| tables.contains(table));
    statements
        .extend(columns.map(|(table, column)| format!("ALTER TABLE {table} DROP COLUMN {column}")));
    statements.push("DELETE FROM meta WHERE key = 'audit'".to_owned());
    statements.push(format!(
        "UPDATE meta SET value = '{schema}' WHERE key = 'schema'"
    ));
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    tamper(world, room, &statements);
}

#[test]
fn a_room_from_before_the_record_begins_one() {
    let mut world = recorded();
    let before = world.play("history A");
    make_older(&mut world, "A", "3", SYMBOL_3);
    make_older(&mut world, "feed", "2", FEED_2);
    assert_eq!(world.play("history A"), before);
    assert_eq!(world.play("verify A"), ["0 rows are whole"]);
    check_in(
        &mut world,
        "
        > approve A RISK bob
        A:2021-02-26:1 RISK by bob at #4
        > deliver A
        [#4] v3
        > audit A
        [#1 approval by bob A:2021-02-26:1 RISK]
        > verify A
        1 rows are whole
        > witnessed feed A
        [[#1]]
        ",
    );
}
