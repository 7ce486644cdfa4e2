//! Clients whose connection breaks at any point, and who resume whenever they come back.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value as Json;

use crate::commands::{approve, bars};
use crate::support::sockets::Done;
use crate::support::world::{Logged, World};

/// A client by the contract: it remembers the log it follows and the last position it saw.
struct Client {
    conn: u64,
    room: &'static str,
    symbols: Option<&'static str>,
    v1: bool,
    position: Option<(String, i64)>,
    /// Frames that were sent and not yet read.
    inbox: Vec<String>,
    /// Events read since the last snapshot, and where that stood.
    events: Vec<i64>,
    snapshot_at: i64,
}

impl Client {
    fn all() -> Vec<Self> {
        let client = |conn, room, symbols, v1| Self {
            conn,
            room,
            symbols,
            v1,
            position: None,
            inbox: Vec::new(),
            events: Vec::new(),
            snapshot_at: 0,
        };
        vec![
            client(1, "feed", None, false),
            client(2, "feed", Some("A,C"), true),
            client(3, "feed", Some("B"), false),
            client(4, "A", None, true),
        ]
    }

    fn connect(&self) -> String {
        let mut line = format!("connect {} {}", self.room, self.conn);
        line.push_str(if self.v1 { " v1" } else { "" });
        line.extend(self.symbols.map(|symbols| format!(" symbols={symbols}")));
        if let Some((epoch, seq)) = &self.position {
            line.push_str(&format!(" since={seq} epoch={epoch}"));
        }
        line
    }

    fn wants(&self, event: &Logged) -> bool {
        let follows = |symbols: &str| symbols.split(',').any(|symbol| symbol == event.symbol);
        event.kind == "approval_notification" || self.symbols.is_none_or(follows)
    }

    /// Reads its frames, all but the last `lost`, which the network swallowed.
    fn read(&mut self, lost: usize) {
        let mut frames = std::mem::take(&mut self.inbox);
        frames.truncate(frames.len().saturating_sub(lost));
        let mut welcome = None;
        for frame in frames {
            let frame: Json = serde_json::from_str(&frame).expect("JSON");
            let single = std::slice::from_ref(&frame);
            for message in frame.as_array().map_or(single, Vec::as_slice) {
                let data = &message["data"];
                let number = |name: &str| data[name].as_i64().expect("a number");
                let epoch = || data["epoch"].as_str().expect("text").to_owned();
                match message["type"].as_str().expect("a type") {
                    "welcome" => welcome = Some((epoch(), number("seq"))),
                    "snapshot" => {
                        let at = welcome.clone().expect("the welcome comes first");
                        self.snapshot_at = at.1;
                        self.position = Some(at);
                        self.events.clear();
                    }
                    "pong" => self.position = Some((epoch(), number("seq"))),
                    _ => {}
                }
                if let Some(seq) = message["seq"].as_i64() {
                    self.events.push(seq);
                    let position = self.position.as_mut().expect("a snapshot came before");
                    position.1 = seq;
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Command(String),
    /// An event of a symbol that has no room here.
    Emit(&'static str),
    /// The client's connection breaks, this many frames short.
    Break(usize, usize),
    Return(usize),
    Ping(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let emitted = select(&["B", "C"][..]);
    prop_oneof![
        4 => bars().prop_map(Step::Command),
        2 => approve().prop_map(Step::Command),
        1 => select(&["forget feed", "forget A", "wipe feed"][..])
            .prop_map(|command| Step::Command(command.to_owned())),
        8 => emitted.prop_map(Step::Emit),
        4 => (0..4_usize, 0..4_usize).prop_map(|(client, lost)| Step::Break(client, lost)),
        6 => (0..4_usize).prop_map(Step::Return),
        2 => (0..4_usize).prop_map(Step::Ping),
    ]
}

/// Hands every client what was sent to it.
fn collect(world: &mut World, clients: &mut [Client]) {
    for done in world.take() {
        if let Done::Sent { to, text } = done {
            let client = clients.iter_mut().find(|client| client.conn == to);
            client.expect("only they connect").inbox.push(text);
        }
    }
}

/// Connects a client that is not; a refused resume must have had its reason.
fn come_back(world: &mut World, clients: &mut [Client], index: usize, retention: i64) {
    let client = &mut clients[index];
    if world.conns.contains_key(&client.conn) {
        return;
    }
    client.read(0);
    let (room, since) = (client.room, client.position.clone());
    world.command(&client.connect());
    collect(world, clients);
    let Some((epoch, since)) = since else {
        return;
    };
    let place = world.room(room);
    let top = place.log.last().map_or(0, |event| event.seq);
    let held = epoch == place.epoch() && since <= top && since >= top - retention;
    let mut inbox = clients[index].inbox.iter();
    let resumed = inbox.find(|frame| frame.contains("\"resumed\""));
    let resumed = resumed.expect("a resume is answered");
    assert_eq!(resumed.contains("\"recovered\":true"), held, "{resumed}");
}

fn run(steps: &[Step], retention: i64) {
    let mut world = World::new(retention);
    let mut clients = Client::all();
    let mut emitted = 0;
    world.command("bars A history");
    world.command("bars B history");
    // The feed's log is just short of its first cut.
    world.command("receive feed C x0 1..55 v1");
    for step in steps {
        match step {
            Step::Command(command) => {
                world.command(command);
                world.command("deliver A");
                world.command("deliver B");
            }
            Step::Emit(symbol) => {
                emitted += 1;
                let command = format!("receive feed {symbol} x{emitted} 1..1 v1");
                world.command(&command);
            }
            Step::Break(client, lost) => {
                if world.conns.contains_key(&clients[*client].conn) {
                    world.command(&format!("gone {}", clients[*client].conn));
                    clients[*client].read(*lost);
                }
            }
            Step::Return(client) => come_back(&mut world, &mut clients, *client, retention),
            Step::Ping(client) => {
                let conn = clients[*client].conn;
                world.command(&format!("say {conn} {{\"type\":\"ping\"}}"));
            }
        }
        collect(&mut world, &mut clients);
    }
    for client in 0..clients.len() {
        come_back(&mut world, &mut clients, client, retention);
    }
    for client in &mut clients {
        client.read(0);
        let log = world.room(client.room).log.iter();
        let expected: Vec<i64> = log
            .filter(|event| event.seq > client.snapshot_at && client.wants(event))
            .map(|event| event.seq)
            .collect();
        assert_eq!(client.events, expected, "client {}", client.conn);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_client_that_resumes_sees_every_event_once(
        steps in vec(step(), 1..60),
        retention in select(&[2_i64, 8, 10_000][..]),
    ) {
        run(&steps, retention);
    }
}
