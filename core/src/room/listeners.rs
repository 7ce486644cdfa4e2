//! A room's sockets, with what each is due: the warning before its token expires, then the close.

use std::collections::{BTreeMap, BTreeSet};

use super::socket::{Attachment, ConnId};
use crate::time::Millis;

/// The sockets of a room in the order of their ids. Finding the next that is due is O(log n).
#[derive(Debug, Default)]
pub(super) struct Listeners {
    sockets: BTreeMap<ConnId, Attachment>,
    due: BTreeSet<(Millis, ConnId)>,
    by_sub: BTreeMap<String, BTreeSet<ConnId>>,
}

fn due_at(socket: &Attachment) -> Millis {
    if socket.warned {
        socket.expires_at
    } else {
        socket.warn_at
    }
}

impl Listeners {
    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<&Attachment> {
        self.sockets.get(&conn)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnId, &Attachment)> {
        self.sockets.iter().map(|(conn, socket)| (*conn, socket))
    }

    pub(super) fn insert(&mut self, conn: ConnId, socket: Attachment) {
        self.remove(conn);
        self.due.insert((due_at(&socket), conn));
        let of_sub = self.by_sub.entry(socket.sub.clone()).or_default();
        of_sub.insert(conn);
        self.sockets.insert(conn, socket);
    }

    pub(super) fn remove(&mut self, conn: ConnId) {
        if let Some(socket) = self.sockets.remove(&conn) {
            self.due.remove(&(due_at(&socket), conn));
            if let Some(of_sub) = self.by_sub.get_mut(&socket.sub) {
                of_sub.remove(&conn);
                if of_sub.is_empty() {
                    self.by_sub.remove(&socket.sub);
                }
            }
        }
    }

    /// How many sockets one subject has.
    pub(super) fn count_of(&self, sub: &str) -> usize {
        self.by_sub.get(sub).map_or(0, BTreeSet::len)
    }

    /// The sockets of one subject.
    pub(super) fn of(&self, sub: &str) -> impl Iterator<Item = (ConnId, &Attachment)> {
        let conns = self.by_sub.get(sub).into_iter().flatten();
        conns.filter_map(|conn| Some((*conn, self.sockets.get(conn)?)))
    }

    /// When the next socket is due.
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A socket that is due by `now`.
    pub(super) fn due(&self, now: Millis) -> Option<(ConnId, &Attachment)> {
        let (_, conn) = self.due.first().filter(|(at, _)| *at <= now)?;
        Some((*conn, self.sockets.get(conn)?))
    }
}

impl FromIterator<(ConnId, Attachment)> for Listeners {
    fn from_iter<I: IntoIterator<Item = (ConnId, Attachment)>>(sockets: I) -> Self {
        let mut listeners = Self::default();
        for (conn, socket) in sockets {
            listeners.insert(conn, socket);
        }
        listeners
    }
}
