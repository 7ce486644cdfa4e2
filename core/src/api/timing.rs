//! `Server-Timing` of a decision: where its time went, by the adapter's clock.
//! <https://www.w3.org/TR/server-timing/>
//!
//! An adapter says what it does next and when; which part of an answer that is, is known here. Only
//! who may decide is told, and only of their own request.

use std::time::Duration;

use super::{Next, Replies, Response};
use crate::room::call::{Call, Reply};

/// The header's name.
pub const SERVER_TIMING: &str = "server-timing";

/// What a request's time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Reading the request, its token, limits, and whether the token was revoked.
    Auth,
    /// Waiting for the body, and reading it.
    Body,
    /// The symbol's room: the way there and back, the decision and its commit.
    Room,
}

impl Part {
    /// In the order in which they happen.
    const ALL: [(Self, &'static str); 3] = [
        (Self::Auth, "auth"),
        (Self::Body, "body"),
        (Self::Room, "room"),
    ];
}

/// The times of one request. Moments are an adapter's, since any moment in its past that stays
/// the same.
#[derive(Debug)]
pub struct Timing {
    began: Duration,
    /// Until when the time is accounted for.
    until: Duration,
    part: Part,
    spent: [Duration; Part::ALL.len()],
    /// Of the room's share: how long it waited for the feed.
    feed: Option<Duration>,
    /// Whether a decision reached its room; nothing is told of other requests.
    decided: bool,
}

impl Timing {
    /// A request that is looked at from `now` on.
    pub fn start(now: Duration) -> Self {
        Self {
            began: now,
            until: now,
            part: Part::Auth,
            spent: Default::default(),
            feed: None,
            decided: false,
        }
    }

    /// `next` begins `now`; what was before it has ended.
    pub fn enter(&mut self, next: &Next, now: Duration) {
        self.spent[self.part as usize] += now.saturating_sub(self.until);
        self.until = now;
        match next {
            Next::Keys { .. } | Next::Limit { .. } => self.part = Part::Auth,
            Next::Body { .. } => self.part = Part::Body,
            Next::Call { calls, .. } => {
                let decides = |(_, call): &(_, Call)| matches!(call, Call::Approve(_));
                let admits = |(_, call): &(_, Call)| matches!(call, Call::Admit { .. });
                self.decided |= calls.iter().any(decides);
                self.part = if calls.iter().any(admits) {
                    Part::Auth
                } else {
                    Part::Room
                };
            }
            Next::Work { .. } | Next::Reply(_) | Next::Upgrade { .. } | Next::Static => {}
        }
    }

    /// What the rooms said, who know best how long they waited for the feed.
    pub fn heard(&mut self, replies: &Replies) {
        for reply in replies.iter().flatten() {
            if let Reply::Approved { waited, .. } = reply {
                self.feed = waited.map(Duration::from_micros);
            }
        }
    }

    /// The answer, with the header if it is one to a decision.
    #[must_use]
    pub fn seal(self, mut response: Response) -> Response {
        if !self.decided {
            return response;
        }
        let feed = self.feed.unwrap_or_default();
        let mut metrics: Vec<String> = Vec::new();
        let mut add = |name: &str, took: Duration| {
            metrics.push(format!("{name};dur={:.3}", took.as_secs_f64() * 1000.0));
        };
        for (part, name) in Part::ALL {
            let took = self.spent[part as usize];
            let others = if part == Part::Room {
                feed
            } else {
                Duration::ZERO
            };
            add(name, took.saturating_sub(others));
        }
        if self.feed.is_some() {
            add("feed", feed);
        }
        add("total", self.until.saturating_sub(self.began));
        response.headers.push((SERVER_TIMING, metrics.join(", ")));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Body;
    use crate::auth::Role;
    use crate::room::call::{CallError, Caller, Position, Proposal};
    use crate::room::name::RoomName;
    use crate::room::signal::{Approval, SignalId};
    use crate::signals::Suggestion;
    use crate::time::Millis;

    fn answer() -> Response {
        Response {
            status: 200,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    fn limit() -> Next {
        Next::Limit {
            key: String::new(),
            then: Box::new(|_, _| Next::Static),
        }
    }

    fn body() -> Next {
        Next::Body {
            limit: 1,
            then: Box::new(|_: Body, _| Next::Static),
        }
    }

    fn call(call: Call) -> Next {
        Next::Call {
            calls: vec![(RoomName::Feed, call)],
            then: Box::new(|_, _| Next::Static),
        }
    }

    fn admit() -> Next {
        call(Call::Admit {
            sub: "ann".to_owned(),
            opens: None,
        })
    }

    fn approve() -> Next {
        call(Call::Approve(Proposal {
            status: Suggestion::Buy,
            note: None,
            conditions: Vec::new(),
            by: Caller {
                sub: "ann".to_owned(),
                role: Role::Approver,
                ip: None,
                user_agent: None,
            },
            retry: None,
        }))
    }

    fn approved(waited: Option<u64>) -> Replies {
        vec![Ok(Reply::Approved {
            approval: Approval {
                symbol: "SPY".parse().unwrap(),
                approved_status: Suggestion::Buy,
                approved_by: "ann".to_owned(),
                approved_at: Millis(0),
                note: None,
                signal_id: SignalId("SPY:2026-01-02:1".to_owned()),
            },
            room: Position {
                epoch: "e".to_owned(),
                seq: 1,
            },
            feed: None,
            waited,
        })]
    }

    /// The header after these steps, each with the moment in microseconds at which it began.
    fn header(steps: Vec<(u64, Next)>, replies: &Replies) -> Option<String> {
        let mut timing = Timing::start(Duration::from_micros(1000));
        for (at, next) in steps {
            timing.enter(&next, Duration::from_micros(at));
        }
        timing.heard(replies);
        timing.seal(answer()).headers.pop().map(|(_, value)| value)
    }

    #[test]
    fn a_decision_says_where_its_time_went() {
        let steps = vec![
            (1100, limit()),
            (1150, admit()),
            (2150, body()),
            (2250, approve()),
            (9250, Next::Reply(answer())),
        ];
        assert_eq!(
            header(steps, &approved(Some(2500))).unwrap(),
            "auth;dur=1.150, body;dur=0.100, room;dur=4.500, feed;dur=2.500, total;dur=8.250"
        );
    }

    #[test]
    fn a_refused_decision_waited_for_no_feed() {
        let steps = vec![(1500, approve()), (2000, Next::Reply(answer()))];
        let refused = vec![Err(CallError::Fault { id: String::new() })];
        assert_eq!(
            header(steps, &refused).unwrap(),
            "auth;dur=0.500, body;dur=0.000, room;dur=0.500, total;dur=1.000"
        );
    }

    #[test]
    fn two_clocks_that_disagree_make_no_negative_time() {
        let steps = vec![(1500, approve()), (900, Next::Reply(answer()))];
        assert_eq!(
            header(steps, &approved(Some(7))).unwrap(),
            "auth;dur=0.500, body;dur=0.000, room;dur=0.000, feed;dur=0.007, total;dur=0.000"
        );
    }

    #[test]
    fn nobody_else_is_told() {
        let steps = vec![(1100, admit()), (1200, Next::Reply(answer()))];
        assert_eq!(header(steps, &Vec::new()), None);
    }
}
