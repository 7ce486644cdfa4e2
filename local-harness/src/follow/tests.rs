//! The rules of the client, one by one.

use std::time::Duration;

use serde_json::{Value, json};
use signalroom_core::time::Millis;

use super::{Cause, Failed, Follower, Input, Output, Pace, Position, Reason, is_final};

fn at(epoch: &str, seq: i64) -> Position {
    Position {
        epoch: epoch.to_owned(),
        seq,
    }
}

fn welcome(epoch: &str, seq: i64) -> String {
    let data = json!({"connection_id": "c", "epoch": epoch, "seq": seq,
        "ping_interval_ms": 1000, "reconnect_window_ms": 2000});
    json!({"type": "welcome", "data": data}).to_string()
}

fn snapshot() -> String {
    json!({"type": "snapshot", "data": {"signals": [], "city": null}}).to_string()
}

fn resumed(recovered: bool) -> String {
    json!({"type": "resumed", "data": {"recovered": recovered, "count": 0}}).to_string()
}

fn event(seq: i64) -> Value {
    json!({"type": "new_signal", "data": {"symbol": "A"}, "timestamp": "t", "seq": seq})
}

fn bare_pong(epoch: &str, seq: i64) -> String {
    json!({"type": "pong", "data": {"epoch": epoch, "seq": seq}}).to_string()
}

fn pong(epoch: &str, seq: i64) -> String {
    let data = json!({"timestamp": "t", "echo": 1, "epoch": epoch, "seq": seq});
    json!({"type": "pong", "data": data, "timestamp": "t"}).to_string()
}

/// A follower with a clock that the test turns.
struct Desk {
    follower: Follower,
    now: Millis,
}

impl Desk {
    fn new(position: Option<Position>) -> Self {
        Self {
            follower: Follower::new(position),
            now: Millis(0),
        }
    }

    /// Connected, at `e`/5.
    fn placed() -> Self {
        let mut desk = Self::new(None);
        desk.open();
        desk.text(&welcome("e", 5));
        desk.text(&snapshot());
        desk
    }

    fn put(&mut self, input: Input<'_>) -> Vec<Output> {
        self.follower.handle(input, self.now, 0.5)
    }

    fn text(&mut self, text: &str) -> Vec<Output> {
        self.put(Input::Text(text))
    }

    fn open(&mut self) -> Option<Position> {
        let outputs = self.put(Input::Tick);
        let [Output::Connect { resume }, Output::WaitUntil(_)] = &outputs[..] else {
            panic!("{outputs:?}");
        };
        self.put(Input::Opened);
        resume.clone()
    }

    fn after(&mut self, millis: i64) -> Vec<Output> {
        self.now = self.now.plus(millis);
        self.put(Input::Tick)
    }

    /// Loses the connection; how long until the next connect.
    fn lose(&mut self, code: Option<u16>) -> i64 {
        let outputs = self.put(Input::Closed(code));
        let Some(Output::WaitUntil(until)) = outputs.last() else {
            panic!("{outputs:?}");
        };
        let wait = until.0 - self.now.0;
        self.now = *until;
        wait
    }
}

/// The sequence numbers handed out, and the positions reached.
fn handed(outputs: &[Output]) -> (Vec<i64>, Vec<i64>) {
    let seqs = outputs.iter().filter_map(|output| match output {
        Output::Deliver(message) => message.seq,
        _ => None,
    });
    let reached = outputs.iter().filter_map(|output| match output {
        Output::Reached(position) => Some(position.seq),
        _ => None,
    });
    (seqs.collect(), reached.collect())
}

#[test]
fn the_position_is_what_was_handed_out() {
    let mut desk = Desk::new(None);
    assert_eq!(desk.open(), None);
    desk.text(&welcome("e", 5));
    assert_eq!(desk.follower.position(), None);
    desk.text(&snapshot());
    assert_eq!(desk.follower.position(), Some(&at("e", 5)));
    let frame = json!([event(6), event(8)]).to_string();
    assert_eq!(handed(&desk.text(&frame)), (vec![6, 8], vec![6, 8]));

    desk.lose(None);
    assert_eq!(desk.open(), Some(at("e", 8)));
    desk.text(&welcome("e", 12));
    assert_eq!(desk.follower.position(), Some(&at("e", 8)));
    // What came before is told once.
    let frame = json!([event(8), event(9)]).to_string();
    assert_eq!(handed(&desk.text(&frame)), (vec![9], vec![9]));
    assert_eq!(handed(&desk.text(&resumed(true))), (vec![], vec![12]));
    assert_eq!(handed(&desk.text(&event(12).to_string())), (vec![], vec![]));
    assert_eq!(
        handed(&desk.text(&event(13).to_string())),
        (vec![13], vec![13])
    );
}

#[test]
fn a_snapshot_replaces_the_position_even_by_a_lower_one() {
    for (epoch, top) in [("f", 1), ("e", 3), ("e", 900)] {
        let mut desk = Desk::new(Some(at("e", 5)));
        assert_eq!(desk.open(), Some(at("e", 5)));
        desk.text(&welcome(epoch, top));
        desk.text(&resumed(false));
        assert_eq!(desk.follower.position(), Some(&at("e", 5)));
        desk.text(&snapshot());
        assert_eq!(desk.follower.position(), Some(&at(epoch, top)));
        let next = event(top + 1).to_string();
        assert_eq!(handed(&desk.text(&next)), (vec![top + 1], vec![top + 1]));
    }
}

#[test]
fn a_pong_ahead_is_asked_about_once_and_its_answer_is_the_position() {
    let mut desk = Desk::placed();
    let quiet = desk.text(&bare_pong("e", 5));
    assert!(matches!(quiet[..], [Output::WaitUntil(_)]), "{quiet:?}");
    let asked = desk.text(&bare_pong("e", 7));
    assert!(
        matches!(&asked[..], [Output::Send(text), _] if text.contains("\"ping\"")),
        "{asked:?}"
    );
    let again = desk.text(&bare_pong("e", 8));
    assert!(matches!(again[..], [Output::WaitUntil(_)]), "{again:?}");
    assert_eq!(handed(&desk.text(&pong("e", 8))), (vec![], vec![8]));
}

#[test]
fn without_an_answer_or_any_sound_it_leaves_and_resumes() {
    let mut desk = Desk::placed();
    desk.text(&bare_pong("e", 7));
    for _ in 0..4 {
        assert_eq!(desk.after(1000)[0], Output::Send("ping".to_owned()));
        desk.text(&bare_pong("e", 7));
    }
    let left = desk.after(1000);
    assert_eq!(left[0], Output::Close);
    assert!(matches!(
        left[1],
        Output::Lost {
            cause: Cause::Unanswered,
            ..
        }
    ));

    let mut desk = Desk::placed();
    desk.after(1000);
    desk.after(1000);
    let left = desk.after(1000);
    assert_eq!(left[0], Output::Close);
    desk.now = desk.now.plus(60_000);
    assert_eq!(desk.open(), Some(at("e", 5)));

    let mut desk = Desk::placed();
    assert_eq!(desk.text(&bare_pong("f", 7))[0], Output::Close);
    let mut desk = Desk::placed();
    assert_eq!(desk.text("hello")[0], Output::Close);
}

#[test]
fn one_rule_for_close_codes() {
    for code in [1000, 1009, 4500, 4501, 4503, 4999] {
        assert!(is_final(code), "{code}");
        let mut desk = Desk::placed();
        assert_eq!(
            desk.put(Input::Closed(Some(code))),
            [Output::Stop(Reason::Closed(code))]
        );
        assert_eq!(desk.after(1_000_000), []);
    }
    for code in [1001, 1006, 1011, 1012, 4001, 4008, 4012, 4029, 4499, 5000] {
        assert!(!is_final(code), "{code}");
    }
    assert_eq!(Desk::placed().lose(Some(1012)), 1000);
}

#[test]
fn comes_back_over_the_window_then_ever_more_slowly() {
    let pace = Pace::default();
    let window = Duration::from_secs(4);
    assert_eq!(pace.wait(0, window, 0.5), Duration::from_secs(2));
    assert_eq!(pace.wait(0, Duration::MAX, 0.5), Duration::from_secs(30));
    assert_eq!(pace.wait(1, window, 0.0), Duration::from_secs(3));
    assert_eq!(pace.wait(1, window, 1.0), Duration::from_secs(6));
    assert_eq!(pace.wait(u32::MAX, window, 1.0), Duration::from_secs(60));

    let mut desk = Desk::placed();
    let waits: Vec<i64> = (0..3)
        .map(|_| {
            let wait = desk.lose(None);
            desk.open();
            desk.text(&welcome("e", 5));
            desk.text(&resumed(true));
            wait
        })
        .collect();
    assert_eq!(waits, [1000, 4500, 7500]);
    desk.now = desk.now.plus(10_000);
    assert_eq!(desk.lose(None), 1000, "it was well");
}

#[test]
fn a_refused_token_is_renewed_once_then_the_user_signs_in() {
    for unknown in [false, true] {
        let mut desk = Desk::new(None);
        let refuse = |desk: &mut Desk| {
            if unknown {
                let asked = desk.put(Input::Failed(Failed::Unknown));
                assert_eq!(asked[0], Output::CheckToken);
                desk.put(Input::Checked(Some(401)))
            } else {
                desk.put(Input::Failed(Failed::Status(401)))
            }
        };
        desk.put(Input::Tick);
        assert_eq!(refuse(&mut desk)[0], Output::FreshToken);
        assert_eq!(desk.after(100_000), [], "no connect without a token");
        let fresh = desk.put(Input::Token("new"));
        assert!(matches!(fresh[0], Output::Connect { .. }), "{fresh:?}");
        assert_eq!(refuse(&mut desk), [Output::Stop(Reason::SignIn)]);
    }
    // A fresh token that nobody was there to look at may have ended before somebody was.
    let mut desk = Desk::new(None);
    desk.put(Input::Tick);
    desk.put(Input::Failed(Failed::Status(401)));
    desk.put(Input::Token("new"));
    desk.after(100_000);
    desk.put(Input::Failed(Failed::Unreachable));
    desk.after(100_000);
    let refused = desk.put(Input::Failed(Failed::Status(401)));
    assert_eq!(refused[0], Output::FreshToken);
    let mut desk = Desk::new(None);
    desk.put(Input::Tick);
    desk.put(Input::Failed(Failed::Status(401)));
    assert_eq!(desk.put(Input::NoToken), [Output::Stop(Reason::SignIn)]);
}

#[test]
fn other_refusals_stop_and_other_failures_come_back() {
    for status in [400, 403, 404, 422, 426] {
        let mut desk = Desk::new(None);
        desk.put(Input::Tick);
        assert_eq!(
            desk.put(Input::Failed(Failed::Status(status))),
            [Output::Stop(Reason::Refused(status))]
        );
    }
    for failed in [
        Failed::Status(429),
        Failed::Status(503),
        Failed::Unreachable,
    ] {
        let mut desk = Desk::new(None);
        desk.put(Input::Tick);
        let outputs = desk.put(Input::Failed(failed));
        assert!(
            matches!(outputs[..], [Output::Lost { .. }, Output::WaitUntil(_)]),
            "{outputs:?}"
        );
    }
    let mut desk = Desk::new(None);
    desk.put(Input::Tick);
    desk.put(Input::Failed(Failed::Unknown));
    let outputs = desk.put(Input::Checked(Some(200)));
    assert!(matches!(outputs[0], Output::Lost { .. }), "{outputs:?}");
}

#[test]
fn a_token_is_replaced_before_and_after_it_expires() {
    let mut desk = Desk::placed();
    let expiring = json!({"type": "token_expiring", "data": {"expires_at": "t"}}).to_string();
    assert_eq!(desk.text(&expiring)[0], Output::FreshToken);
    let sent = desk.put(Input::Token("new"));
    let Output::Send(text) = &sent[0] else {
        panic!("{sent:?}");
    };
    let message: Value = serde_json::from_str(text).unwrap();
    assert_eq!(
        message,
        json!({"type": "authenticate", "data": {"token": "new"}})
    );

    desk.text(&expiring);
    let outputs = desk.put(Input::NoToken);
    assert!(matches!(outputs[..], [Output::WaitUntil(_)]), "{outputs:?}");
    let outputs = desk.put(Input::Closed(Some(4001)));
    assert_eq!(outputs[0], Output::FreshToken);
    assert!(matches!(outputs[1..], [Output::Lost { .. }]), "{outputs:?}");
    let outputs = desk.put(Input::Token("newer"));
    assert!(matches!(outputs[..], [Output::WaitUntil(_)]), "{outputs:?}");
    desk.now = desk.now.plus(60_000);
    assert_eq!(desk.open(), Some(at("e", 5)));
}

#[test]
fn a_connect_or_a_check_without_an_end_is_given_up() {
    let mut desk = Desk::new(None);
    desk.put(Input::Tick);
    let outputs = desk.after(15_000);
    assert_eq!(outputs[0], Output::Close);
    desk.now = desk.now.plus(60_000);
    desk.put(Input::Tick);
    desk.put(Input::Failed(Failed::Unknown));
    let outputs = desk.after(15_000);
    assert!(matches!(outputs[0], Output::Lost { .. }), "{outputs:?}");
}
