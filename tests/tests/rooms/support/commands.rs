//! What can be done to rooms, one command a line.

use signalroom_core::audit::{Hash, Head};
use signalroom_core::auth::Role;
use signalroom_core::host::{Hold, HostError};
use signalroom_core::room::Event;
use signalroom_core::room::call::{
    ApprovalFilter, Call, Caller, Holder, Page, Position, Proposal, Push, Reply, RetryKey,
    RoomState, Trusts,
};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::signal::SignalId;
use signalroom_core::room::socket::{ConnId, Hello, ResumeFrom};
use signalroom_core::signals::bar::Bar;
use signalroom_core::store::SqlError;
use signalroom_core::time::Millis;
use signalroom_core::wire::limits::MAX_WITNESSED;
use signalroom_tests::bench::entries::entry;

use super::world::{Fate, LASTING, World, show};
use super::{bars, brief, market};

const ALL: Page = Page {
    limit: 500,
    cursor: None,
};

/// What a command came to.
pub struct Outcome {
    pub fate: Fate,
    /// The answer, in few words.
    pub said: Option<String>,
    /// The answer in full, where it was a call's.
    pub raw: String,
}

impl Outcome {
    fn done(said: impl Into<Option<String>>) -> Self {
        Self {
            fate: Fate::Done,
            said: said.into(),
            raw: String::new(),
        }
    }
}

impl From<Result<Reply, HostError>> for Outcome {
    fn from(answer: Result<Reply, HostError>) -> Self {
        let raw = format!("{answer:?}");
        let (fate, said) = match answer {
            Ok(reply) => (Fate::Done, brief::reply(&reply)),
            Err(HostError::Reject(reject)) => (Fate::Rejected, brief::reject(&reject)),
            Err(HostError::Fault(error)) => (Fate::Failed, error.to_string()),
        };
        Self {
            fate,
            said: Some(said),
            raw,
        }
    }
}

impl From<Result<(), SqlError>> for Outcome {
    fn from(result: Result<(), SqlError>) -> Self {
        match result {
            Ok(()) => Self::done(None),
            Err(error) => Self {
                fate: Fate::Failed,
                said: Some(error.to_string()),
                raw: String::new(),
            },
        }
    }
}

/// The words of a command: some in order, some as `name=value`, some as flags.
pub struct Words<'a>(Vec<&'a str>);

impl<'a> Words<'a> {
    pub fn at(&self, index: usize) -> &'a str {
        self.0
            .get(index)
            .unwrap_or_else(|| panic!("{:?} is too short", self.0))
    }

    fn number<T: std::str::FromStr>(&self, index: usize) -> T {
        let word = self.at(index).parse();
        word.unwrap_or_else(|_| panic!("{:?}: a number at {index}", self.0))
    }

    pub fn flag(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    pub fn all<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'a str> + 'b {
        self.0
            .iter()
            .filter_map(move |word| word.strip_prefix(name)?.strip_prefix('='))
    }

    pub fn named(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Words of two halves, as `NAME:WHAT`, that are no settings.
    pub fn pairs<'b>(&'b self) -> impl Iterator<Item = (&'a str, &'a str)> + 'b {
        let plain = self.0.iter().filter(|word| !word.contains('='));
        plain.filter_map(|word| word.split_once(':'))
    }

    /// The bars of the words `DAY:SHAPE`.
    pub fn days<'b>(&'b self) -> impl Iterator<Item = Bar> + 'b {
        self.pairs()
            .filter_map(|(day, shape)| Some(bars::day(day.parse().ok()?, shape)))
    }
}

impl World {
    /// Carries out one command.
    pub fn command(&mut self, line: &str) -> Outcome {
        let words = Words(line.split_whitespace().collect());
        let room = words.0.get(1).copied().unwrap_or_default();
        match words.at(0) {
            "wait" => {
                self.now = self.now.plus(words.number(1));
                Outcome::done(None)
            }
            "at" => {
                self.now = Millis::parse(words.at(1)).expect("a time");
                Outcome::done(None)
            }
            "says" => self.says(room),
            "forget" => {
                self.forget(room);
                Outcome::done(None)
            }
            "wipe" => {
                self.wipe(room);
                Outcome::done(None)
            }
            "alarm" => self.event(room, Event::Alarm).into(),
            "deadline" => {
                let now = self.now;
                let deadline = self.deadline(room).map(|at| at.0 - now.0);
                Outcome::done(deadline.map_or("none".to_owned(), |wait| format!("in {wait} ms")))
            }
            "hold" => Outcome::done(match self.with(room, |host, _, _| host.hold()) {
                None => "nothing to wait for".to_owned(),
                Some(Hold::Sent) => "sent".to_owned(),
                Some(Hold::Wait(wait)) => format!("{wait} ms for a run"),
            }),
            "rest" => {
                let rest = self.with(room, |host, _, _| host.rest(words.number(2)));
                Outcome::done(format!("{rest} ms"))
            }
            "release" => {
                let released = self.with(room, |host, now, sockets| host.release(now, sockets));
                let goes_on = released.expect("the database answers");
                Outcome::done(if goes_on { "goes on" } else { "ends" }.to_owned())
            }
            "pong" => {
                let pong = self.room(room).sockets.pong().map(brief::frame);
                Outcome::done(pong.unwrap_or_else(|| "none".to_owned()))
            }
            "log" => {
                let rows = self.room(room).log.len();
                Outcome::done(format!("{rows} events"))
            }
            "connect" => self.connect(room, &words),
            "say" | "bytes" | "long" | "quiet" | "gone" => self.socket(line, &words),
            "verify" => self.verify(room),
            "push" | "arrive" | "ack" | "lost" | "deliver" => self.carry(room, words.at(0)),
            _ => self.ask(room, &words),
        }
    }

    /// What holds of a symbol's latest signal, beside what is said of it everywhere.
    fn says(&mut self, room: &str) -> Outcome {
        let now = self.now;
        match self.call(room, Call::Latest) {
            Ok(Reply::Latest(signal)) => {
                let view = serde_json::to_value(signal.view(now)).expect("a signal is JSON");
                let holds = |name: &str| view[name] == true;
                let provisional = if holds("provisional") {
                    "provisional"
                } else {
                    "final"
                };
                let stale = if holds("stale") { ", stale" } else { "" };
                Outcome::done(format!("{} {provisional}{stale}", signal.id))
            }
            answer => answer.into(),
        }
    }

    /// Checks a record part by part, as the API does.
    fn verify(&mut self, room: &str) -> Outcome {
        let name = self.room(room).name.clone();
        let mut from = Head::START;
        loop {
            let rooms = vec![(name.clone(), from.n)];
            let Ok(Reply::Witnessed(mut witnessed)) = self.call("feed", Call::Witnessed { rooms })
            else {
                panic!("the feed was told of nothing");
            };
            let witnessed = witnessed.pop().expect("one room");
            let full = i64::try_from(witnessed.len()).expect("few") >= MAX_WITNESSED;
            let call = Call::CheckAudit {
                from,
                until: witnessed.last().filter(|_| full).map(|head| head.n),
                witnessed,
            };
            let answer = self.call(room, call);
            match answer {
                Ok(Reply::AuditChecked(checked)) if checked.more => from = checked.head,
                answer => return answer.into(),
            }
        }
    }

    fn ask(&mut self, room: &str, words: &Words<'_>) -> Outcome {
        let call = self.call_of(words);
        self.call(room, call).into()
    }

    /// What a room answers to a command that is a call.
    pub fn ask_of(&mut self, room: &str, line: &str) -> Result<Reply, HostError> {
        let call = self.call_of(&Words(line.split_whitespace().collect()));
        self.call(room, call)
    }

    fn call_of(&mut self, words: &Words<'_>) -> Call {
        match words.at(0) {
            "bars" => Call::PutBars {
                bars: match words.at(2) {
                    "history" => bars::history().to_vec(),
                    "short" => bars::history()[..25].to_vec(),
                    "none" => vec![],
                    _ => vec![bars::day(words.number(2), words.at(3))],
                },
                compute: words.flag("now"),
                rejected: words
                    .named("rejected")
                    .map_or(0, |n| n.parse().expect("a number")),
                by: Caller::new("importer", Role::Service),
            },
            "compute" => Call::Compute,
            "latest" => Call::Latest,
            "history" => Call::History { page: ALL },
            "approve" => Call::Approve(Proposal {
                status: words.at(2).parse().expect("a suggestion"),
                note: words.named("note").map(str::to_owned),
                conditions: words
                    .all("if")
                    .map(|ids| ids.split('|').map(|id| SignalId(id.to_owned())).collect())
                    .collect(),
                by: Caller::new(words.at(3), Role::Approver),
                retry: words.named("key").map(|key| RetryKey {
                    key: key.to_owned(),
                    request: words.named("asked").unwrap_or_default().to_owned(),
                }),
            }),
            "approvals" => Call::Approvals {
                filter: ApprovalFilter {
                    symbol: words.named("symbol").map(|s| s.parse().expect("a symbol")),
                    by: words.named("by").map(str::to_owned),
                    from: None,
                    to: None,
                },
                page: ALL,
            },
            "signals" => Call::Signals {
                status: words.named("status").map(|s| s.parse().expect("a status")),
                page: ALL,
            },
            "top" => Call::Top { n: words.number(2) },
            "city" => Call::City,
            "plan" => Call::Plan(Box::new(market::planning(words))),
            "ingest" => Call::Ingest(market::ingest(words, self.now)),
            "revisions" => Call::BarRevisions { page: ALL },
            "closes" => Call::Closes {
                limit: words.number(2),
            },
            "market" => Call::Market,
            "runs" => Call::Runs { page: ALL },
            "watch" => {
                let (configured, change, by) = market::change(words);
                Call::Watch {
                    configured,
                    change,
                    by,
                }
            }
            "supply" => Call::Supply {
                watchlist: market::planning(words).watchlist,
                fetching: true,
                page: ALL,
            },
            "look" => Call::Look,
            "renew" => Call::Renew {
                by: Caller::new("root", Role::Admin),
            },
            "sources" => Call::Sources { page: ALL },
            "admit" => Call::Admit {
                sub: words.at(2).to_owned(),
                opens: words.named("opens").map(|s| s.parse().expect("a symbol")),
            },
            "ticket" => Call::KeepTicket {
                ticket: Hash::of(words.at(2).as_bytes()),
                holder: Holder {
                    sub: words.at(3).to_owned(),
                    role: Role::Approver,
                    expires_at: LASTING,
                    issued_at: words.flag("dated").then_some(self.now),
                },
            },
            "redeem" => Call::Redeem {
                ticket: Hash::of(words.at(2).as_bytes()),
                opens: words.named("opens").map(|s| s.parse().expect("a symbol")),
            },
            "revoke" => Call::Revoke {
                sub: words.at(2).to_owned(),
                by: Caller::new("root", Role::Admin),
                reason: None,
            },
            "dismiss" => Call::Dismiss {
                sub: words.at(2).to_owned(),
                before: self.now,
            },
            "visited" => Call::Visited {
                sub: words.at(2).to_owned(),
                page: ALL,
            },
            "finish" => Call::Finish(Box::new(market::finished(words, self.now))),
            "audit" => Call::Audit {
                oldest_first: true,
                page: ALL,
            },
            "known" => Call::Known {
                after: words.named("after").map(|s| s.parse().expect("a symbol")),
                limit: words
                    .named("limit")
                    .map_or(500, |n| n.parse().expect("a number")),
            },
            "witnessed" => Call::Witnessed {
                rooms: vec![(self.room(words.at(2)).name.clone(), 0)],
            },
            "receive" => Call::Receive(batch(words)),
            other => panic!("no such command: {other}"),
        }
    }

    fn connect(&mut self, room: &str, words: &Words<'_>) -> Outcome {
        let conn: u64 = words.number(2);
        if let Some(held_by) = self.conns.get(&conn).cloned()
            && self.room(&held_by).sockets.is_open(conn)
        {
            return Outcome::done("taken".to_owned());
        }
        let symbols = words.named("symbols").map(|list| {
            let symbols = list.split(',').map(|s| s.parse().expect("a symbol"));
            symbols.collect()
        });
        let epoch = words.named("epoch").map(str::to_owned);
        let since = words.named("since").map(|n| n.parse().expect("a number"));
        let hello = Box::new(Hello {
            sub: words.named("as").unwrap_or("alice").to_owned(),
            role: Role::Viewer,
            expires_at: match words.named("for") {
                Some(millis) => self.now.plus(millis.parse().expect("a number")),
                None => LASTING,
            },
            issued_at: words.flag("dated").then_some(self.now),
            batch: words.flag("v1"),
            symbols,
            city: words.flag("city"),
            market: words.flag("market"),
            resume: since.map(|since| ResumeFrom {
                epoch: epoch.unwrap_or_else(|| self.room(room).epoch()),
                since,
            }),
        });
        self.room(room).sockets.accept(conn);
        let connected = self.event(
            room,
            Event::Connected {
                conn: ConnId(conn),
                hello,
            },
        );
        match connected {
            Ok(()) => {
                self.conns.insert(conn, room.to_owned());
            }
            Err(_) => self.room(room).sockets.remove(conn),
        }
        connected.into()
    }

    /// Something that a socket does; nothing if it is not there.
    fn socket(&mut self, line: &str, words: &Words<'_>) -> Outcome {
        let id: u64 = words.number(1);
        let conn = ConnId(id);
        let Some(room) = self.conns.get(&id).cloned() else {
            return Outcome::done("no such socket".to_owned());
        };
        if !self.room(&room).sockets.is_open(id) {
            return Outcome::done("no such socket".to_owned());
        }
        let event = match words.at(0) {
            "say" => {
                let text = line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned();
                Event::Text { conn, text }
            }
            "quiet" => Event::Silent { conn },
            "long" => {
                let text = "x".repeat(words.number(2));
                Event::Text { conn, text }
            }
            "bytes" => {
                let bytes = words.number(2);
                Event::Binary { conn, bytes }
            }
            _ => {
                self.conns.remove(&id);
                self.room(&room).sockets.remove(id);
                Event::Closed { conn }
            }
        };
        self.event(&room, event).into()
    }

    /// The way of a batch from a symbol room to the feed and back, step by step or (`deliver`)
    /// until nothing is owed or it fails.
    fn carry(&mut self, room: &str, step: &str) -> Outcome {
        match step {
            "push" => {
                let push = self.next_push(room);
                let said = push.as_ref().map_or("nothing".to_owned(), brief::push);
                self.room(room).flight = push;
                Outcome::done(said)
            }
            "arrive" => {
                let Some(push) = self.room(room).flight.clone() else {
                    return Outcome::done("nothing".to_owned());
                };
                let answer = self.call("feed", Call::Receive(push));
                if let Ok(Reply::Received(ack)) = &answer {
                    self.room(room).answer = Some(ack.clone());
                }
                answer.into()
            }
            "ack" => {
                let Some(ack) = self.room(room).answer.clone() else {
                    return Outcome::done("nothing".to_owned());
                };
                let acked = self.event(room, Event::Acked(ack));
                if acked.is_ok() {
                    let place = self.room(room);
                    (place.flight, place.answer) = (None, None);
                }
                acked.into()
            }
            "lost" => {
                if self.room(room).flight.is_none() {
                    return Outcome::done("nothing".to_owned());
                }
                let failed = self.event(room, Event::PushFailed);
                if failed.is_ok() {
                    let place = self.room(room);
                    (place.flight, place.answer) = (None, None);
                }
                failed.into()
            }
            _ => {
                let mut said = Vec::new();
                while let Some(push) = self.next_push(room) {
                    said.push(brief::push(&push));
                    let answer = self.call("feed", Call::Receive(push));
                    let event = match answer {
                        Ok(Reply::Received(ack)) => Event::Acked(ack),
                        _ => Event::PushFailed,
                    };
                    if let Err(error) = self.event(room, event) {
                        return Err(error).into();
                    }
                    assert!(said.len() < 50, "it does not end: {said:?}");
                }
                Outcome::done((!said.is_empty()).then(|| said.join(", ")))
            }
        }
    }

    /// Carries out a command and shows what came of it, line by line.
    pub fn play(&mut self, line: &str) -> Vec<String> {
        let outcome = self.command(line);
        let mut shown: Vec<String> = outcome.said.into_iter().collect();
        shown.extend(self.take().iter().filter_map(show));
        shown
    }
}

/// `receive feed SYMBOL EPOCH FIRST..LAST vVERSION [dirty] [trust=T] [bar=DATE] [floor=N]
/// [born=MS] [after=EPOCH@SEQ]…`: a batch of signals from a room that is not there.
fn batch(words: &Words<'_>) -> Push {
    let symbol = words.at(2);
    let range = words.at(4).split_once("..").expect("FIRST..LAST");
    let bound = |text: &str| text.parse::<i64>().expect("a number");
    let entry = |seq| entry(symbol, seq);
    let version = words.at(5).strip_prefix('v').map(bound);
    let trust = words.named("trust").map(|t| t.parse().expect("a number"));
    Push {
        source: RoomName::Symbol(symbol.parse().expect("a symbol")),
        epoch: words.at(3).to_owned(),
        born: Millis(words.named("born").map_or(0, bound)),
        lineage: words
            .all("after")
            .map(|ended| {
                let (epoch, seq) = ended.split_once('@').expect("EPOCH@SEQ");
                Position {
                    epoch: epoch.to_owned(),
                    seq: bound(seq),
                }
            })
            .collect(),
        state: RoomState {
            version: version.expect("vVERSION"),
            dirty: words.flag("dirty"),
            trusts: trust.map(|trust| Trusts {
                unslug: trust,
                fear: trust,
                flow: trust,
            }),
            last_bar: words.named("bar").map(|date| date.parse().expect("a date")),
            ..RoomState::default()
        },
        audit: None,
        floor: words.named("floor").map_or(1, bound),
        entries: (bound(range.0)..=bound(range.1)).map(entry).collect(),
    }
}
