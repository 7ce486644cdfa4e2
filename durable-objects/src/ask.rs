//! Calls to a room: the core's values as JSON over a Durable Object stub.

use js_sys::{decode_uri_component, encode_uri_component};
use signalroom_core::room::call::{Call, CallError, Reply};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::Hello;
use worker::{
    Env, Error, Headers, Method, Request, RequestInit, Response, Result, Stub, console_error,
};

/// The binding of the Durable Object namespace.
const BINDING: &str = "ROOM";

/// Where a room takes calls; the host part is never looked up.
const CALL_URL: &str = "http://room/call";

/// Where a room takes sockets.
const SOCKET_URL: &str = "http://room/socket";

/// Carries who opens a socket, to the room that will hold it.
const HELLO: &str = "x-signalroom-hello";

/// What a room answers.
pub type Outcome = std::result::Result<Reply, CallError>;

/// The room's stub, placed near its home at first contact.
///
/// # Errors
/// The platform's, when the namespace is not bound.
pub fn stub(env: &Env, room: &RoomName) -> Result<Stub> {
    env.durable_object(BINDING)?
        .get_by_name_with_location_hint(&room.to_string(), room.location_hint())
}

/// Asks a room. A room that cannot be reached is a fault, logged here.
pub async fn ask(env: &Env, room: &RoomName, call: &Call) -> Outcome {
    exchange(env, room, call)
        .await
        .unwrap_or_else(|error| Err(fault(room, &error)))
}

async fn exchange(env: &Env, room: &RoomName, call: &Call) -> Result<Outcome> {
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_body(Some(serde_json::to_string(call)?.into()));
    let request = Request::new_with_init(CALL_URL, &init)?;
    let mut response = stub(env, room)?.fetch_with_request(request).await?;
    Ok(serde_json::from_str(&response.text().await?)?)
}

/// Logs what went wrong under a fresh id, and gives the id.
pub fn fault(room: &RoomName, error: &impl std::fmt::Display) -> CallError {
    let id = fresh_id();
    console_error!("fault {id} in {room}: {error}");
    CallError::Fault { id }
}

/// Sixteen random hexadecimal digits.
pub fn fresh_id() -> String {
    format!("{:016x}", fresh_number())
}

/// A random number, from Web Crypto.
pub(crate) fn fresh_number() -> u64 {
    getrandom::u64().expect("a Worker has Web Crypto")
}

/// The reading side of [`ask`], in the room.
pub(crate) async fn read_call(request: &mut Request) -> Result<Call> {
    Ok(serde_json::from_str(&request.text().await?)?)
}

/// The writing side of [`ask`], in the room.
pub(crate) fn write_outcome(outcome: &Outcome) -> Result<Response> {
    Response::ok(serde_json::to_string(outcome)?)
}

/// Opens a socket in a room; the response is the upgrade.
///
/// # Errors
/// The platform's, when the room cannot be reached.
pub async fn open_socket(env: &Env, room: &RoomName, hello: &Hello) -> Result<Response> {
    let headers = Headers::new();
    headers.set("upgrade", "websocket")?;
    // Header values are Latin-1, a subject may be anything.
    let hello: String = encode_uri_component(&serde_json::to_string(hello)?).into();
    headers.set(HELLO, &hello)?;
    let mut init = RequestInit::new();
    init.with_headers(headers);
    let request = Request::new_with_init(SOCKET_URL, &init)?;
    stub(env, room)?.fetch_with_request(request).await
}

/// The reading side of [`open_socket`], in the room; none when the request is a call.
pub(crate) fn read_hello(request: &Request) -> Result<Option<Box<Hello>>> {
    let Some(hello) = request.headers().get(HELLO)? else {
        return Ok(None);
    };
    let hello: String = decode_uri_component(&hello).map_err(Error::from)?.into();
    Ok(Some(Box::new(serde_json::from_str(&hello)?)))
}
