//! What is durable and has yet to leave: messages that leave together go as one frame to those
//! who take several in one.
//!
//! On Workers a frame costs some 10 to 25 µs for each socket however small it is, and the room does
//! nothing else meanwhile, so that many messages in one frame are the one great saving there is.
//! A message that comes alone leaves alone and at once. Gathered is what comes while the broadcast
//! before it is still going out, and the signals of a run, of which more are known to come: they
//! wait for each other, but no decision waits for them.

use std::collections::BTreeMap;

use crate::host::{Hold, Sockets};
use crate::room::effects::Publication;
use crate::room::socket::ConnId;
use crate::wire::frame::Frame;
use crate::wire::limits::{MAX_BATCH, MAX_HOLD_MS};

/// During a run a room spends one part of its time on broadcasting and so many on gathering.
const GATHERING: i64 = 4;

/// What came during a broadcast is in line behind it: a moment of so many milliseconds at most,
/// one part in so many of the broadcast, lets it arrive.
const MOMENT_MS: i64 = 2;
const MOMENT_PART: i64 = 32;

/// Messages on their way out of a room, in order.
#[derive(Debug, Default)]
pub(crate) struct Broadcasts {
    waiting: Vec<Publication>,
    /// Whether what comes is gathered.
    holding: bool,
    /// Whether that is for a run's sake alone.
    for_run: bool,
    /// Frames that have left since somebody asked.
    sent: usize,
    /// Whether several messages came during the last broadcast, so that more will during the next.
    stream: bool,
    /// What a frame to one socket takes, milliseconds; unknown where broadcasts are not timed.
    cost: Option<f64>,
}

impl Broadcasts {
    /// Adds a message.
    pub(crate) fn push(&mut self, publication: Publication) {
        self.waiting.push(publication);
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether something waits for this socket.
    pub(crate) fn holds_for(&self, conn: ConnId) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|publication| publication.is_for(conn))
    }

    /// Drops what waits for a socket that is closed; it resumes elsewhere, if at all.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        for publication in &mut self.waiting {
            publication.forget(conn);
        }
    }

    /// Lets everything out, unless it is being gathered or worth it: a `run` is under way, and a
    /// broadcast takes a while.
    pub(crate) fn settle(&mut self, run: bool, sockets: &mut impl Sockets) {
        let patient = self.waiting.iter().all(Publication::is_patient);
        let keeps = if self.holding {
            patient || !self.for_run
        } else {
            patient && run && self.worth() > 0
        };
        if !keeps {
            self.let_out(sockets);
        }
    }

    /// Begins to gather, after something has left or where something was kept; not twice.
    pub(crate) fn hold(&mut self) -> Option<Hold> {
        if self.holding {
            return None;
        }
        let hold = match (self.sent > 0, self.waiting.is_empty()) {
            (true, _) => Hold::Sent,
            (false, true) => return None,
            (false, false) => Hold::Wait(self.worth()),
        };
        self.holding = true;
        self.for_run = hold != Hold::Sent;
        Some(hold)
    }

    /// How long to gather after a broadcast that took `took` milliseconds.
    pub(crate) fn rest(&mut self, took: i64, run: bool) -> i64 {
        let frames = std::mem::take(&mut self.sent).max(1);
        #[allow(clippy::cast_precision_loss, reason = "durations and sockets are few")]
        let cost = took as f64 / frames as f64;
        self.cost = Some(cost);
        self.for_run = run && !self.stream;
        let rest = match (run, self.stream) {
            (true, _) => took.saturating_mul(GATHERING),
            (false, true) => took,
            (false, false) => (took / MOMENT_PART).min(MOMENT_MS),
        };
        rest.clamp(0, MAX_HOLD_MS)
    }

    /// Lets out what was gathered; true when there was something, and gathering goes on.
    pub(crate) fn release(&mut self, sockets: &mut impl Sockets) -> bool {
        self.holding = !self.waiting.is_empty();
        self.stream = self.waiting.len() > 1 && !self.for_run;
        self.for_run = false;
        self.let_out(sockets);
        self.holding
    }

    /// Lets everything out.
    pub(crate) fn let_out(&mut self, sockets: &mut impl Sockets) {
        let waiting = std::mem::take(&mut self.waiting);
        for publications in waiting.chunks(MAX_BATCH) {
            self.sent += send(publications, sockets);
        }
    }

    /// How long it is worth to gather before a broadcast, during a run.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "bounded by the longest hold"
    )]
    fn worth(&self) -> i64 {
        let sockets = self.waiting.iter().map(|it| it.everybody().len()).max();
        let took = self.cost.unwrap_or_default() * sockets.unwrap_or_default() as f64;
        (took.min(MAX_HOLD_MS as f64) as i64)
            .saturating_mul(GATHERING)
            .clamp(0, MAX_HOLD_MS)
    }
}

/// Sends at most [`MAX_BATCH`] messages; says in how many frames.
fn send(publications: &[Publication], sockets: &mut impl Sockets) -> usize {
    let mut frames = 0;
    let mut emit = |to: &[ConnId], frame: &Frame| {
        if !to.is_empty() {
            frames += to.len();
            sockets.send(to, frame);
        }
    };
    if let [single] = publications {
        emit(single.everybody(), single.frame());
        return frames;
    }
    for publication in publications {
        emit(publication.plain(), publication.frame());
    }
    for (to, together) in by_wish(publications) {
        emit(&to, &Frame::together(&together));
    }
    frames
}

/// Those who take several messages a frame, by what they want of these.
fn by_wish(publications: &[Publication]) -> Vec<(Vec<ConnId>, Vec<Frame>)> {
    let frames = || publications.iter().map(|it| it.frame().clone());
    let mut lists = publications.iter().map(Publication::batching);
    if let Some(first) = lists.next()
        && lists.all(|list| list == first)
    {
        // The usual case: nobody filters.
        return vec![(first.to_vec(), frames().collect())];
    }
    // A bit for each message.
    const { assert!(MAX_BATCH <= 128) };
    let mut wishes: BTreeMap<ConnId, u128> = BTreeMap::new();
    for (bit, publication) in publications.iter().enumerate() {
        for conn in publication.batching() {
            *wishes.entry(*conn).or_default() |= 1 << bit;
        }
    }
    let mut alike: BTreeMap<u128, Vec<ConnId>> = BTreeMap::new();
    for (conn, wish) in wishes {
        alike.entry(wish).or_default().push(conn);
    }
    let wanted = |wish: u128| {
        let chosen = frames().enumerate();
        let chosen = chosen.filter(move |(bit, _)| wish & (1 << bit) != 0);
        chosen.map(|(_, frame)| frame).collect()
    };
    let alike = alike.into_iter();
    alike.map(|(wish, to)| (to, wanted(wish))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::close::Close;

    /// What each socket was sent, frame by frame.
    #[derive(Debug, Default)]
    struct Sent(BTreeMap<u64, Vec<String>>);

    impl Sent {
        fn to(&self, conn: u64) -> Vec<&str> {
            let frames = self.0.get(&conn).into_iter().flatten();
            frames.map(String::as_str).collect()
        }
    }

    impl Sockets for Sent {
        fn attached(&self) -> Vec<(ConnId, String)> {
            Vec::new()
        }
        fn send(&mut self, to: &[ConnId], frame: &Frame) {
            for conn in to {
                let frames = self.0.entry(conn.0).or_default();
                frames.push(frame.as_str().to_owned());
            }
        }
        fn burst(&mut self, _: ConnId, _: &[Frame]) {}
        fn attach(&mut self, _: ConnId, _: &str) {}
        fn close(&mut self, _: ConnId, _: Close) {}
        fn auto_respond(&mut self, _: &str) {}
    }

    fn ids(conns: &[u64]) -> Vec<ConnId> {
        conns.iter().copied().map(ConnId).collect()
    }

    /// A message for 1 and 2, who take one a frame, and 3 and 4, who take several.
    fn signal(text: &str) -> Publication {
        let frame = Frame::from(text.to_owned());
        Publication::new(frame, ids(&[1, 2]), &ids(&[3, 4]), true)
    }

    fn decision(text: &str) -> Publication {
        let frame = Frame::from(text.to_owned());
        Publication::new(frame, ids(&[1, 2]), &ids(&[3, 4]), false)
    }

    #[test]
    fn one_message_leaves_at_once_and_alone() {
        let (mut broadcasts, mut sent) = (Broadcasts::default(), Sent::default());
        for text in ["1", "2"] {
            broadcasts.push(signal(text));
            broadcasts.settle(false, &mut sent);
        }
        assert_eq!(sent.to(1), ["1", "2"]);
        assert_eq!(sent.to(4), ["1", "2"]);
        assert!(broadcasts.is_empty());
    }

    #[test]
    fn those_of_one_turn_are_one_frame_for_whoever_takes_it() {
        let (mut broadcasts, mut sent) = (Broadcasts::default(), Sent::default());
        broadcasts.push(signal("1"));
        broadcasts.push(signal("2"));
        broadcasts.settle(false, &mut sent);
        assert_eq!(sent.to(2), ["1", "2"]);
        assert_eq!(sent.to(3), ["[1,2]"]);
    }

    #[test]
    fn what_comes_during_a_broadcast_is_gathered() {
        let (mut broadcasts, mut sent) = (Broadcasts::default(), Sent::default());
        assert_eq!(broadcasts.hold(), None, "nothing has left");
        broadcasts.push(signal("1"));
        broadcasts.settle(false, &mut sent);
        assert_eq!(broadcasts.hold(), Some(Hold::Sent));
        assert_eq!(broadcasts.hold(), None, "not twice");
        for text in ["2", "3"] {
            broadcasts.push(decision(text));
            broadcasts.settle(false, &mut sent);
        }
        assert_eq!(sent.to(3), ["1"]);
        assert_eq!(
            broadcasts.rest(250, false),
            MOMENT_MS,
            "it may have come alone"
        );
        assert!(broadcasts.release(&mut sent));
        assert_eq!(sent.to(3), ["1", "[2,3]"]);
        assert_eq!(broadcasts.rest(250, false), 250, "several came: more will");
        assert!(!broadcasts.release(&mut sent), "nothing came");
        broadcasts.push(signal("4"));
        broadcasts.settle(false, &mut sent);
        assert_eq!(sent.to(3), ["1", "[2,3]", "4"]);
    }

    #[test]
    fn a_short_broadcast_delays_nothing() {
        let (mut broadcasts, mut sent) = (Broadcasts::default(), Sent::default());
        broadcasts.push(signal("1"));
        broadcasts.settle(false, &mut sent);
        assert_eq!(broadcasts.hold(), Some(Hold::Sent));
        assert_eq!(broadcasts.rest(14, false), 0);
        assert_eq!(broadcasts.rest(i64::MAX, true), MAX_HOLD_MS);
        assert_eq!(broadcasts.rest(-5, false), 0, "the clock was set back");
    }

    #[test]
    fn signals_of_a_run_wait_for_each_other_and_no_decision_for_them() {
        let (mut broadcasts, mut sent) = (Broadcasts::default(), Sent::default());
        broadcasts.push(signal("1"));
        broadcasts.settle(true, &mut sent);
        assert_eq!(sent.to(3), ["1"], "it is not known yet what that takes");
        assert_eq!(broadcasts.hold(), Some(Hold::Sent));
        assert_eq!(broadcasts.rest(40, true), 160);
        assert!(!broadcasts.release(&mut sent));

        broadcasts.push(signal("2"));
        broadcasts.settle(true, &mut sent);
        assert_eq!(sent.to(3), ["1"]);
        assert_eq!(broadcasts.hold(), Some(Hold::Wait(160)));
        broadcasts.push(signal("3"));
        broadcasts.settle(true, &mut sent);
        broadcasts.push(decision("4"));
        broadcasts.settle(true, &mut sent);
        assert_eq!(sent.to(3), ["1", "[2,3,4]"]);

        broadcasts.push(signal("5"));
        broadcasts.settle(true, &mut sent);
        assert_eq!(sent.to(3).len(), 2, "the hold goes on");
        assert!(broadcasts.release(&mut sent));
        assert_eq!(sent.to(1), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn a_closed_socket_gets_nothing_more() {
        let (mut broadcasts, mut sent) = (Broadcasts::default(), Sent::default());
        broadcasts.push(signal("1"));
        broadcasts.push(signal("2"));
        for conn in [2, 3, 9] {
            broadcasts.forget(ConnId(conn));
        }
        assert!(broadcasts.holds_for(ConnId(1)) && !broadcasts.holds_for(ConnId(2)));
        broadcasts.settle(false, &mut sent);
        assert_eq!([sent.to(2).len(), sent.to(3).len()], [0, 0]);
        assert_eq!(sent.to(1), ["1", "2"]);
        assert_eq!(sent.to(4), ["[1,2]"]);
    }

    proptest! {
        /// Whatever anybody filters, each gets what it wants, in order and once, and who takes
        /// several messages a frame gets as few frames as there can be.
        #[test]
        fn everybody_gets_what_they_want(
            wanted in prop::collection::vec(prop::collection::vec(any::<bool>(), 8), 0..250),
            forgotten in prop::option::of(0..8_u64),
        ) {
            let (mut broadcasts, mut sent) = (Broadcasts::default(), Sent::default());
            for (n, wants) in wanted.iter().enumerate() {
                let want = |conn: &u64| wants[usize::try_from(*conn).expect("small")];
                let plain: Vec<u64> = (0..4).filter(want).collect();
                let batching: Vec<u64> = (4..8).filter(want).collect();
                let frame = Frame::from(n.to_string());
                broadcasts.push(Publication::new(frame, ids(&plain), &ids(&batching), true));
            }
            if let Some(conn) = forgotten {
                broadcasts.forget(ConnId(conn));
            }
            broadcasts.let_out(&mut sent);
            for conn in 0..8_u64 {
                let wants = |n: &usize| wanted[*n][usize::try_from(conn).expect("small")];
                let mut expected: Vec<usize> = (0..wanted.len()).filter(wants).collect();
                if forgotten == Some(conn) {
                    expected.clear();
                }
                let mut got: Vec<usize> = Vec::new();
                for frame in sent.to(conn) {
                    let text = frame.trim_start_matches('[').trim_end_matches(']');
                    let numbers = text.split(',').map(|n| n.parse::<usize>().expect("a number"));
                    got.extend(numbers);
                }
                prop_assert_eq!(got, expected);
                let most = if conn < 4 { wanted.len() } else { wanted.len().div_ceil(MAX_BATCH) };
                prop_assert!(sent.to(conn).len() <= most);
            }
        }
    }
}
