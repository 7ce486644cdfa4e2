//! What the platform can do and `worker` 0.8.7 does not offer, or offers only by panicking.
//!
//! A panic in a Durable Object ends the whole instance, so everything here returns an error
//! instead. The externs name the JavaScript API as it is documented.

use std::time::Duration;

use js_sys::{Array, Date};
use signalroom_core::time::Millis;
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};
use worker::worker_sys::WebSocketRequestResponsePair;
use worker::worker_sys::types::SqlStorage as RawSql;
use worker::{Error, Result, SqlStorage, State, Storage, WebSocket};

#[wasm_bindgen]
extern "C" {
    /// `DurableObjectStorage`.
    type RawStorage;

    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &RawStorage,
        body: &mut dyn FnMut() -> std::result::Result<(), JsValue>,
    ) -> std::result::Result<(), JsValue>;

    /// `DurableObjectState`.
    type RawState;

    #[wasm_bindgen(method, catch, js_name = getWebSocketAutoResponseTimestamp)]
    fn auto_response_timestamp(
        this: &RawState,
        socket: &JsValue,
    ) -> std::result::Result<Option<Date>, JsValue>;

    /// `WebSocket`.
    type RawSocket;

    #[wasm_bindgen(method, catch)]
    fn send(this: &RawSocket, message: &JsValue) -> std::result::Result<(), JsValue>;

    /// Runs an iterator to its end. Unlike `js_sys`'s own, it catches what the iterator throws.
    #[wasm_bindgen(catch, js_namespace = Array, js_name = from)]
    fn drain(iterator: &JsValue) -> std::result::Result<Array, JsValue>;

    #[wasm_bindgen(catch, js_namespace = JSON, js_name = stringify)]
    fn to_json(value: &Array) -> std::result::Result<String, JsValue>;
}

/// The platform's clock.
pub fn now() -> Millis {
    Millis(i64::try_from(worker::Date::now().as_millis()).unwrap_or(i64::MAX))
}

/// The same clock for durations. Deployed, it stands still while code computes and moves on at I/O.
/// <https://developers.cloudflare.com/workers/runtime-apis/performance/>
pub fn ticks() -> Duration {
    Duration::from_millis(u64::try_from(now().0).unwrap_or_default())
}

/// Runs `body` in one synchronous transaction: an error of `body` rolls every write back.
///
/// # Errors
/// The JavaScript error that `body` gave, or that of the commit.
pub fn transaction(
    storage: &Storage,
    body: &mut dyn FnMut() -> std::result::Result<(), JsValue>,
) -> std::result::Result<(), JsValue> {
    storage
        .as_raw()
        .unchecked_ref::<RawStorage>()
        .transaction_sync(&mut || body())
}

/// Runs a statement and returns its rows as JSON, each an array of its columns: one text is had
/// from JavaScript several times faster than each value by itself, and its numbers are exact.
///
/// All rows are read in one call: a cursor that is left with rows makes the commit fail.
///
/// # Errors
/// The JavaScript error the database gave, on the first row or a later one.
pub fn query(
    sql: &SqlStorage,
    statement: &str,
    args: Array,
) -> std::result::Result<String, JsValue> {
    let sql: &JsValue = sql.as_ref();
    let cursor = sql.unchecked_ref::<RawSql>().exec(statement, args)?;
    to_json(&drain(&cursor.raw())?)
}

/// A text frame as a JavaScript string: made once, sent to any number of sockets.
#[derive(Debug, Clone)]
pub struct SharedText(JsValue);

impl SharedText {
    /// Copies the text into JavaScript.
    pub fn new(text: &str) -> Self {
        Self(JsValue::from_str(text))
    }

    /// Queues the frame on one socket.
    ///
    /// # Errors
    /// The runtime's, when the socket is not open any more.
    pub fn send(&self, socket: &WebSocket) -> Result<()> {
        let socket: &web_sys::WebSocket = socket.as_ref();
        socket
            .unchecked_ref::<RawSocket>()
            .send(&self.0)
            .map_err(Error::from)
    }
}

/// Whether frames can be sent on the socket: neither side has begun to close it.
pub fn is_open(socket: &WebSocket) -> bool {
    let socket: &web_sys::WebSocket = socket.as_ref();
    socket.ready_state() == web_sys::WebSocket::OPEN
}

/// Takes the server's end of a socket in, in the way that lets the object hibernate.
///
/// # Errors
/// The runtime's, for over 32,768 sockets, over 10 tags, or a tag of over 256 characters.
pub fn accept(state: &State, socket: &WebSocket, tags: &[&str]) -> Result<()> {
    let tags = tags.iter().map(|tag| JsValue::from_str(tag)).collect();
    state
        .as_raw()
        .accept_websocket_with_tags(socket.as_ref(), tags)
        .map_err(Error::from)
}

/// Answers the close frame a client sent, to be called from `websocket_close`.
///
/// A hibernating socket needs it on every compatibility date: the runtime answers by itself only
/// for sockets that do not hibernate, and a client left without an answer reports 1006.
///
/// # Errors
/// The runtime's, for a code or a reason it does not send.
pub fn answer_close(socket: &WebSocket, code: usize, reason: &str) -> Result<()> {
    let code = match u16::try_from(code) {
        // These describe a close without a code in its frame, and may not stand in one.
        Ok(1005 | 1006 | 1015) | Err(_) => 1000,
        Ok(code) => code,
    };
    socket.close(Some(code), Some(reason))
}

/// The tags the socket was accepted with.
///
/// # Errors
/// The runtime's, when the socket was not accepted by this object.
pub fn tags(state: &State, socket: &WebSocket) -> Result<Vec<String>> {
    state
        .as_raw()
        .get_tags(socket.as_ref())
        .map_err(Error::from)
}

/// Makes the runtime itself answer the text `request` with `response` on every socket of the
/// object, those accepted earlier included, without waking it. May be replaced at any time.
///
/// # Errors
/// The runtime's, when a text is longer than 2,048 characters.
pub fn set_auto_response(state: &State, request: &str, response: &str) -> Result<()> {
    let pair = WebSocketRequestResponsePair::new(request, response)?;
    state
        .as_raw()
        .set_websocket_auto_response(&pair)
        .map_err(Error::from)
}

/// When the runtime last answered this socket by itself, in milliseconds of the Unix epoch.
///
/// # Errors
/// The runtime's, when the socket was not accepted by this object.
pub fn auto_responded_at(state: &State, socket: &WebSocket) -> Result<Option<f64>> {
    let socket: &web_sys::WebSocket = socket.as_ref();
    let date = state
        .as_raw()
        .unchecked_ref::<RawState>()
        .auto_response_timestamp(socket)?;
    Ok(date.map(|date| date.get_time()))
}
