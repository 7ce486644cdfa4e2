//! The Durable Object: every handler hands its event to the core's host, then delivers what is
//! owed to the feed and arms the one alarm.
#![expect(
    missing_docs,
    reason = "`#[durable_object]` makes public methods that cannot be documented"
)]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use signalroom_core::config::RoomConfig;
use signalroom_core::host::{Hold, Host, HostError};
use signalroom_core::room::Event;
use signalroom_core::room::call::{Ack, Call, Reply};
use signalroom_core::room::name::RoomName;
use signalroom_core::room::socket::{ConnId, Hello};
use signalroom_core::time::Millis;
use signalroom_core::wire::client;
use signalroom_core::wire::limits::{MAX_HOLD_MS, PING_INTERVAL_MS, SILENCE_MS, SUBPROTOCOL};
use wasm_bindgen_futures::spawn_local;
use worker::{
    Delay, DurableObject, Env, Error, Request, Response, Result, Socket, State, WebSocket,
    WebSocketIncomingMessage, WebSocketPair, console_warn, durable_object,
};

use crate::ask::{self, Outcome};
use crate::config;
use crate::dev;
use crate::keys;
use crate::platform::{self, now};
use crate::sockets::{SocketList, conn_id};
use crate::sql::DurableSql;

/// The Durable Object bound as `ROOM`.
#[durable_object]
pub struct Room(Rc<Object>);

/// What the handlers share with what goes on after them.
struct Object {
    state: State,
    env: Env,
    instance: String,
    inner: RefCell<Option<Inner>>,
}

struct Inner {
    name: RoomName,
    host: Host<DurableSql>,
    sockets: SocketList,
    armed: Option<Millis>,
    /// The socket that was accepted last, since this instance woke.
    newest: Option<ConnId>,
    woken: Millis,
    /// When silent sockets were last looked for.
    looked: Millis,
}

fn failed(error: &impl std::fmt::Display) -> Error {
    Error::RustError(error.to_string())
}

/// Lets the runtime do other things for so many milliseconds.
async fn pause(milliseconds: i64) {
    let milliseconds = u64::try_from(milliseconds).unwrap_or_default();
    Delay::from(Duration::from_millis(milliseconds)).await;
}

impl Object {
    /// Runs `act` on the room, made at the first use after a wake-up. Never across an await.
    fn with<T>(&self, act: impl FnOnce(&mut Inner, &State) -> T) -> Result<T> {
        let mut inner = self.inner.borrow_mut();
        if inner.is_none() {
            *inner = Some(self.wake()?);
        }
        let inner = inner.as_mut().ok_or_else(|| failed(&"no room"))?;
        Ok(act(inner, &self.state))
    }

    fn wake(&self) -> Result<Inner> {
        let name = self
            .state
            .id()
            .name()
            .ok_or_else(|| failed(&"a room without a name"))?;
        let name: RoomName = name.parse().map_err(|error| failed(&error))?;
        let room = RoomConfig::from_vars(|name| config::var(&self.env, name));
        let room = room.map_err(|error| failed(&error))?;
        let sql = DurableSql::new(&self.state);
        let mut host = Host::new(name.clone(), room, ask::fresh_id(), sql);
        // Without a secret the Worker lets nobody in; what a room owes is delivered all the same.
        if let Ok(config) = config::of(&self.env) {
            host = host.trusting(Arc::new(config.verifier.clone()));
        }
        Ok(Inner {
            name,
            host,
            sockets: SocketList::default(),
            armed: None,
            newest: None,
            woken: now(),
            looked: now(),
        })
    }

    /// Takes an event, and arms the alarm for what it led to.
    async fn on_event(self: &Rc<Self>, event: Event) -> Result<()> {
        let handled = self.with(|inner, state| {
            inner
                .host
                .on_event(event, now(), &mut inner.sockets.of(state))
        })?;
        handled.map_err(|error| failed(&error))?;
        self.pace()?;
        self.arm().await
    }

    /// Answers a call. One that wants its events in the feed waits for that, but not for ever:
    /// what is not delivered in time is left to the alarm.
    async fn on_call(self: &Rc<Self>, call: Call) -> Result<Outcome> {
        let patience = call.patience();
        let outcome = self.with(|inner, state| {
            inner
                .host
                .on_call(call, now(), &mut inner.sockets.of(state))
        })?;
        let mut reply = match outcome {
            Ok(reply) => reply,
            Err(HostError::Reject(reject)) => return Ok(Err(reject.into())),
            Err(HostError::Fault(error)) => {
                return self.with(|inner, _| Err(ask::fault(&inner.name, &error)));
            }
        };
        let broadcast = self.pace()?;
        self.close_silent().await?;
        self.arm().await?;
        if broadcast {
            // The runtime writes to sockets only when it has nothing else to do: clients wait for
            // neither the feed nor the answer.
            pause(1).await;
        }
        if let Some(patience) = patience {
            let since = platform::ticks();
            let delivery = std::pin::pin!(self.deliver());
            let ack = match select(delivery, Delay::from(patience)).await {
                Either::Left((delivered, _)) => delivered?,
                Either::Right(_) => None,
            };
            reply.settle(ack.as_ref(), platform::ticks().saturating_sub(since));
        }
        Ok(Ok(reply))
    }

    /// Keeps the pace that the host wants for its broadcasts, in the background. True when one has
    /// begun.
    fn pace(self: &Rc<Self>) -> Result<bool> {
        let Some(hold) = self.with(|inner, _| inner.host.hold())? else {
            return Ok(false);
        };
        let object = Rc::clone(self);
        let mut left = now();
        spawn_local(async move {
            let mut wait = match hold {
                Hold::Wait(wait) => Some(wait),
                Hold::Sent => None,
            };
            loop {
                match object.release(wait.take(), left).await {
                    Ok(true) => left = now(),
                    Ok(false) => return,
                    Err(error) => {
                        console_warn!("what was gathered waits: {error}");
                        wait = Some(MAX_HOLD_MS);
                    }
                }
            }
        });
        Ok(hold == Hold::Sent)
    }

    /// Waits, then lets out what was gathered; true when that was something.
    async fn release(&self, wait: Option<i64>, left: Millis) -> Result<bool> {
        let wait = match wait {
            Some(wait) => wait,
            None => {
                // The clock stands still until the runtime has had its turn.
                pause(0).await;
                self.with(|inner, _| inner.host.rest(now().0 - left.0))?
            }
        };
        pause(wait).await;
        self.with(|inner, state| inner.host.release(now(), &mut inner.sockets.of(state)))?
            .map_err(|error| failed(&error))
    }

    /// Delivers what is owed to the feed, batch by batch; the newest acknowledgement, if any.
    async fn deliver(self: &Rc<Self>) -> Result<Option<Ack>> {
        let mut newest = None;
        loop {
            let push = self
                .with(|inner, state| inner.host.next_push(now(), &mut inner.sockets.of(state)))?;
            let Some(push) = push.map_err(|error| failed(&error))? else {
                return Ok(newest);
            };
            match ask::ask(&self.env, &RoomName::Feed, &Call::Receive(push)).await {
                Ok(Reply::Received(ack)) => {
                    newest = Some(ack.clone());
                    self.on_event(Event::Acked(ack)).await?;
                }
                Ok(_) | Err(_) => {
                    self.on_event(Event::PushFailed).await?;
                    return Ok(newest);
                }
            }
        }
    }

    /// Sees to it that the object's one alarm comes at the room's next deadline, or before: an
    /// alarm that was set is left as it is. To move it would cost a row and a commit of its own for
    /// each message; that it comes for nothing costs one object request for a burst of them.
    async fn arm(&self) -> Result<()> {
        let Some(at) = self.deadline()? else {
            return Ok(());
        };
        let early = self.with(|inner, _| {
            let early = inner.armed.is_some_and(|armed| armed <= at);
            if !early {
                inner.armed = Some(at);
            }
            early
        })?;
        if early {
            return Ok(());
        }
        self.state.storage().set_alarm(at.to_utc()).await
    }

    /// When the room wants to be woken.
    fn deadline(&self) -> Result<Option<Millis>> {
        self.with(|inner, state| inner.host.next_deadline(&mut inner.sockets.of(state)))?
            .map_err(|error| failed(&error))
    }

    async fn accept(self: &Rc<Self>, hello: Box<Hello>) -> Result<Response> {
        let batch = hello.batch;
        let conn = self.with(|inner, _| {
            let conn = ConnId::following(inner.newest, now(), ask::fresh_number());
            *inner.newest.insert(conn)
        })?;
        let pair = WebSocketPair::new()?;
        platform::accept(&self.state, &pair.server, &[&conn.to_string()])?;
        self.with(|inner, state| {
            inner.sockets.add(state, conn, pair.server);
            inner.sockets.hear(conn, now());
        })?;
        self.on_event(Event::Connected { conn, hello }).await?;
        let response = Response::from_websocket(pair.client)?;
        if batch {
            response
                .headers()
                .set("sec-websocket-protocol", SUBPROTOCOL)?;
        }
        Ok(response)
    }

    /// Tells the room which sockets have been silent for too long: not heard of since this
    /// instance woke, and no ping answered by the runtime meanwhile. Only when awake anyway, and
    /// once per ping interval. What the runtime holds back for a socket cannot be seen; that its
    /// client still pings is the one sign that it still reads.
    async fn close_silent(self: &Rc<Self>) -> Result<()> {
        let silent = self.with(|inner, state| {
            let now = now();
            let since = now.plus(-SILENCE_MS);
            let again = inner.looked.plus(PING_INTERVAL_MS.into());
            if inner.woken > since || again > now {
                return Vec::new();
            }
            inner.looked = now;
            inner.sockets.silent_since(state, since)
        })?;
        for conn in silent {
            self.on_event(Event::Silent { conn }).await?;
        }
        Ok(())
    }

    async fn on_closed(self: &Rc<Self>, socket: &WebSocket) -> Result<()> {
        let Some(conn) = conn_id(&self.state, socket) else {
            return Ok(());
        };
        self.on_event(Event::Closed { conn }).await?;
        self.with(|inner, _| inner.sockets.remove(conn))
    }
}

impl DurableObject for Room {
    fn new(state: State, env: Env) -> Self {
        Self(Rc::new(Object {
            state,
            env,
            instance: ask::fresh_id(),
            inner: RefCell::new(None),
        }))
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if dev::asks(&request) {
            let sql = DurableSql::new(&self.0.state);
            return dev::answer(&mut request, &self.0.instance, &sql).await;
        }
        if let Some(hello) = ask::read_hello(&request)? {
            return self.0.accept(hello).await;
        }
        let call = ask::read_call(&mut request).await?;
        ask::write_outcome(&self.0.on_call(call).await?)
    }

    async fn alarm(&self) -> Result<Response> {
        self.0.with(|inner, _| inner.armed = None)?;
        self.0.close_silent().await?;
        self.0.on_event(Event::Alarm).await?;
        // It may be early, and a delivery under way.
        if self.0.deadline()?.is_some_and(|at| at <= now()) {
            self.0.deliver().await?;
        }
        Response::empty()
    }

    async fn connect(&self, _socket: Socket) -> Result<()> {
        Err(failed(&"a room takes no TCP connections"))
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        let Some(conn) = conn_id(&self.0.state, &socket) else {
            return Ok(());
        };
        self.0.with(|inner, _| inner.sockets.hear(conn, now()))?;
        if let WebSocketIncomingMessage::String(text) = &message
            && let Some(token) = client::token(text)
            && let Ok(config) = config::of(&self.0.env)
        {
            keys::see_to(&config.verifier, &token).await;
        }
        self.0
            .on_event(match message {
                WebSocketIncomingMessage::String(text) => Event::Text { conn, text },
                WebSocketIncomingMessage::Binary(bytes) => Event::Binary {
                    conn,
                    bytes: bytes.len(),
                },
            })
            .await
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        reason: String,
        _was_clean: bool,
    ) -> Result<()> {
        self.0.on_closed(&socket).await?;
        platform::answer_close(&socket, code, &reason)
    }

    async fn websocket_error(&self, socket: WebSocket, _error: Error) -> Result<()> {
        self.0.on_closed(&socket).await
    }
}
