//! Sockets that count what they are sent: what a platform does with it is not the core's cost.

use signalroom_core::host::Sockets;
use signalroom_core::room::socket::ConnId;
use signalroom_core::wire::close::Close;
use signalroom_core::wire::frame::Frame;

/// How much was sent.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    /// Frames, once for every socket.
    pub(crate) frames: usize,
}

impl Sockets for Counting {
    fn attached(&self) -> Vec<(ConnId, String)> {
        Vec::new()
    }

    fn send(&mut self, to: &[ConnId], frame: &Frame) {
        std::hint::black_box(frame.as_str());
        self.frames += to.len();
    }

    fn burst(&mut self, _: ConnId, frames: &[Frame]) {
        self.frames += frames.len();
    }

    fn attach(&mut self, _: ConnId, _: &str) {}

    fn close(&mut self, conn: ConnId, close: Close) {
        panic!("{conn} was closed: {}", close.code());
    }

    fn auto_respond(&mut self, _: &str) {}
}
