//! What waits for one socket: pieces of frames in order, and how far the first is written.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use bytes::Bytes;

use super::frame;

/// Pieces that one system call writes at most.
const VECTOR: usize = 64;

/// Bytes on their way to one socket.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    pieces: VecDeque<Piece>,
    /// How much of the first piece is written.
    written: usize,
    frames: usize,
}

/// Whole frames in one piece.
#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// What it counts for in the queue.
    frames: usize,
}

impl Backlog {
    /// Whether everything is written.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How many frames wait, as they were counted when they came.
    pub(super) fn frames(&self) -> usize {
        self.frames
    }

    /// Adds whole frames, which count as `frames`, of which `written` bytes are written already.
    /// Only what comes first can be written already.
    pub(super) fn push(&mut self, bytes: Bytes, frames: usize, written: usize) {
        debug_assert!(written == 0 || self.pieces.is_empty());
        if written < bytes.len() {
            self.frames += frames;
            self.written += written;
            self.pieces.push_back(Piece { bytes, frames });
        }
    }

    /// Writes until all is written, several pieces at a time.
    ///
    /// # Errors
    /// As `write` has it; `WouldBlock` when the rest has to wait. What was written stays written.
    pub(super) fn write(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.is_empty() {
            let mut parts = [IoSlice::new(&[]); VECTOR];
            let mut count = 0;
            let mut skip = self.written;
            for (part, piece) in parts.iter_mut().zip(&self.pieces) {
                *part = IoSlice::new(&piece.bytes[skip..]);
                skip = 0;
                count += 1;
            }
            match write(&parts[..count]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => self.advance(bytes),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        while let Some(first) = self.pieces.front() {
            if self.written < first.bytes.len() {
                return;
            }
            self.written -= first.bytes.len();
            self.frames -= first.frames;
            self.pieces.pop_front();
        }
        // A socket that keeps up keeps no memory for this.
        self.pieces = VecDeque::new();
    }

    /// The rest of the frame that has begun: without it nothing that follows could be read.
    pub(super) fn cut(mut self) -> Self {
        let mut rest = Self::default();
        if let Some(Piece { mut bytes, .. }) = self.pieces.pop_front() {
            bytes.truncate(frame::end_of_current(&bytes, self.written));
            rest.push(bytes, 1, self.written);
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A socket that takes as much at a time as it is told, 0 meaning that it has to wait.
    struct Reader {
        takes: Vec<usize>,
        had: Vec<u8>,
    }

    impl Reader {
        fn take(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
            let most = self.takes.pop().unwrap_or(usize::MAX);
            if most == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let before = self.had.len();
            for part in parts {
                let left = most - (self.had.len() - before);
                self.had.extend(part.iter().take(left));
            }
            Ok(self.had.len() - before)
        }
    }

    fn write(backlog: &mut Backlog, reader: &mut Reader) {
        while let Err(error) = backlog.write(|parts| reader.take(parts)) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        assert!(backlog.is_empty());
    }

    fn frames(lengths: &[usize]) -> Vec<Bytes> {
        let frame = |(index, length): (usize, &usize)| {
            let letter = char::from(b'a' + u8::try_from(index % 26).expect("a letter"));
            frame::text(&letter.to_string().repeat(*length))
        };
        lengths.iter().enumerate().map(frame).collect()
    }

    proptest! {
        #[test]
        fn whatever_is_taken_at_a_time_all_frames_arrive_in_order(
            lengths in prop::collection::vec(0..300_usize, 1..150),
            takes in prop::collection::vec(0..2000_usize, 0..200),
            rounds in 1..5_usize,
            already in any::<prop::sample::Index>(),
        ) {
            let frames = frames(&lengths);
            let already = already.index(frames[0].len() + 1);
            let mut reader = Reader { takes, had: frames[0][..already].to_vec() };
            let mut backlog = Backlog::default();
            for (index, frame) in frames.iter().enumerate() {
                backlog.push(frame.clone(), 1, if index == 0 { already } else { 0 });
                if index % rounds == 0 {
                    let _ = backlog.write(|parts| reader.take(parts));
                }
            }
            write(&mut backlog, &mut reader);
            prop_assert_eq!(backlog.frames(), 0);
            prop_assert!(reader.had == frames.concat());
        }

        #[test]
        fn a_cut_leaves_whole_frames(
            lengths in prop::collection::vec(0..300_usize, 1..20),
            pieces in 1..4_usize,
            taken in any::<prop::sample::Index>(),
        ) {
            let frames = frames(&lengths);
            let all = frames.concat();
            let taken = taken.index(all.len() + 1);
            let mut backlog = Backlog::default();
            for piece in frames.chunks(pieces) {
                backlog.push(piece.concat().into(), piece.len(), 0);
            }
            let mut reader = Reader { takes: vec![0, taken], had: Vec::new() };
            if taken > 0 {
                let _ = backlog.write(|parts| reader.take(parts));
            }
            let mut backlog = backlog.cut();
            reader.takes.clear();
            write(&mut backlog, &mut reader);
            let mut ends = frames.iter().scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            });
            let end = if taken == 0 { 0 } else { ends.find(|end| *end >= taken).expect("an end") };
            prop_assert_eq!(reader.had.len(), end);
            prop_assert!(all.starts_with(&reader.had));
        }
    }

    #[test]
    fn what_waits_is_written_by_one_call() {
        let frames = frames(&[10; VECTOR]);
        let mut backlog = Backlog::default();
        for frame in &frames {
            backlog.push(frame.clone(), 1, 0);
        }
        let mut calls = 0;
        let mut reader = Reader {
            takes: Vec::new(),
            had: Vec::new(),
        };
        backlog
            .write(|parts| {
                calls += 1;
                reader.take(parts)
            })
            .expect("written");
        assert_eq!(calls, 1);
        assert!(reader.had == frames.concat());
    }

    #[test]
    fn a_connection_that_takes_nothing_is_broken() {
        let mut backlog = Backlog::default();
        backlog.push(frame::text("x"), 1, 0);
        let error = backlog.write(|_| Ok(0)).expect_err("no progress");
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    }
}
