//! Counts messages in the bytes of a WebSocket server (RFC 6455 section 5.2): headers are read,
//! payloads are searched for a marker, and nothing is kept but what a marker may begin with.

use memchr::memmem::Finder;

/// The longest text that can be searched for, bytes.
const LONGEST: usize = 32;
/// The longest payload of a control frame, bytes.
const LONGEST_CONTROL: u64 = 125;

/// A text to be found in payloads.
#[derive(Debug, Clone)]
pub struct Needle(Box<Finder<'static>>);

impl Needle {
    /// A text of 1 to 32 bytes.
    ///
    /// # Panics
    /// When it is empty or longer.
    pub fn new(text: &str) -> Self {
        assert!((1..=LONGEST).contains(&text.len()), "1 to 32 bytes");
        Self(Box::new(Finder::new(text.as_bytes()).into_owned()))
    }

    fn len(&self) -> usize {
        self.0.needle().len()
    }
}

/// When a socket is open for its user.
#[derive(Debug, Clone)]
pub enum Ready {
    /// Once the handshake is answered.
    Handshake,
    /// After so many data frames.
    Frames(u32),
    /// Once this text came.
    Text(Needle),
}

/// What counts as a message, once a socket is ready.
#[derive(Debug, Clone)]
pub enum Count {
    /// A data frame, compressed or not.
    Frames,
    /// Every occurrence of this text: several messages may share a frame, and in binary frames
    /// one may span two.
    Text(Needle),
}

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Watch {
    /// When a socket is open for its user.
    pub ready: Ready,
    /// What counts from then on.
    pub count: Count,
}

/// What a server may not send, or cannot be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Section 5.1: a server does not mask.
    #[error("a masked frame")]
    Masked,
    /// Section 5.5.
    #[error("a control frame in pieces, or of more than 125 bytes")]
    Control,
    /// A text cannot be seen in it.
    #[error("a compressed frame where texts are counted")]
    Compressed,
}

/// What a server says beside its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// The server says goodbye, with this code if it named one.
    Close(Option<u16>),
    /// The server wants this back in a pong.
    Ping(Vec<u8>),
}

/// The state of one connection's frames.
#[derive(Debug, Default)]
pub struct Frames {
    head: [u8; 10],
    /// How much of the header is there.
    have: usize,
    /// How much of the payload is still to come.
    left: u64,
    /// The message that is under way is binary.
    binary: bool,
    /// What a marker may begin with: the end of what was searched.
    tail: [u8; LONGEST],
    kept: usize,
    control: Vec<u8>,
    data_frames: u32,
    ready: bool,
    messages: u64,
}

impl Frames {
    /// Whether the socket is open for its user.
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// How many messages have come since it was ready.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Takes what was read, the first time possibly nothing; hands control frames to `control`.
    ///
    /// # Errors
    /// [`Broken`], after which nothing can be counted any more.
    pub fn take(
        &mut self,
        mut bytes: &[u8],
        watch: &Watch,
        mut control: impl FnMut(Control),
    ) -> Result<(), Broken> {
        self.ready |= matches!(watch.ready, Ready::Handshake | Ready::Frames(0));
        loop {
            if self.have < self.wanted() {
                if bytes.is_empty() {
                    return Ok(());
                }
                bytes = self.header(bytes, watch)?;
                if self.have < self.wanted() {
                    continue;
                }
            }
            // A whole header is there: the payload, or the next piece of it.
            let size = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            let (piece, rest) = bytes.split_at(size);
            self.left -= size as u64;
            let ends = self.left == 0;
            if self.opcode() < 8 {
                self.data(piece, ends, watch);
            } else {
                self.control.extend_from_slice(piece);
                if ends {
                    self.told(&mut control);
                }
            }
            if !ends {
                return Ok(());
            }
            self.have = 0;
            bytes = rest;
        }
    }

    fn opcode(&self) -> u8 {
        self.head[0] & 15
    }

    fn is_final(&self) -> bool {
        self.head[0] & 0x80 != 0
    }

    /// The length of the header, as far as it is known.
    fn wanted(&self) -> usize {
        match self.head[1] & 127 {
            _ if self.have < 2 => 2,
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    /// Takes bytes of a header; what is left over belongs to the payload, or is empty.
    fn header<'a>(&mut self, bytes: &'a [u8], watch: &Watch) -> Result<&'a [u8], Broken> {
        let size = (self.wanted() - self.have).min(bytes.len());
        let (piece, rest) = bytes.split_at(size);
        self.head[self.have..self.have + size].copy_from_slice(piece);
        self.have += size;
        if self.have < self.wanted() {
            return Ok(rest);
        }
        let [first, second, a, b, ..] = self.head;
        if second & 0x80 != 0 {
            return Err(Broken::Masked);
        }
        self.left = match second & 127 {
            126 => u64::from(u16::from_be_bytes([a, b])),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&self.head[2..]);
                u64::from_be_bytes(length)
            }
            short => u64::from(short),
        };
        match self.opcode() {
            8.. if !self.is_final() || self.left > LONGEST_CONTROL => return Err(Broken::Control),
            8.. => {}
            opcode => {
                if first & 0x40 != 0
                    && (matches!(watch.count, Count::Text(_))
                        || (!self.ready && matches!(watch.ready, Ready::Text(_))))
                {
                    return Err(Broken::Compressed);
                }
                if opcode != 0 {
                    self.binary = opcode == 2;
                }
            }
        }
        Ok(rest)
    }

    fn data(&mut self, mut piece: &[u8], ends: bool, watch: &Watch) {
        if !self.ready
            && let Ready::Text(needle) = &watch.ready
        {
            match self.find(needle, piece) {
                Some(end) => {
                    self.ready = true;
                    piece = &piece[end..];
                }
                None => piece = &[],
            }
        }
        let counts = self.ready;
        if counts && let Count::Text(needle) = &watch.count {
            while let Some(end) = self.find(needle, piece) {
                self.messages += 1;
                piece = &piece[end..];
            }
        }
        if !(ends && self.is_final()) {
            return;
        }
        if !self.binary {
            // A message in text ends here; a stream in binary frames runs on.
            self.kept = 0;
        }
        if counts && matches!(watch.count, Count::Frames) {
            self.messages += 1;
        }
        self.data_frames = self.data_frames.saturating_add(1);
        if let Ready::Frames(wanted) = watch.ready {
            self.ready |= self.data_frames >= wanted;
        }
    }

    /// Where in `piece` the first `needle` ends, one that began before it included.
    fn find(&mut self, needle: &Needle, piece: &[u8]) -> Option<usize> {
        let more = needle.len() - 1;
        if self.kept > 0 {
            let mut joined = [0; 2 * LONGEST];
            let begun = piece.len().min(more);
            joined[..self.kept].copy_from_slice(&self.tail[..self.kept]);
            joined[self.kept..self.kept + begun].copy_from_slice(&piece[..begun]);
            if let Some(at) = needle.0.find(&joined[..self.kept + begun]) {
                // More than the kept bytes are needed for it, so it ends in the piece.
                let end = at + needle.len() - self.kept;
                self.kept = 0;
                return Some(end);
            }
            if piece.len() < more {
                let all = self.kept + begun;
                let from = all.saturating_sub(more);
                self.kept = all - from;
                self.tail[..self.kept].copy_from_slice(&joined[from..all]);
                return None;
            }
        }
        if let Some(at) = needle.0.find(piece) {
            self.kept = 0;
            return Some(at + needle.len());
        }
        self.kept = piece.len().min(more);
        self.tail[..self.kept].copy_from_slice(&piece[piece.len() - self.kept..]);
        None
    }

    fn told(&mut self, control: &mut impl FnMut(Control)) {
        let payload = std::mem::take(&mut self.control);
        match self.opcode() {
            8 => {
                let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                control(Control::Close(code));
            }
            9 => control(Control::Ping(payload)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "\"type\":\"new_signal\"";

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..=125 => frame.push(short as u8),
            middle @ 126..=0xffff => {
                frame.push(126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    fn text(payload: &str) -> Vec<u8> {
        frame(0x81, payload.as_bytes())
    }

    fn watch(ready: Ready, count: Count) -> Watch {
        Watch { ready, count }
    }

    fn marked() -> Watch {
        let ready = Ready::Text(Needle::new("\"type\":\"snapshot\""));
        watch(ready, Count::Text(Needle::new(MARKER)))
    }

    /// What is counted when the bytes come in pieces of `size`.
    fn counted(stream: &[u8], size: usize, watch: &Watch) -> (bool, u64, Vec<Control>) {
        let mut frames = Frames::default();
        let mut told = Vec::new();
        for piece in stream.chunks(size) {
            frames
                .take(piece, watch, |control| told.push(control))
                .unwrap();
        }
        (frames.is_ready(), frames.messages(), told)
    }

    fn signal(size: usize) -> String {
        let head = format!("{{{MARKER},\"data\":\"");
        format!("{head}{}\"}}", "x".repeat(size - head.len() - 2))
    }

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let stream: Vec<u8> = [
            text("{\"type\":\"welcome\"}"),
            // Before the socket is ready nothing counts.
            text(&signal(200)),
            text("[{\"type\":\"snapshot\"},{\"type\":\"new_signal\"}]"),
            text(&signal(60)),
            frame(0x89, b"there?"),
            text(&signal(125)),
            text(&signal(126)),
            text(&signal(0xffff)),
            text(&signal(0x10000)),
            text(&format!("[{},{}]", signal(330), signal(330))),
            text("{\"type\":\"pong\"}"),
            text(""),
            frame(0x88, &4001_u16.to_be_bytes()),
        ]
        .concat();
        let told = vec![
            Control::Ping(b"there?".to_vec()),
            Control::Close(Some(4001)),
        ];
        for size in (1..60).chain([125, 126, 4096, stream.len()]) {
            let got = counted(&stream, size, &marked());
            assert_eq!(got, (true, 8, told.clone()), "in pieces of {size}");
        }
    }

    #[test]
    fn a_marker_ends_with_its_message_in_text_but_not_in_binary() {
        let (a, b) = MARKER.split_at(7);
        let watch = watch(Ready::Handshake, Count::Text(Needle::new(MARKER)));
        for (first, expected) in [(0x81, 0), (0x82, 1)] {
            let stream = [frame(first, a.as_bytes()), frame(first, b.as_bytes())].concat();
            for size in 1..stream.len() {
                assert_eq!(
                    counted(&stream, size, &watch).1,
                    expected,
                    "{first:x} {size}"
                );
            }
        }
        // One message in fragments is one text.
        let stream = [frame(0x01, a.as_bytes()), frame(0x80, b.as_bytes())].concat();
        assert_eq!(counted(&stream, stream.len(), &watch).1, 1);
    }

    #[test]
    fn frames_count_whole_and_once() {
        let stream = [
            frame(0x01, b"a"),
            frame(0x00, b"b"),
            frame(0x8a, b""),
            frame(0x80, b"c"),
            frame(0xc1, b"compressed"),
            frame(0x82, &[0; 300]),
        ]
        .concat();
        for size in 1..stream.len() {
            let all = watch(Ready::Handshake, Count::Frames);
            assert_eq!(counted(&stream, size, &all), (true, 3, vec![]), "{size}");
            let greeted = watch(Ready::Frames(2), Count::Frames);
            assert_eq!(counted(&stream, size, &greeted).1, 1, "{size}");
        }
        let unfinished = &stream[..stream.len() - 1];
        let all = watch(Ready::Handshake, Count::Frames);
        assert_eq!(counted(unfinished, 7, &all).1, 2);
        assert!(!counted(unfinished, 7, &watch(Ready::Frames(3), Count::Frames)).0);
    }

    #[test]
    fn what_no_server_sends_is_refused() {
        let taken = |bytes: &[u8], watch: &Watch| {
            let mut frames = Frames::default();
            frames.take(bytes, watch, |_| {})
        };
        let frames = watch(Ready::Handshake, Count::Frames);
        assert_eq!(taken(&[0x81, 0x84], &frames), Err(Broken::Masked));
        assert_eq!(taken(&[0x09, 0], &frames), Err(Broken::Control));
        assert_eq!(
            taken(&frame(0x89, &[0; 126]), &frames),
            Err(Broken::Control)
        );
        assert_eq!(
            taken(&frame(0xc1, b"x"), &marked()),
            Err(Broken::Compressed)
        );
    }
}
