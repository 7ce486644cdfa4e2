//! What a client of the socket has to remember: where it is in the log, and when to come back.
//!
//! Pure: messages go in, what to print and to do comes out.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

/// Close codes that mean: do not come back.
const FINAL: [RangeInclusive<u16>; 3] = [1000..=1000, 1009..=1009, 4500..=4999];

/// Shortest and longest wait of the exponential backoff, seconds.
const BACKOFF: (f64, f64) = (3.0, 60.0);

/// Whether a close code forbids to come back.
pub(super) fn is_final(code: u16) -> bool {
    FINAL.iter().any(|codes| codes.contains(&code))
}

/// How long to wait before connecting for the `attempt`-th time (0 is the first since the socket
/// was well). `jitter` is random in [0, 1).
pub(super) fn wait(attempt: u32, window: Duration, jitter: f64) -> Duration {
    if attempt == 0 {
        return window.mul_f64(jitter);
    }
    let (least, most) = BACKOFF;
    let reach = (least * 2f64.powi(attempt.min(10) as i32)).min(most);
    Duration::from_secs_f64(least + (reach - least) * jitter)
}

/// A place in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) epoch: String,
    pub(super) seq: i64,
}

impl Position {
    fn of(data: &Value) -> Option<Self> {
        let epoch = data["epoch"].as_str()?.to_owned();
        Some(Self {
            epoch,
            seq: data["seq"].as_i64()?,
        })
    }
}

/// What a message asks for beside being printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Todo {
    Nothing,
    /// The log is ahead of what came: ask with a JSON ping.
    Ask,
    /// It answered: what is behind was hidden by a filter.
    Answered,
    /// It follows another log: connect anew.
    Reconnect,
}

/// The state that outlives a connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Where to resume.
    pub(super) position: Option<Position>,
    /// What the server said first on this connection.
    welcome: Option<Position>,
    pub(super) ping_interval: Duration,
    pub(super) reconnect_window: Duration,
}

impl Session {
    pub(super) fn new() -> Self {
        Self {
            position: None,
            welcome: None,
            ping_interval: Duration::from_secs(15),
            reconnect_window: Duration::from_secs(5),
        }
    }

    /// Takes note of a message.
    pub(super) fn hear(&mut self, message: &Value) -> Todo {
        let data = &message["data"];
        if let (Some(seq), Some(position)) = (message["seq"].as_i64(), &mut self.position) {
            position.seq = seq;
        }
        match message["type"].as_str() {
            Some("welcome") => {
                self.welcome = Position::of(data);
                let millis = |name: &str| data[name].as_u64().map(Duration::from_millis);
                self.ping_interval = millis("ping_interval_ms").unwrap_or(self.ping_interval);
                self.reconnect_window =
                    millis("reconnect_window_ms").unwrap_or(self.reconnect_window);
            }
            // Only now is everything here that the welcome counted.
            Some("snapshot") => self.position = self.welcome.clone(),
            Some("resumed") if data["recovered"] == true => self.position = self.welcome.clone(),
            Some("pong") => return self.pong(data),
            _ => {}
        }
        Todo::Nothing
    }

    fn pong(&mut self, data: &Value) -> Todo {
        let (Some(top), Some(position)) = (Position::of(data), &mut self.position) else {
            return Todo::Nothing;
        };
        if top.epoch != position.epoch {
            return Todo::Reconnect;
        }
        // Only the answer to a JSON ping has a time; it comes in order with the events.
        if data.get("timestamp").is_some() {
            position.seq = position.seq.max(top.seq);
            return Todo::Answered;
        }
        if top.seq > position.seq {
            Todo::Ask
        } else {
            Todo::Nothing
        }
    }
}

/// A message in lines for people; none for what only programs want to know.
pub(super) fn lines(message: &Value) -> Vec<String> {
    let data = &message["data"];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let at = text(&message["timestamp"]);
    match message["type"].as_str() {
        Some("snapshot") => {
            let signals = data["signals"].as_array().into_iter().flatten();
            signals
                .map(|signal| format!("{at}  now       {}", signal_line(signal)))
                .collect()
        }
        Some("new_signal") => vec![format!("{at}  signal    {}", signal_line(data))],
        Some("approval_notification") => {
            let note = data["note"]
                .as_str()
                .map(|note| format!("  {note:?}"))
                .unwrap_or_default();
            vec![format!(
                "{at}  approval  {:<8} {:<8} by {}  {}{note}",
                text(&data["symbol"]),
                text(&data["approved_status"]),
                text(&data["approved_by"]),
                text(&data["signal_id"]),
            )]
        }
        Some("city_state_update") => {
            vec![format!(
                "{at}  city      {}  {}",
                text(&data["city_state"]),
                text(&data["notes"])
            )]
        }
        Some("error") => {
            vec![format!(
                "{at}  error     {}: {}",
                text(&data["code"]),
                text(&data["message"])
            )]
        }
        Some("resumed") => {
            let how = if data["recovered"] == true {
                "resumed"
            } else {
                "too much was missed"
            };
            vec![format!("{at}  {how}, {} events", data["count"])]
        }
        _ => Vec::new(),
    }
}

fn signal_line(signal: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!(
        "{:<8} {:<8} trust {:.3}  {}  {}",
        text(&signal["symbol"]),
        text(&signal["recommendation"]["suggested"]),
        signal["combined_trust"].as_f64().unwrap_or_default(),
        text(&signal["status"]),
        text(&signal["id"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(epoch: &str, seq: i64) -> Option<Position> {
        Some(Position {
            epoch: epoch.to_owned(),
            seq,
        })
    }

    fn pong(epoch: &str, seq: i64) -> Value {
        json!({"type": "pong", "data": {"epoch": epoch, "seq": seq}})
    }

    fn connected() -> Session {
        let mut session = Session::new();
        session.hear(&json!({"type": "welcome", "data": {"epoch": "e", "seq": 5,
            "ping_interval_ms": 1000, "reconnect_window_ms": 2000}}));
        assert_eq!(session.position, None);
        session.hear(&json!({"type": "snapshot", "data": {"signals": []}}));
        session
    }

    #[test]
    fn the_position_is_what_has_come() {
        let mut session = connected();
        assert_eq!(session.position, at("e", 5));
        assert_eq!(session.ping_interval, Duration::from_secs(1));
        session.hear(&json!({"type": "new_signal", "seq": 7, "data": {}}));
        assert_eq!(session.position, at("e", 7));

        session.hear(&json!({"type": "welcome", "data": {"epoch": "e", "seq": 9}}));
        assert_eq!(
            session.position,
            at("e", 7),
            "what was missed has not come yet"
        );
        session.hear(&json!({"type": "new_signal", "seq": 8, "data": {}}));
        session.hear(&json!({"type": "resumed", "data": {"recovered": true, "count": 1}}));
        assert_eq!(session.position, at("e", 9));

        session.hear(&json!({"type": "welcome", "data": {"epoch": "f", "seq": 1}}));
        session.hear(&json!({"type": "resumed", "data": {"recovered": false, "count": 0}}));
        assert_eq!(session.position, at("e", 9));
        session.hear(&json!({"type": "snapshot", "data": {"signals": []}}));
        assert_eq!(session.position, at("f", 1));
    }

    #[test]
    fn a_pong_ahead_is_asked_about_and_another_log_is_left() {
        let mut session = connected();
        assert_eq!(session.hear(&pong("e", 5)), Todo::Nothing);
        assert_eq!(session.hear(&pong("e", 6)), Todo::Ask);
        let answer = json!({"type": "pong", "data": {"epoch": "e", "seq": 6, "timestamp": "t"}});
        assert_eq!(session.hear(&answer), Todo::Answered);
        assert_eq!(session.hear(&pong("e", 6)), Todo::Nothing);
        assert_eq!(session.hear(&pong("f", 6)), Todo::Reconnect);
    }

    #[test]
    fn comes_back_unless_told_not_to() {
        for code in [1000, 1009, 4500, 4999] {
            assert!(is_final(code), "{code}");
        }
        for code in [1001, 1006, 1011, 1012, 4001, 4499, 5000] {
            assert!(!is_final(code), "{code}");
        }
        let window = Duration::from_secs(4);
        assert_eq!(wait(0, window, 0.5), Duration::from_secs(2));
        assert_eq!(wait(1, window, 0.0), Duration::from_secs(3));
        assert!(wait(1, window, 0.99) < Duration::from_secs(6));
        assert!(wait(99, window, 0.99) <= Duration::from_secs(60));
    }
}
