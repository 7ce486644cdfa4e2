//! A room that says hello: it counts messages and tells every socket the count.
//!
//! Shows each part of the platform a room stands on: rows and their rollback, hibernating sockets,
//! one shared text for all of them, and the heartbeat the runtime answers.
#![expect(
    missing_docs,
    reason = "`#[durable_object]` makes public methods that cannot be documented"
)]

use signalroom_core::store::{Sql, SqlError, Value};
use worker::{
    DurableObject, Env, Error, Request, Response, Result, Socket, State, WebSocket,
    WebSocketIncomingMessage, WebSocketPair, durable_object,
};

use crate::platform::{self, SharedText};
use crate::sql::DurableSql;

/// The text whose row is written and rolled back again.
const REFUSED: &str = "refuse";

/// The Durable Object bound as `ROOM`.
#[durable_object]
pub struct Room {
    state: State,
    sql: DurableSql,
}

impl Room {
    fn store(&self, text: &str) -> std::result::Result<i64, SqlError> {
        self.sql.run(
            "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
            &[],
        )?;
        self.sql.atomically(&mut || {
            let row = [Value::Text(text.to_owned())];
            self.sql
                .run("INSERT INTO messages (text) VALUES (?)", &row)?;
            if text == REFUSED {
                return Err(SqlError::Refused("as asked".to_owned()));
            }
            Ok(())
        })?;
        self.count()
    }

    fn count(&self) -> std::result::Result<i64, SqlError> {
        let rows = self.sql.query("SELECT count(*) FROM messages", &[])?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Integer(count)) => Ok(*count),
            _ => Ok(0),
        }
    }

    fn broadcast(&self, text: &str) -> Result<()> {
        let frame = SharedText::new(text);
        for socket in self.state.get_websockets() {
            if platform::is_open(&socket) {
                frame.send(&socket)?;
            }
        }
        Ok(())
    }
}

impl DurableObject for Room {
    fn new(state: State, _env: Env) -> Self {
        let sql = DurableSql::new(&state);
        Self { state, sql }
    }

    async fn fetch(&self, _request: Request) -> Result<Response> {
        let pair = WebSocketPair::new()?;
        platform::accept(&self.state, &pair.server, &["hello"])?;
        platform::set_auto_response(&self.state, "ping", r#"{"messages":0}"#)?;
        Response::from_websocket(pair.client)
    }

    async fn alarm(&self) -> Result<Response> {
        Response::empty()
    }

    async fn connect(&self, _socket: Socket) -> Result<()> {
        Err(Error::RustError("a room takes no TCP connections".into()))
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        let WebSocketIncomingMessage::String(text) = message else {
            return Ok(());
        };
        match self.store(&text) {
            Ok(count) => {
                let count = format!(r#"{{"messages":{count}}}"#);
                platform::set_auto_response(&self.state, "ping", &count)?;
                self.broadcast(&count)
            }
            Err(error) => SharedText::new(&format!(r#"{{"error":"{error}"}}"#)).send(&socket),
        }
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        platform::answer_close(&socket, code, &reason)
    }

    async fn websocket_error(&self, _socket: WebSocket, _error: Error) -> Result<()> {
        Ok(())
    }
}
