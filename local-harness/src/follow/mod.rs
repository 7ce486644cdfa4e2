//! A client of the socket that loses nothing and tells nothing twice, as a state machine.
//!
//! [`Follower`] is plain data: what happened goes in as [`Input`], what is to be done comes out
//! as [`Output`]s, to be done in order. It reads no clock and makes no randomness: `now` is the
//! time of any steady clock, `random` a fresh number in [0, 1). The states and rules are the
//! table in `docs/protocol.md`; [`drive`] runs it over a real socket.
//!
//! The position moves only past what was handed out: [`Output::Reached`] follows the
//! [`Output::Deliver`]s it counts, so whoever stores it then, after they are safe, continues
//! exactly there with [`Follower::new`].

pub mod drive;
mod io;
mod message;
mod pace;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::{Value, json};
pub use signalroom_core::room::call::Position;
use signalroom_core::time::Millis;
use signalroom_core::wire::limits;

pub use io::{Cause, Failed, Input, Output, Reason};
pub use message::Message;
use message::messages;
pub use pace::{Pace, is_final};

/// Ping intervals of silence after which a connection counts as lost.
const SILENT_INTERVALS: u32 = 3;

/// The reconnect window until a server has named one.
const UNTOLD_WINDOW: Duration = Duration::from_secs(5);

/// Where a follower is with its connection.
#[derive(Debug)]
enum Link {
    /// The next connect comes then.
    Waiting { until: Millis },
    /// Connecting, until then at most.
    Connecting { by: Millis },
    /// REST is asked about the token, until then at most.
    Checking { by: Millis },
    /// Connected.
    Open(Open),
    /// Over.
    Stopped,
}

/// An open connection.
#[derive(Debug)]
struct Open {
    since: Millis,
    heard_at: Millis,
    ping_at: Millis,
    /// Until when the JSON ping in flight must be answered.
    answer_by: Option<Millis>,
    /// Where the log stood at the `welcome`; the position once all up to there has come.
    welcome: Option<Position>,
    /// Whether `snapshot` or `resumed` has come.
    placed: bool,
}

/// The client's state: where it is in the log, and what it does about its connection.
#[derive(Debug)]
pub struct Follower {
    pace: Pace,
    position: Option<Position>,
    link: Link,
    attempt: u32,
    /// No connect before a fresh token has come.
    wants_token: bool,
    /// A fresh token was asked for since the last connection opened.
    renewed: bool,
    ping_interval: Duration,
    reconnect_window: Duration,
}

impl Follower {
    /// A client that continues at `position`, or starts anew. The first [`Input::Tick`] connects.
    pub fn new(position: Option<Position>) -> Self {
        Self::paced(position, Pace::default())
    }

    /// The same with a pace of its own, for tests and simulations.
    pub fn paced(position: Option<Position>, pace: Pace) -> Self {
        Self {
            pace,
            position,
            link: Link::Waiting {
                until: Millis(i64::MIN),
            },
            attempt: 0,
            wants_token: false,
            renewed: false,
            ping_interval: Duration::from_millis(limits::PING_INTERVAL_MS.into()),
            reconnect_window: UNTOLD_WINDOW,
        }
    }

    /// Everything up to here has been handed out.
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// Takes what happened; what is to be done, in order.
    pub fn handle(&mut self, input: Input<'_>, now: Millis, random: f64) -> Vec<Output> {
        let mut out = Vec::new();
        match input {
            Input::Tick => self.tick(now, random, &mut out),
            Input::Opened => self.opened(now),
            Input::Failed(failed) => self.failed(failed, now, random, &mut out),
            Input::Checked(status) => self.checked(status, now, random, &mut out),
            Input::Text(frame) => self.hear(frame, now, random, &mut out),
            Input::Closed(code) => self.closed(code, now, random, &mut out),
            Input::Token(token) => self.token(token, now, &mut out),
            Input::NoToken if self.wants_token => self.stop(Reason::SignIn, &mut out),
            Input::NoToken => {}
        }
        out.extend(self.deadline().map(Output::WaitUntil));
        out
    }

    /// When time itself changes something.
    fn deadline(&self) -> Option<Millis> {
        match &self.link {
            Link::Waiting { .. } if self.wants_token => None,
            Link::Waiting { until } => Some(*until),
            Link::Connecting { by } | Link::Checking { by } => Some(*by),
            Link::Open(open) => {
                let silent_at = after(open.heard_at, self.ping_interval * SILENT_INTERVALS);
                let next = open.ping_at.min(silent_at);
                Some(open.answer_by.map_or(next, |by| next.min(by)))
            }
            Link::Stopped => None,
        }
    }

    fn tick(&mut self, now: Millis, random: f64, out: &mut Vec<Output>) {
        match &mut self.link {
            Link::Waiting { until } if *until <= now && !self.wants_token => {
                self.connect(now, out);
            }
            Link::Connecting { by } if *by <= now => {
                out.push(Output::Close);
                self.lost(Cause::Unreachable, now, random, out);
            }
            Link::Checking { by } if *by <= now => {
                self.lost(Cause::Unreachable, now, random, out);
            }
            Link::Open(open) => {
                let silent_at = after(open.heard_at, self.ping_interval * SILENT_INTERVALS);
                if silent_at <= now {
                    self.leave(Cause::Silent, now, random, out);
                } else if open.answer_by.is_some_and(|by| by <= now) {
                    self.leave(Cause::Unanswered, now, random, out);
                } else if open.ping_at <= now {
                    open.ping_at = after(now, self.ping_interval);
                    out.push(Output::Send(limits::PING.to_owned()));
                }
            }
            Link::Waiting { .. }
            | Link::Connecting { .. }
            | Link::Checking { .. }
            | Link::Stopped => {}
        }
    }

    fn connect(&mut self, now: Millis, out: &mut Vec<Output>) {
        self.link = Link::Connecting {
            by: after(now, self.pace.connect),
        };
        out.push(Output::Connect {
            resume: self.position.clone(),
        });
    }

    fn opened(&mut self, now: Millis) {
        if matches!(self.link, Link::Connecting { .. }) {
            self.renewed = false;
            self.link = Link::Open(Open {
                since: now,
                heard_at: now,
                ping_at: after(now, self.ping_interval),
                answer_by: None,
                welcome: None,
                placed: false,
            });
        }
    }

    fn failed(&mut self, failed: Failed, now: Millis, random: f64, out: &mut Vec<Output>) {
        if !matches!(self.link, Link::Connecting { .. }) {
            return;
        }
        match failed {
            Failed::Status(401) => self.refused(now, random, out),
            Failed::Status(status) if pace::is_refusal(status) => {
                self.stop(Reason::Refused(status), out);
            }
            Failed::Status(status) => self.lost(Cause::Status(status), now, random, out),
            Failed::Unreachable => self.lost(Cause::Unreachable, now, random, out),
            Failed::Unknown => {
                self.link = Link::Checking {
                    by: after(now, self.pace.connect),
                };
                out.push(Output::CheckToken);
            }
        }
    }

    fn checked(&mut self, status: Option<u16>, now: Millis, random: f64, out: &mut Vec<Output>) {
        if !matches!(self.link, Link::Checking { .. }) {
            return;
        }
        match status {
            Some(401) => self.refused(now, random, out),
            Some(_) | None => self.lost(Cause::Unreachable, now, random, out),
        }
    }

    /// The token is not good: one fresh one is tried, then the user is to sign in.
    fn refused(&mut self, now: Millis, random: f64, out: &mut Vec<Output>) {
        if self.renewed {
            self.stop(Reason::SignIn, out);
        } else {
            self.renew(out);
            self.lost(Cause::Status(401), now, random, out);
            self.renewed = true;
        }
    }

    /// No connect before another token is there.
    fn renew(&mut self, out: &mut Vec<Output>) {
        self.wants_token = true;
        out.push(Output::FreshToken);
    }

    fn token(&mut self, token: &str, now: Millis, out: &mut Vec<Output>) {
        self.wants_token = false;
        match &self.link {
            Link::Open(_) => {
                let message = json!({"type": "authenticate", "data": {"token": token}});
                out.push(Output::Send(message.to_string()));
            }
            Link::Waiting { until } if *until <= now => self.connect(now, out),
            Link::Waiting { .. }
            | Link::Connecting { .. }
            | Link::Checking { .. }
            | Link::Stopped => {}
        }
    }

    fn closed(&mut self, code: Option<u16>, now: Millis, random: f64, out: &mut Vec<Output>) {
        match (&self.link, code) {
            (Link::Connecting { .. } | Link::Open(_), Some(code)) => {
                if is_final(code) {
                    return self.stop(Reason::Closed(code), out);
                }
                if code == 4001 {
                    self.renew(out);
                }
                self.lost(Cause::Closed(code), now, random, out);
                self.renewed = code == 4001;
            }
            (Link::Connecting { .. } | Link::Open(_), None) => {
                self.lost(Cause::Broke, now, random, out);
            }
            (Link::Waiting { .. } | Link::Checking { .. } | Link::Stopped, _) => {}
        }
    }

    fn leave(&mut self, cause: Cause, now: Millis, random: f64, out: &mut Vec<Output>) {
        out.push(Output::Close);
        self.lost(cause, now, random, out);
    }

    fn lost(&mut self, cause: Cause, now: Millis, random: f64, out: &mut Vec<Output>) {
        if matches!(&self.link, Link::Open(open) if after(open.since, self.pace.well) <= now) {
            self.attempt = 0;
        }
        // Whatever else went wrong took its time: the token may have ended meanwhile.
        self.renewed = false;
        let wait = self.pace.wait(self.attempt, self.reconnect_window, random);
        self.attempt = self.attempt.saturating_add(1);
        let until = after(now, wait);
        self.link = Link::Waiting { until };
        out.push(Output::Lost { cause, until });
    }

    fn stop(&mut self, reason: Reason, out: &mut Vec<Output>) {
        self.link = Link::Stopped;
        out.push(Output::Stop(reason));
    }

    fn hear(&mut self, frame: &str, now: Millis, random: f64, out: &mut Vec<Output>) {
        let Link::Open(open) = &mut self.link else {
            return;
        };
        open.heard_at = now;
        let Some(messages) = messages(frame) else {
            return self.leave(Cause::Garbled, now, random, out);
        };
        for message in messages {
            if let Err(cause) = self.take(message, now, out) {
                return self.leave(cause, now, random, out);
            }
        }
    }

    /// Takes one message; an error is why to leave the connection.
    fn take(&mut self, message: Message, now: Millis, out: &mut Vec<Output>) -> Result<(), Cause> {
        let Link::Open(open) = &mut self.link else {
            return Ok(());
        };
        if let Some(seq) = message.seq {
            return self.event(message, seq, out);
        }
        let mut reached = None;
        match message.kind.as_str() {
            "welcome" => {
                open.welcome = message.position();
                let millis = |name: &str| message.data[name].as_u64().map(Duration::from_millis);
                self.ping_interval = millis("ping_interval_ms")
                    .filter(|interval| !interval.is_zero())
                    .unwrap_or(self.ping_interval);
                self.reconnect_window =
                    millis("reconnect_window_ms").unwrap_or(self.reconnect_window);
                open.ping_at = after(now, self.ping_interval);
            }
            "snapshot" => {
                open.placed = true;
                reached.clone_from(&open.welcome);
            }
            // What the welcome counts and has not come was hidden by a filter. When it could not
            // be brought, the position is that of the snapshot to come.
            "resumed" if message.data["recovered"] == Value::Bool(true) => {
                open.placed = true;
                reached.clone_from(&open.welcome);
            }
            "pong" => return self.pong(&message, now, out),
            "token_expiring" => out.push(Output::FreshToken),
            _ => {}
        }
        self.deliver(message, out);
        if let Some(position) = reached {
            self.reach(position, out);
        }
        Ok(())
    }

    fn event(&mut self, message: Message, seq: i64, out: &mut Vec<Output>) -> Result<(), Cause> {
        let Link::Open(Open {
            welcome: Some(welcome),
            ..
        }) = &self.link
        else {
            return Err(Cause::Garbled);
        };
        let Some(position) = &self.position else {
            return Err(Cause::Garbled);
        };
        if position.epoch != welcome.epoch {
            return Err(Cause::OtherLog);
        }
        if seq <= position.seq {
            return Ok(());
        }
        let position = Position {
            epoch: welcome.epoch.clone(),
            seq,
        };
        self.deliver(message, out);
        self.reach(position, out);
        Ok(())
    }

    fn pong(&mut self, message: &Message, now: Millis, out: &mut Vec<Output>) -> Result<(), Cause> {
        let Link::Open(open) = &mut self.link else {
            return Ok(());
        };
        let (Some(top), Some(welcome), true) = (message.position(), &open.welcome, open.placed)
        else {
            return Ok(());
        };
        if top.epoch != welcome.epoch {
            return Err(Cause::OtherLog);
        }
        let behind = self.position.as_ref().is_none_or(|it| it.seq < top.seq);
        // Only the answer to a JSON ping has a time; it comes in order with the events.
        if message.data.get("timestamp").is_some() {
            open.answer_by = None;
            if behind {
                self.reach(top, out);
            }
        } else if behind && open.answer_by.is_none() {
            open.answer_by = Some(after(now, self.pace.answer));
            let ping = json!({"type": "ping", "data": {"timestamp": now.0}});
            out.push(Output::Send(ping.to_string()));
        }
        Ok(())
    }

    fn deliver(&self, mut message: Message, out: &mut Vec<Output>) {
        if let Link::Open(Open {
            welcome: Some(welcome),
            ..
        }) = &self.link
        {
            message.epoch = Some(welcome.epoch.clone());
        }
        out.push(Output::Deliver(Box::new(message)));
    }

    fn reach(&mut self, position: Position, out: &mut Vec<Output>) {
        if self.position.as_ref() != Some(&position) {
            self.position = Some(position.clone());
            out.push(Output::Reached(position));
        }
    }
}

/// The moment after `wait`.
fn after(at: Millis, wait: Duration) -> Millis {
    at.plus(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX))
}
