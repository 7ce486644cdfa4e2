//! The client's half of a WebSocket handshake (RFC 6455 section 4), and the frames it sends.

use std::net::SocketAddr;

use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::frames::Watch;

/// The longest answer to a handshake, bytes.
const LONGEST: usize = 16 * 1024;

/// What all clients of a load do alike.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// Path and query.
    pub path: String,
    /// Sent in `Authorization: Bearer`.
    pub token: Option<String>,
    /// Offered in `Sec-WebSocket-Protocol`; the server must take it.
    pub protocol: Option<&'static str>,
    /// Offers `permessage-deflate`; whether the server takes it is up to it.
    pub deflate: bool,
    /// Sent as one binary frame once the handshake is answered.
    pub greeting: Option<&'static str>,
    /// What is counted.
    pub watch: Watch,
}

/// Why a server's answer to a handshake is none.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another status, or no HTTP at all.
    #[error("the answer is {0:?}")]
    Answer(String),
    /// A header is wrong or missing.
    #[error("the header {0} is wrong or missing")]
    Header(&'static str),
    /// No end of the headers.
    #[error("the headers do not end")]
    Long,
}

/// One client's handshake under way.
#[derive(Debug)]
pub(super) struct Handshake {
    key: String,
    answer: Vec<u8>,
}

impl Handshake {
    pub(super) fn new() -> Self {
        Self {
            key: generate_key(),
            answer: Vec::new(),
        }
    }

    /// The request.
    pub(super) fn request(&self, plan: &Plan) -> Vec<u8> {
        let Plan { address, path, .. } = plan;
        let mut text = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n",
            self.key
        );
        if let Some(token) = &plan.token {
            text += &format!("Authorization: Bearer {token}\r\n");
        }
        if let Some(protocol) = plan.protocol {
            text += &format!("Sec-WebSocket-Protocol: {protocol}\r\n");
        }
        if plan.deflate {
            text += "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        }
        text += "\r\n";
        text.into_bytes()
    }

    /// Takes a piece of the answer; once it is complete and right, what came after it.
    pub(super) fn answered(
        &mut self,
        piece: &[u8],
        plan: &Plan,
    ) -> Result<Option<Vec<u8>>, Refused> {
        self.answer.extend_from_slice(piece);
        let Some(end) = self.answer.windows(4).position(|end| end == b"\r\n\r\n") else {
            return if self.answer.len() > LONGEST {
                Err(Refused::Long)
            } else {
                Ok(None)
            };
        };
        let rest = self.answer.split_off(end + 4);
        let head = String::from_utf8_lossy(&self.answer[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 101") {
            return Err(Refused::Answer(status.to_owned()));
        }
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
        let value = |name: &'static str| {
            let found = headers
                .iter()
                .find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        let accept = derive_accept_key(self.key.as_bytes());
        for (name, wanted) in [
            ("sec-websocket-accept", Some(accept.as_str())),
            ("sec-websocket-protocol", plan.protocol),
        ] {
            if value(name) != wanted {
                return Err(Refused::Header(name));
            }
        }
        if value("sec-websocket-extensions").is_some() && !plan.deflate {
            return Err(Refused::Header("sec-websocket-extensions"));
        }
        Ok(Some(rest))
    }
}

/// A client's frame. Its mask is nought: no proxy on the way could be misled, and a server has the
/// same work with it.
///
/// # Panics
/// From 64 KiB on.
pub(super) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | short as u8),
        long => {
            let length = u16::try_from(long).expect("a client's frame is short");
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frames::{Count, Ready};

    fn plan() -> Plan {
        Plan {
            address: ([127, 0, 0, 1], 8787).into(),
            path: "/ws?topics=city".to_owned(),
            token: Some("abc".to_owned()),
            protocol: Some("signalroom.v1"),
            deflate: false,
            greeting: None,
            watch: Watch {
                ready: Ready::Handshake,
                count: Count::Frames,
            },
        }
    }

    fn answer(handshake: &Handshake, more: &str) -> String {
        let accept = derive_accept_key(handshake.key.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nupgrade: websocket\r\n\
             Sec-Websocket-Accept: {accept}\r\n{more}\r\n"
        )
    }

    #[test]
    fn a_request_says_what_the_plan_says() {
        let text = String::from_utf8(Handshake::new().request(&plan())).unwrap();
        assert!(text.starts_with("GET /ws?topics=city HTTP/1.1\r\nHost: 127.0.0.1:8787\r\n"));
        assert!(text.contains("\r\nAuthorization: Bearer abc\r\n"));
        assert!(text.contains("\r\nSec-WebSocket-Protocol: signalroom.v1\r\n"));
        assert!(!text.contains("Extensions"));
        assert!(text.ends_with("\r\n\r\n"));
        let bare = Plan {
            token: None,
            protocol: None,
            deflate: true,
            ..plan()
        };
        let text = String::from_utf8(Handshake::new().request(&bare)).unwrap();
        assert!(text.contains("permessage-deflate"));
        assert!(!text.contains("Bearer") && !text.contains("Protocol:"));
    }

    #[test]
    fn an_answer_is_read_in_pieces_and_what_follows_is_kept() {
        let mut handshake = Handshake::new();
        let text = answer(&handshake, "sec-websocket-protocol: signalroom.v1\r\n");
        let (first, last) = text.split_at(text.len() - 2);
        assert_eq!(handshake.answered(first.as_bytes(), &plan()).unwrap(), None);
        let last = [last.as_bytes(), &[0x81, 0]].concat();
        let rest = handshake.answered(&last, &plan()).unwrap();
        assert_eq!(rest, Some(vec![0x81, 0]));
    }

    #[test]
    fn wrong_answers_are_refused() {
        let refused = |text: &dyn Fn(&Handshake) -> String| {
            let mut handshake = Handshake::new();
            let text = text(&handshake);
            let answered = handshake.answered(text.as_bytes(), &plan());
            answered.expect_err("a refusal").to_string()
        };
        let protocol = "sec-websocket-protocol: signalroom.v1\r\n";
        let got = refused(&|_| "HTTP/1.1 401 Unauthorized\r\n\r\n".to_owned());
        assert!(got.contains("401"), "{got}");
        let got = refused(&|_| answer(&Handshake::new(), protocol));
        assert!(got.contains("accept"), "{got}");
        let got = refused(&|handshake| answer(handshake, ""));
        assert!(got.contains("protocol"), "{got}");
        let deflate = format!("{protocol}sec-websocket-extensions: permessage-deflate\r\n");
        let got = refused(&|handshake| answer(handshake, &deflate));
        assert!(got.contains("extensions"), "{got}");
        assert!(refused(&|_| "x".repeat(LONGEST + 1)).contains("do not end"));
    }

    #[test]
    fn frames_of_a_client_are_masked() {
        assert_eq!(frame(1, b"ping"), *b"\x81\x84\0\0\0\0ping");
        let long = frame(2, &[7; 300]);
        assert_eq!(long[..8], [0x82, 0x80 | 126, 1, 44, 0, 0, 0, 0]);
        assert_eq!(long.len(), 308);
    }
}
