//! What holds for any sequence of events and calls.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value as Json;
use signalroom_core::store::Value;

use crate::commands::any_command;
use crate::support::sockets::Done;
use crate::support::sql::Fault;
use crate::support::world::{Fate, World};

const ROOMS: [&str; 3] = ["A", "B", "feed"];
/// Low enough that the feed's log is cut, higher than any batch.
const RETENTION: i64 = 30;

/// A command, and whether the database fails under it.
type Step = (String, Option<Fault>);

/// What came of one command.
#[derive(Debug, PartialEq)]
struct Came {
    command: String,
    raw: String,
    said: Option<String>,
    done: Vec<Done>,
    deadlines: Vec<Option<i64>>,
}

/// The feed's log is just short of its first cut.
fn start(world: &mut World) {
    world.command("bars A history");
    world.command("receive feed C e0 1..60 v1");
    world.take();
}

/// Plays commands; says of each what became of it.
fn play(world: &mut World, steps: &[Step]) -> Vec<(Came, Fate)> {
    start(world);
    steps.iter().map(|step| play_one(world, step)).collect()
}

fn play_one(world: &mut World, (command, fault): &Step) -> (Came, Fate) {
    // A delivery is many transactions: it is made to fail step by step instead.
    let fault = fault.filter(|_| !command.starts_with("deliver"));
    let before = fault.map(|_| dumps(world));
    ROOMS.iter().for_each(|room| world.fail(room, fault));
    let outcome = world.command(command);
    ROOMS.iter().for_each(|room| world.fail(room, None));
    let done = world.take();
    if outcome.fate == Fate::Failed {
        assert_eq!(done, [], "{command} failed");
        assert!(before == Some(dumps(world)), "{command} failed and wrote");
    }
    let deadlines = ROOMS.iter().map(|room| world.deadline(room));
    let came = Came {
        command: command.clone(),
        raw: outcome.raw,
        said: outcome.said,
        done,
        deadlines: deadlines.map(|at| at.map(|at| at.0)).collect(),
    };
    (came, outcome.fate)
}

type Dumps = Vec<Vec<(String, Vec<signalroom_core::store::Row>)>>;

fn dumps(world: &mut World) -> Dumps {
    let dump = |room: &&str| world.room(room).disk.dump();
    ROOMS.iter().map(dump).collect()
}

/// Everything but the rooms' records and what users have left of their rates, where a refusal leaves
/// its trace and nothing else.
fn off_the_record(world: &mut World) -> Dumps {
    let mut dumps = dumps(world);
    for tables in &mut dumps {
        tables.retain(|(name, _)| !["audit", "witnessed", "buckets"].contains(&name.as_str()));
        for (_, rows) in tables.iter_mut().filter(|(name, _)| name == "meta") {
            rows.retain(|row| row.first() != Some(&Value::from("audit")));
        }
    }
    dumps
}

/// Commands, some of them (a tenth times `faults`) with a failing database.
fn steps(faults: u32) -> impl Strategy<Value = Vec<Step>> {
    let fault = select(&[Fault::Begin, Fault::Middle, Fault::Commit][..]);
    let fault = prop_oneof![
        10 - faults => Just(None),
        faults => fault.prop_map(Some),
    ];
    vec((any_command(), fault), 1..40)
}

/// Plays `steps`, and again without those that came to `fate`: what is left is the same.
fn same_without(steps: Vec<Step>, fate: Fate, part: fn(&mut World) -> Dumps) {
    let (mut all, mut fewer) = (World::new(RETENTION), World::new(RETENTION));
    let with = play(&mut all, &steps);
    let left: Vec<Step> = steps
        .into_iter()
        .zip(&with)
        .filter(|(_, (_, came_to))| *came_to != fate)
        .map(|((command, _), _)| (command, None))
        .collect();
    let without = play(&mut fewer, &left);
    let with: Vec<_> = with.into_iter().filter(|(_, to)| *to != fate).collect();
    for (with, without) in with.iter().zip(&without) {
        assert_eq!(with, without);
    }
    assert!(part(&mut all) == part(&mut fewer), "the databases differ");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_restore_between_any_two_events_changes_nothing(steps in steps(0)) {
        let (mut kept, mut restored) = (World::new(RETENTION), World::new(RETENTION));
        restored.forgetful = true;
        let kept_came = play(&mut kept, &steps);
        let restored_came = play(&mut restored, &steps);
        for (kept, restored) in kept_came.iter().zip(&restored_came) {
            assert_eq!(kept, restored);
        }
        assert!(dumps(&mut kept) == dumps(&mut restored), "the databases differ");
    }

    #[test]
    fn a_failed_commit_is_as_if_nothing_had_happened(steps in steps(3)) {
        same_without(steps, Fate::Failed, dumps);
    }

    #[test]
    fn a_rejected_call_is_as_if_nothing_had_happened(steps in steps(0)) {
        same_without(steps, Fate::Rejected, off_the_record);
    }

    #[test]
    fn sequence_numbers_grow_by_one_and_sockets_see_them_once_in_order(steps in steps(1)) {
        let mut world = World::new(RETENTION);
        start(&mut world);
        let mut heard = BTreeMap::new();
        for step in &steps {
            let (came, _) = play_one(&mut world, step);
            listen(&mut world, &came, &mut heard);
            for (place, room) in ROOMS.iter().map(|room| (world.room(room).log.clone(), room)) {
                let seqs: Vec<i64> = place.iter().map(|event| event.seq).collect();
                let whole: Vec<i64> = (1..=i64::try_from(seqs.len()).expect("few")).collect();
                assert_eq!(seqs, whole, "the log of {room}");
            }
        }
    }

    #[test]
    fn the_feed_gets_every_event_once_in_order(steps in steps(1)) {
        let mut world = World::new(RETENTION);
        play(&mut world, &steps);
        for symbol in ["A", "B"] {
            world.command("wait 60000");
            world.command(&format!("deliver {symbol}"));
            assert_eq!(world.deadline(symbol), None, "{symbol} still owes something");
            let of = |room: &str, world: &mut World| -> Vec<(String, String)> {
                let log = world.room(room).log.iter().filter(|event| event.symbol == symbol);
                log.map(|event| (event.kind.clone(), event.data.clone())).collect()
            };
            assert_eq!(of(symbol, &mut world), of("feed", &mut world));
        }
    }
}

/// What a socket has heard.
struct Heard {
    /// The last number it saw, or where it started.
    seq: i64,
    /// Whether it was ever told what to follow: then it may miss numbers.
    narrowed: bool,
}

/// Checks what sockets heard in one turn.
fn listen(world: &mut World, came: &Came, heard: &mut BTreeMap<u64, Heard>) {
    let words: Vec<&str> = came.command.split(' ').collect();
    for done in &came.done {
        let Done::Sent { to, text } = done else {
            continue;
        };
        let frame: Json = serde_json::from_str(text).expect("JSON");
        let single = std::slice::from_ref(&frame);
        for message in frame.as_array().map_or(single, Vec::as_slice) {
            hear(world, &words, *to, message, heard);
        }
    }
    if words[0] == "say" && came.command.contains("subscribe_") {
        let conn = words[1].parse().expect("a number");
        if let Some(socket) = heard.get_mut(&conn) {
            socket.narrowed = true;
        }
    }
    heard.retain(|conn, socket| {
        let Some(room) = world.conns.get(conn).cloned() else {
            return false;
        };
        let place = world.room(&room);
        let top = place.log.last().map_or(0, |event| event.seq);
        if place.sockets.is_open(*conn) && !socket.narrowed {
            assert_eq!(socket.seq, top, "socket {conn} of {room}");
        }
        place.sockets.is_open(*conn)
    });
}

fn hear(
    world: &mut World,
    words: &[&str],
    conn: u64,
    message: &Json,
    heard: &mut BTreeMap<u64, Heard>,
) {
    let kind = message["type"].as_str().expect("a type");
    if kind == "welcome" {
        let narrowed = words.iter().any(|word| word.starts_with("symbols="));
        let top = message["data"]["seq"].as_i64().expect("a number");
        // A resume brings what comes after; that it came in full is seen by the end of the turn.
        let since = words.iter().find_map(|word| word.strip_prefix("since="));
        let since = since.map_or(top, |since| since.parse().expect("a number"));
        heard.insert(
            conn,
            Heard {
                seq: since.min(top),
                narrowed,
            },
        );
    }
    let socket = heard.get_mut(&conn).expect("the welcome comes first");
    if kind == "snapshot" {
        let room = world.conns[&conn].clone();
        socket.seq = world.room(&room).log.last().map_or(0, |event| event.seq);
    }
    if let Some(seq) = message["seq"].as_i64() {
        let next = socket.seq + 1;
        assert!(
            seq == next || (socket.narrowed && seq > next),
            "{seq} after {} on socket {conn}",
            socket.seq
        );
        socket.seq = seq;
        let room = world.conns[&conn].clone();
        let log = &world.room(&room).log;
        let event = &log[usize::try_from(seq).expect("positive") - 1];
        let data: Json = serde_json::from_str(&event.data).expect("JSON");
        assert_eq!((kind, &message["data"]), (event.kind.as_str(), &data));
    }
}
