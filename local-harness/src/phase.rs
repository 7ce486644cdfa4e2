//! How far the server is on its way from running to gone, seen by all of its tasks.

use tokio::sync::watch;

/// A stage of a server's life; they follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Everything is answered.
    Running,
    /// Nothing new is accepted; requests end, sockets are told to come back.
    Draining,
    /// Nobody is left to answer; rooms close their databases.
    Stopped,
}

/// Sees the phase. A server that was dropped counts as stopped.
#[derive(Debug, Clone)]
pub(crate) struct Phases(watch::Receiver<Phase>);

impl Phases {
    /// The control and its first observer.
    pub(crate) fn start() -> (watch::Sender<Phase>, Self) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (sender, Self(receiver))
    }

    /// Returns once the phase is reached or passed.
    pub(crate) async fn reached(&mut self, phase: Phase) {
        // An error means that the server was dropped.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }

    /// Whether the phase is reached or passed.
    pub(crate) fn is(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase || self.0.has_changed().is_err()
    }
}
