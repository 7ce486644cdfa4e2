//! Messages as lines: for people, and for programs.

use serde_json::Value;
use signalroom_harness::follow::Message;

/// A message as it came, with the epoch of its log: with `seq` an event's identity for ever.
pub(super) fn json(message: &Message) -> String {
    match (&message.epoch, message.text.trim().strip_prefix('{')) {
        (Some(epoch), Some(rest)) => format!("{{\"epoch\":{},{rest}", Value::from(epoch.as_str())),
        _ => message.text.clone(),
    }
}

/// A message in lines for people; none for what only programs want to know.
pub(super) fn lines(message: &Message) -> Vec<String> {
    let data = &message.data;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let at = message.timestamp.as_deref().unwrap_or("-");
    match message.kind.as_str() {
        "snapshot" => {
            let signals = data["signals"].as_array().into_iter().flatten();
            signals
                .map(|signal| format!("{at}  now       {}", signal_line(signal)))
                .collect()
        }
        "new_signal" => vec![format!("{at}  signal    {}", signal_line(data))],
        "approval_notification" => {
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
        "city_state_update" => {
            vec![format!(
                "{at}  city      {}  {}",
                text(&data["city_state"]),
                text(&data["notes"])
            )]
        }
        "error" => {
            vec![format!(
                "{at}  error     {}: {}",
                text(&data["code"]),
                text(&data["message"])
            )]
        }
        "resumed" => {
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

    #[test]
    fn a_line_for_programs_names_the_log() {
        let message = Message {
            kind: "new_signal".to_owned(),
            data: Value::Null,
            timestamp: None,
            epoch: Some("e".to_owned()),
            seq: Some(7),
            text: r#"{"type":"new_signal","data":{"x":0.10},"seq":7}"#.to_owned(),
        };
        assert_eq!(
            json(&message),
            r#"{"epoch":"e","type":"new_signal","data":{"x":0.10},"seq":7}"#
        );
    }
}
