//! Keeps the cost model true: the rows of each event are counted in real databases, and the worked
//! example of `docs/cost.md` is what the calculator says.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use signalroom_core::audit::Hash;
use signalroom_core::auth::Role;
use signalroom_core::config::RoomConfig;
use signalroom_core::host::{Host, Sockets};
use signalroom_core::room::Event;
use signalroom_core::room::call::{
    Call, Caller, Finished, Holder, Planning, Proposal, Push, Reply, RetryKey, RoomState, RunName,
    RunReport,
};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::{ConnId, Hello};
use signalroom_core::signals::Suggestion;
use signalroom_core::signals::bar::Bar;
use signalroom_core::store::{Columns, Row, Sql, SqlError, Value};
use signalroom_core::symbol::Symbol;
use signalroom_core::time::Millis;
use signalroom_core::wire::close::Close;
use signalroom_core::wire::frame::Frame;
use signalroom_harness::cost::{
    APPROVAL, CONNECT, Desk, IDLE_RUN, LOOK, READ_PER_SYMBOL, Rows, SIGNAL, Table,
};
use signalroom_harness::sql::SqliteSql;
use signalroom_tests::bench::bars;
use signalroom_tests::bench::entries::entry;

const NOW: Millis = Millis(1_700_000_000_000);
const HOUR: i64 = 3_600_000;
const LASTING: Millis = Millis(4_000_000_000_000);

/// Counts rows as Cloudflare does, at most: every changed row, with a row of each index.
#[derive(Debug)]
struct Metered {
    sql: SqliteSql,
    read: Cell<i64>,
    written: Cell<i64>,
}

impl Metered {
    fn new() -> Self {
        Self {
            sql: SqliteSql::new(PathBuf::from(":memory:")),
            read: Cell::new(0),
            written: Cell::new(0),
        }
    }

    fn number(&self, sql: &str) -> i64 {
        let rows = self.sql.query(sql, &[]).expect("the database answers");
        rows[0].integer(0).expect("a number")
    }

    /// The indexes of the table that a statement writes to; a key that is the table is none.
    fn indexes(&self, statement: &str) -> i64 {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let table = match words[0] {
            "UPDATE" => words[1],
            _ => words
                .iter()
                .position(|word| ["INTO", "FROM"].contains(word))
                .map_or("", |at| words[at + 1]),
        };
        let table = table.split('(').next().expect("a name");
        self.number(&format!(
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}'"
        ))
    }
}

impl Sql for Metered {
    fn run(&self, sql: &str, args: &[Value]) -> Result<(), SqlError> {
        let before = self.number("SELECT total_changes()");
        self.sql.run(sql, args)?;
        let changed = self.number("SELECT total_changes()") - before;
        if changed > 0 {
            let rows = changed * (1 + self.indexes(sql));
            self.written.set(self.written.get() + rows);
        }
        Ok(())
    }

    fn query(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, SqlError> {
        let rows = self.sql.query(sql, args)?;
        // A query that finds nothing has looked all the same.
        let read = i64::try_from(rows.len()).expect("few rows").max(1);
        self.read.set(self.read.get() + read);
        Ok(rows)
    }

    fn atomically(&self, body: &mut dyn FnMut() -> Result<(), SqlError>) -> Result<(), SqlError> {
        self.sql.atomically(body)
    }
}

/// A feed and the room of one symbol.
struct Bench {
    rooms: BTreeMap<&'static str, Host<Metered>>,
    now: Millis,
    conns: u64,
}

impl Bench {
    /// A desk of so many symbols, all but one of which only the feed knows.
    fn new(symbols: u32) -> Self {
        let config = RoomConfig::default();
        let host = |name: RoomName| Host::new(name, config, "e1".to_owned(), Metered::new());
        let rooms = [
            ("feed", host(RoomName::Feed)),
            ("room", host(RoomName::Symbol(symbol("AAPL")))),
        ];
        let mut bench = Self {
            rooms: rooms.into(),
            now: NOW,
            conns: 0,
        };
        for n in 1..symbols {
            let name = format!("S{n}");
            let push = Push {
                source: RoomName::Symbol(symbol(&name)),
                epoch: "s1".to_owned(),
                born: NOW,
                lineage: Vec::new(),
                state: RoomState {
                    version: 1,
                    ..RoomState::default()
                },
                floor: 1,
                audit: None,
                entries: vec![entry(&name, 1)],
            };
            bench.call("feed", Call::Receive(push));
        }
        let history = bars::history().to_vec();
        bench.put(history);
        bench
    }

    /// Answers a call in a room that was asleep.
    fn call(&mut self, room: &'static str, call: Call) -> Reply {
        let host = self.rooms.get_mut(room).expect("a room");
        host.hibernate();
        host.on_call(call, self.now, &mut Deaf).expect("it is done")
    }

    fn event(&mut self, room: &'static str, event: Event) {
        let host = self.rooms.get_mut(room).expect("a room");
        host.on_event(event, self.now, &mut Deaf)
            .expect("it is done");
    }

    /// Brings what the room owes to the feed.
    fn deliver(&mut self) {
        loop {
            let room = self.rooms.get_mut("room").expect("a room");
            let push = room.next_push(self.now, &mut Deaf);
            let Some(push) = push.expect("the database answers") else {
                return;
            };
            let Reply::Received(ack) = self.call("feed", Call::Receive(push)) else {
                panic!("no receipt");
            };
            self.event("room", Event::Acked(ack));
        }
    }

    fn put(&mut self, bars: Vec<Bar>) -> Reply {
        let call = Call::PutBars {
            bars,
            compute: true,
            rejected: 0,
            by: Caller::new("cron", Role::Service),
        };
        let reply = self.call("room", call);
        self.deliver();
        reply
    }

    /// The rows of what is done.
    fn rows(&mut self, what: impl FnOnce(&mut Self)) -> (i64, i64) {
        for host in self.rooms.values() {
            host.sql().read.set(0);
            host.sql().written.set(0);
        }
        self.now = self.now.plus(60_000);
        what(self);
        let of = |count: fn(&Metered) -> &Cell<i64>| -> i64 {
            self.rooms
                .values()
                .map(|host| count(host.sql()).get())
                .sum()
        };
        (of(|sql| &sql.read), of(|sql| &sql.written))
    }

    fn signal(&mut self, day: u32) {
        let shape = if day.is_multiple_of(2) { "BUY" } else { "RISK" };
        let reply = self.put(vec![bars::day(day, shape)]);
        let Reply::BarsStored { signal, .. } = reply else {
            panic!("{reply:?}");
        };
        assert!(signal.is_some(), "no signal on day {day}");
    }

    fn approve(&mut self, key: u32) {
        let sub = "alice".to_owned();
        self.call("feed", Call::Admit { sub, opens: None });
        let proposal = Proposal {
            status: Suggestion::Buy,
            note: Some("as discussed".to_owned()),
            conditions: Vec::new(),
            by: Caller::new("alice", Role::Approver),
            retry: Some(RetryKey {
                key: key.to_string(),
                request: "0".repeat(64),
            }),
        };
        self.call("room", Call::Approve(proposal));
        self.deliver();
    }

    fn idle_run(&mut self, id: u32) {
        let name = RunName {
            id: format!("{id:016x}"),
            cron: "* * * * *".to_owned(),
        };
        let planning = Planning {
            run: Some(name.clone()),
            watchlist: vec![symbol("AAPL")],
            means: None,
            only: None,
            backfill: false,
        };
        self.call("feed", Call::Plan(Box::new(planning)));
        let finished = Finished {
            report: RunReport {
                id: name.id,
                cron: name.cron,
                started_at: self.now,
                ..RunReport::default()
            },
            providers: Vec::new(),
            benchmark: None,
            means: None,
            watchlist: vec![symbol("AAPL")],
        };
        self.call("feed", Call::Finish(Box::new(finished)));
    }

    fn connect(&mut self) {
        self.conns += 1;
        let ticket = Hash::of(&self.conns.to_le_bytes());
        let holder = Holder {
            sub: format!("user {}", self.conns),
            role: Role::Viewer,
            expires_at: LASTING,
            issued_at: None,
        };
        let hello = Hello {
            sub: holder.sub.clone(),
            role: holder.role,
            expires_at: LASTING,
            issued_at: None,
            batch: true,
            symbols: None,
            city: true,
            market: true,
            resume: None,
        };
        self.call("feed", Call::KeepTicket { ticket, holder });
        let redeemed = self.call(
            "feed",
            Call::Redeem {
                ticket,
                opens: None,
            },
        );
        assert!(matches!(redeemed, Reply::Redeemed(Some(_))), "{redeemed:?}");
        let conn = ConnId(self.conns);
        let hello = Box::new(hello);
        self.rooms.get_mut("feed").expect("a room").hibernate();
        let host = self.rooms.get_mut("feed").expect("a room");
        host.on_event(Event::Connected { conn, hello }, self.now, &mut Deaf)
            .expect("it connects");
    }
}

/// A socket nobody listens to: what is sent costs nothing.
struct Deaf;

impl Sockets for Deaf {
    fn attached(&self) -> Vec<(ConnId, String)> {
        Vec::new()
    }
    fn send(&mut self, _: &[ConnId], _: &Frame) {}
    fn burst(&mut self, _: ConnId, _: &[Frame]) {}
    fn attach(&mut self, _: ConnId, _: &str) {}
    fn close(&mut self, _: ConnId, _: Close) {}
    fn auto_respond(&mut self, _: &str) {}
}

fn symbol(text: &str) -> Symbol {
    text.parse().expect("a symbol")
}

/// Half of what the model says, at least, and at most all of it.
fn holds(what: &str, (read, written): (i64, i64), model: Rows) {
    for (kind, counted, most) in [
        ("read", read, model.read),
        ("written", written, model.written),
    ] {
        assert!(
            counted <= i64::from(most) && 2 * counted >= i64::from(most),
            "{what}: {counted} rows {kind}, the model says {most}"
        );
    }
}

#[test]
fn events_have_as_many_rows_as_the_model_says() {
    let mut bench = Bench::new(1);
    bench.signal(0);
    bench.approve(0);
    bench.idle_run(0);
    bench.connect();
    // Not the first of its kind: that one makes rows which are only changed later.
    let signal = bench.rows(|bench| bench.signal(1));
    let approval = bench.rows(|bench| bench.approve(1));
    let run = bench.rows(|bench| bench.idle_run(1));
    let connect = bench.rows(Bench::connect);
    // On the hour the run looks after rooms it has not heard of for one.
    let look = bench.rows(|bench| {
        bench.now = Millis((bench.now.0 / HOUR + 3) * HOUR);
        bench.idle_run(2);
        bench.call("room", Call::Look);
        bench.deliver();
    });
    let look = (look.0 - run.0, look.1 - run.1);
    println!(
        "look {look:?} signal {signal:?} approval {approval:?} run {run:?} connect {connect:?}"
    );
    holds("a signal", signal, SIGNAL);
    holds("a decision", approval, APPROVAL);
    holds("an idle run", run, IDLE_RUN);
    holds("a connection", connect, CONNECT);
    holds("a look", look, LOOK);
}

#[test]
fn every_further_symbol_has_as_many_rows_as_the_model_says() {
    let reads = |symbols: u32| {
        let mut bench = Bench::new(symbols);
        bench.idle_run(0);
        let (read, _) = bench.rows(|bench| bench.idle_run(1));
        // A run wakes the feed twice here.
        read / 2
    };
    let more = reads(110) - reads(10);
    let most = 100 * i64::from(READ_PER_SYMBOL);
    assert!(
        more <= most && 2 * more >= most,
        "{more} rows for 100 symbols more, the model says {most}"
    );
}

#[test]
fn the_worked_examples_are_what_the_calculator_says() {
    let document = include_str!("../../docs/cost.md");
    for [symbols, dashboards, signals_per_day, approvals_per_day] in
        [[100, 20, 100, 50], [1_000, 1_000, 2_000, 500]]
    {
        let desk = Desk {
            symbols,
            dashboards,
            signals_per_day,
            approvals_per_day,
        };
        let command = format!(
            "signalroom cost --symbols {symbols} --dashboards {dashboards} \
             --signals-per-day {signals_per_day} --approvals-per-day {approvals_per_day}"
        );
        let table = Table(vec![
            ("hibernating", desk.usage(true)),
            ("no hibernation", desk.usage(false)),
        ]);
        let example = format!("$ {command}\n{table}\n");
        assert!(
            document.contains(&example),
            "docs/cost.md is without\n{example}"
        );
    }
}
