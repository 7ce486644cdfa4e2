//! WebSocket frames of a server as they travel (RFC 6455 section 5.2): built once, written as they
//! are to every socket.

use bytes::Bytes;

/// The last frame of a message, of text.
const TEXT: u8 = 0x81;

/// Largest payload whose length fits the second byte.
const SHORT: usize = 125;

/// One text message.
pub(super) fn text(message: &str) -> Bytes {
    texts(&[message])
}

/// Several text messages, a frame each, in one piece.
pub(super) fn texts(messages: &[&str]) -> Bytes {
    // A header takes at most ten bytes.
    let bytes: usize = messages.iter().map(|message| message.len() + 10).sum();
    let mut frames = Vec::with_capacity(bytes);
    for message in messages {
        frames.push(TEXT);
        let length = message.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if length <= SHORT => frames.push(short),
            (_, Ok(length)) => {
                frames.push(126);
                frames.extend(length.to_be_bytes());
            }
            _ => {
                frames.push(127);
                frames.extend((length as u64).to_be_bytes());
            }
        }
        frames.extend_from_slice(message.as_bytes());
    }
    frames.into()
}

/// Where the frame ends that byte `at` is part of, in a piece of whole frames. A frame whose first
/// byte is at `at` has not begun: it ends there.
pub(super) fn end_of_current(frames: &[u8], at: usize) -> usize {
    let mut end = 0;
    while end < at {
        let Some(frame) = frames.get(end..).and_then(length) else {
            // Not made here: nothing is known of where it ends.
            return frames.len();
        };
        end = end.saturating_add(frame);
    }
    end.min(frames.len())
}

/// How long the frame is that these bytes begin with, its header included.
fn length(bytes: &[u8]) -> Option<usize> {
    match *bytes.get(1)? {
        126 => {
            let (length, _) = bytes.get(2..)?.split_first_chunk()?;
            Some(4 + usize::from(u16::from_be_bytes(*length)))
        }
        127 => {
            let (length, _) = bytes.get(2..)?.split_first_chunk()?;
            usize::try_from(u64::from_be_bytes(*length))
                .ok()?
                .checked_add(10)
        }
        short => Some(2 + usize::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};

    use super::*;

    const LENGTHS: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 70_000];

    #[test]
    fn another_implementation_reads_what_is_written() {
        let messages = LENGTHS.map(|length| "é".repeat(length / 2) + &"x".repeat(length % 2));
        let each: Vec<&str> = messages.iter().map(String::as_str).collect();
        let frames = texts(&each);
        let stream = std::io::Cursor::new(frames.to_vec());
        let mut client = WebSocket::from_raw_socket(stream, Role::Client, None);
        for message in &messages {
            let read = client.read().expect("a message");
            assert!(read == Message::text(message), "{} bytes", message.len());
        }
    }

    #[test]
    fn a_frame_that_has_begun_is_found_by_any_byte_of_it() {
        let messages = LENGTHS.map(|length| "x".repeat(length));
        let each: Vec<&str> = messages.iter().map(String::as_str).collect();
        let frames = texts(&each);
        let mut begin = 0;
        for message in &each {
            let end = begin + text(message).len();
            assert_eq!(end_of_current(&frames, begin), begin);
            for at in [begin + 1, begin + 2, (begin + end) / 2, end - 1, end] {
                let at = at.clamp(begin + 1, end);
                assert_eq!(end_of_current(&frames, at), end, "byte {at}");
            }
            begin = end;
        }
        assert_eq!(begin, frames.len());
    }
}
