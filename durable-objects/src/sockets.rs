//! A room's hibernating sockets. The list is read once per wake-up, attachments too.

use std::collections::BTreeMap;

use signalroom_core::host::Sockets;
use signalroom_core::room::socket::ConnId;
use signalroom_core::time::Millis;
use signalroom_core::wire::close::Close;
use signalroom_core::wire::frame::Frame;
use signalroom_core::wire::limits::PING;
use worker::{Error, State, WebSocket, console_warn};

use crate::platform::{self, SharedText};

/// The open sockets, as known since the wake-up.
#[derive(Debug, Default)]
pub(crate) struct SocketList {
    open: Option<BTreeMap<ConnId, WebSocket>>,
    /// When each last sent something that woke the room, or was accepted.
    heard: BTreeMap<ConnId, Millis>,
}

impl SocketList {
    /// The list together with the state it is read from.
    pub(crate) fn of<'a>(&'a mut self, state: &'a State) -> DurableSockets<'a> {
        DurableSockets { state, list: self }
    }

    /// Adds a socket that was just accepted.
    pub(crate) fn add(&mut self, state: &State, conn: ConnId, socket: WebSocket) {
        self.read(state).insert(conn, socket);
    }

    /// Notes that a socket sent something.
    pub(crate) fn hear(&mut self, conn: ConnId, now: Millis) {
        self.heard.insert(conn, now);
    }

    /// The sockets of which nothing was heard since `since`, pings the runtime answered included.
    pub(crate) fn silent_since(&mut self, state: &State, since: Millis) -> Vec<ConnId> {
        self.read(state);
        let sockets = self.open.iter().flatten();
        let silent = sockets.filter(|(conn, socket)| {
            let answered = platform::auto_responded_at(state, socket).ok().flatten();
            let recently = answered.is_some_and(|at| at >= since.0 as f64);
            !recently && self.heard.get(conn).is_none_or(|at| *at < since)
        });
        silent.map(|(conn, _)| *conn).collect()
    }

    /// Forgets a socket that is gone.
    pub(crate) fn remove(&mut self, conn: ConnId) {
        self.heard.remove(&conn);
        if let Some(sockets) = &mut self.open {
            sockets.remove(&conn);
        }
    }

    fn read(&mut self, state: &State) -> &mut BTreeMap<ConnId, WebSocket> {
        self.open.get_or_insert_with(|| {
            let sockets = state.get_websockets().into_iter();
            sockets
                .filter_map(|socket| Some((conn_id(state, &socket)?, socket)))
                .collect()
        })
    }
}

/// The identity a socket was tagged with when it was accepted.
pub(crate) fn conn_id(state: &State, socket: &WebSocket) -> Option<ConnId> {
    let tags = platform::tags(state, socket).ok()?;
    tags.first()?.parse().ok()
}

/// The core's view of the sockets.
#[derive(Debug)]
pub(crate) struct DurableSockets<'a> {
    state: &'a State,
    list: &'a mut SocketList,
}

impl DurableSockets<'_> {
    fn with(&mut self, conn: ConnId, act: impl FnOnce(&WebSocket) -> Result<(), Error>) {
        if let Some(socket) = self.list.read(self.state).get(&conn)
            && let Err(error) = act(socket)
        {
            console_warn!("socket {conn}: {error}");
        }
    }
}

impl Sockets for DurableSockets<'_> {
    fn attached(&self) -> Vec<(ConnId, String)> {
        let sockets = self.state.get_websockets().into_iter();
        sockets
            .filter(platform::is_open)
            .filter_map(|socket| {
                let conn = conn_id(self.state, &socket)?;
                // One that is just being accepted has none yet.
                let attachment = socket.deserialize_attachment().ok().flatten()?;
                Some((conn, attachment))
            })
            .collect()
    }

    fn send(&mut self, to: &[ConnId], frame: &Frame) {
        let text = SharedText::new(frame.as_str());
        let sockets = self.list.read(self.state);
        for socket in to.iter().filter_map(|conn| sockets.get(conn)) {
            // One that closes just now resumes elsewhere; its close event follows.
            let _ = text.send(socket);
        }
    }

    fn burst(&mut self, conn: ConnId, frames: &[Frame]) {
        for frame in frames {
            self.send(&[conn], frame);
        }
    }

    fn attach(&mut self, conn: ConnId, attachment: &str) {
        self.with(conn, |socket| socket.serialize_attachment(attachment));
    }

    fn close(&mut self, conn: ConnId, close: Close) {
        self.with(conn, |socket| {
            socket.close(Some(close.code()), Some(close.reason()))
        });
        self.list.remove(conn);
    }

    fn auto_respond(&mut self, pong: &str) {
        if let Err(error) = platform::set_auto_response(self.state, PING, pong) {
            console_warn!("auto-response: {error}");
        }
    }
}
