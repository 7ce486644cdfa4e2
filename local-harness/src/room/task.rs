//! One room's task: takes messages one by one, delivers what is owed, keeps the alarm.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use signalroom_core::host::{Host, HostError, Sockets};
use signalroom_core::room::Event;
use signalroom_core::room::call::{Ack, Call, CallError, Push};
use signalroom_core::room::name::RoomName;
use signalroom_core::store::SqlError;
use signalroom_core::time::Millis;
use signalroom_core::wire::close::Close;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::Hibernate;
use super::delivery::{Delivery, Waiting, arrival};
use super::registry::{Answer, Message, Registry, file_name};
use super::table::{Heartbeat, Table};
use crate::phase::Phase;
use crate::sql::SqliteSql;
use crate::{clock, random};

/// How long rooms stay in memory when tests drop them after every event anyway.
const IDLE_IN_TESTS: Duration = Duration::from_secs(10);

/// How long an alarm waits when its turn failed, or left it where it was, milliseconds.
const ALARM_RETRY: i64 = 10_000;

/// What moves into a blocking thread for a turn, and back.
struct Seat {
    host: Option<Host<SqliteSql>>,
    table: Table,
}

/// The task of one room.
pub(super) struct Task {
    name: RoomName,
    registry: Arc<Registry>,
    mailbox: mpsc::Receiver<Message>,
    heartbeat: Heartbeat,
    seat: Seat,
    delivery: Option<Delivery>,
    /// How many deliveries were begun.
    deliveries: u64,
    waiting: Vec<Waiting>,
    alarm: Option<Millis>,
    /// When the room was last in use.
    used: Instant,
}

/// What a turn left behind.
struct Turned<R> {
    result: R,
    push: Result<Option<Push>, SqlError>,
    deadline: Result<Option<Millis>, SqlError>,
}

impl Task {
    pub(super) fn new(
        name: RoomName,
        registry: Arc<Registry>,
        mailbox: mpsc::Receiver<Message>,
        heartbeat: Heartbeat,
    ) -> Self {
        let table = Table::new(heartbeat.clone(), registry.writers.clone());
        Self {
            name,
            registry,
            mailbox,
            heartbeat,
            seat: Seat { host: None, table },
            delivery: None,
            deliveries: 0,
            waiting: Vec::new(),
            alarm: None,
            used: clock::in_(Duration::ZERO),
        }
    }

    /// Runs until the room has nothing left to do or the server stops.
    pub(super) async fn run(mut self) {
        let mut phases = self.registry.phases.clone();
        loop {
            // What happens next would only wait with the rest.
            self.seat.table.caught_up().await;
            let wake = self.next_wake();
            tokio::select! {
                () = phases.reached(Phase::Stopped) => break,
                ack = arrival(&mut self.delivery) => self.on_arrival(ack).await,
                message = self.mailbox.recv() => match message {
                    Some(message) => self.on_message(message).await,
                    None => break,
                },
                () = sleep_until(wake) => {
                    if self.on_time().await {
                        break;
                    }
                }
            }
        }
        self.close_database().await;
    }

    async fn on_message(&mut self, message: Message) {
        match message {
            Message::Call { call, answer } => self.on_call(*call, answer).await,
            Message::Connected { conn, hello } => {
                self.seat.table.insert(conn);
                let connected = self.on_event(Event::Connected { conn, hello }).await;
                if !connected {
                    // A socket without a welcome would wait for ever: it comes back.
                    self.seat.table.close(conn, Close::Restarting);
                }
            }
            Message::Socket(event) => {
                if let Event::Closed { conn } = event {
                    self.seat.table.remove(conn);
                }
                self.on_event(event).await;
            }
            Message::Wake => {
                self.turn(|_, _, _| ()).await;
            }
        }
    }

    async fn on_call(&mut self, call: Call, answer: oneshot::Sender<Answer>) {
        let patience = call.patience();
        // A delivery that is under way left without what this call brings about.
        let carrier = self.deliveries + 1;
        let turned = self
            .turn(move |host, now, table| host.on_call(call, now, table))
            .await;
        let outcome = match turned {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(HostError::Reject(reject))) => Err(CallError::Reject(reject)),
            Some(Err(HostError::Fault(error))) => Err(fault(&self.name, "call", &error)),
            None => Err(fault(&self.name, "call", &"the turn panicked")),
        };
        match (outcome, patience) {
            (Ok(reply), Some(patience)) if self.delivery.is_some() => {
                self.waiting.push(Waiting {
                    reply,
                    answer,
                    since: clock::in_(Duration::ZERO),
                    until: clock::in_(patience),
                    carrier,
                });
            }
            (outcome, _) => {
                // The caller may have gone away.
                let _ = answer.send(outcome);
            }
        }
    }

    async fn on_arrival(&mut self, ack: Option<Ack>) {
        self.delivery = None;
        let arrived = self.deliveries;
        let event = match &ack {
            Some(ack) => Event::Acked(ack.clone()),
            None => Event::PushFailed,
        };
        self.answer(ack.as_ref(), |waiting| waiting.carrier <= arrived);
        self.on_event(event).await;
        // What is not under way now will not be soon: nobody waits for the retry.
        if self.delivery.is_none() {
            self.answer(None, |_| true);
        }
    }

    /// Answers those who have waited for what is here, or long enough.
    fn answer(&mut self, ack: Option<&Ack>, ready: impl Fn(&Waiting) -> bool) {
        let (done, waiting) = self.waiting.drain(..).partition(ready);
        self.waiting = waiting;
        let done: Vec<Waiting> = done;
        done.into_iter().for_each(|waiting| waiting.finish(ack));
    }

    /// Takes an event; false when it was lost to a fault.
    async fn on_event(&mut self, event: Event) -> bool {
        match self
            .turn(move |host, now, table| host.on_event(event, now, table))
            .await
        {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                fault(&self.name, "event", &error);
                false
            }
            None => false,
        }
    }

    /// Does one thing with the room, then sees what it owes and when it wants to be woken. None
    /// when it panicked: the room's memory and sockets are gone, its database is whole.
    async fn turn<R: Send + 'static>(
        &mut self,
        act: impl FnOnce(&mut Host<SqliteSql>, Millis, &mut Table) -> R + Send + 'static,
    ) -> Option<R> {
        self.used = clock::in_(Duration::ZERO);
        let empty = self.empty_seat();
        let mut seat = std::mem::replace(&mut self.seat, empty);
        if seat.host.is_none() {
            seat.host = Some(self.new_host());
        }
        let forgets = self.registry.settings.hibernate == Hibernate::EveryEvent;
        let may_push = self.delivery.is_none();
        // SQLite blocks, and a commit waits for the disk.
        let turned = tokio::task::spawn_blocking(move || {
            let Seat {
                host: Some(host),
                table,
            } = &mut seat
            else {
                return None;
            };
            let forget = |host: &mut Host<SqliteSql>| {
                if forgets {
                    host.hibernate();
                }
            };
            let result = act(host, clock::now(), table);
            forget(host);
            let push = if may_push {
                host.next_push(clock::now(), table)
            } else {
                Ok(None)
            };
            forget(host);
            let deadline = host.next_deadline(table);
            forget(host);
            Some((
                seat,
                Turned {
                    result,
                    push,
                    deadline,
                },
            ))
        });
        match turned.await {
            Ok(Some((seat, turned))) => {
                self.seat = seat;
                Some(self.settle(turned))
            }
            Ok(None) => None,
            Err(panic) => {
                fault(&self.name, "turn", &panic);
                None
            }
        }
    }

    fn settle<R>(&mut self, turned: Turned<R>) -> R {
        match turned.push {
            Ok(Some(push)) => {
                self.deliveries += 1;
                self.delivery = Some(Delivery::new(push, Arc::clone(&self.registry)));
            }
            Ok(None) => {}
            Err(error) => {
                fault(&self.name, "push", &error);
            }
        }
        match turned.deadline {
            Ok(deadline) => self.alarm = deadline,
            Err(error) => {
                fault(&self.name, "deadline", &error);
                self.alarm = Some(clock::now().plus(ALARM_RETRY));
            }
        }
        turned.result
    }

    /// When to look at the clock again.
    fn next_wake(&self) -> Instant {
        let patience = self.waiting.iter().map(|waiting| waiting.until);
        // What a delivery under way was to do at its deadline, it is doing.
        let now = clock::now();
        let alarm = self
            .alarm
            .filter(|at| self.delivery.is_none() || *at > now)
            .map(clock::instant);
        // A hibernating room with sockets or an alarm waits for them alone.
        let rests = self.seat.host.is_none() && !self.is_idle_for_good();
        let idle = (!rests && !self.is_busy()).then(|| self.used + self.idle());
        let soonest = patience.chain(alarm).chain(idle).min();
        soonest.unwrap_or_else(|| clock::in_(Duration::MAX))
    }

    /// Whether something is under way that ends by itself.
    fn is_busy(&self) -> bool {
        self.delivery.is_some() || !self.waiting.is_empty()
    }

    /// Whether nobody and nothing is left that the room would be needed for.
    fn is_idle_for_good(&self) -> bool {
        self.seat.table.is_empty() && self.alarm.is_none() && !self.is_busy()
    }

    fn idle(&self) -> Duration {
        match self.registry.settings.hibernate {
            Hibernate::After(idle) => idle,
            Hibernate::EveryEvent => IDLE_IN_TESTS,
        }
    }

    /// Does what is due; true when the room has left.
    async fn on_time(&mut self) -> bool {
        let now = clock::in_(Duration::ZERO);
        self.answer(None, |waiting| waiting.until <= now);
        if self.alarm.is_some_and(|at| at <= clock::now()) && self.delivery.is_none() {
            self.on_event(Event::Alarm).await;
            let now = clock::now();
            if self.delivery.is_none() && self.alarm.is_some_and(|at| at <= now) {
                self.alarm = Some(now.plus(ALARM_RETRY));
            }
        }
        if now < self.used + self.idle() || self.is_busy() {
            return false;
        }
        self.used = now;
        self.close_database().await;
        self.is_idle_for_good() && self.registry.leave(&self.name, &self.mailbox)
    }

    /// Hibernates: the sockets stay, the memory and the connection to the database go.
    async fn close_database(&mut self) {
        if let Some(host) = self.seat.host.take() {
            // Closing moves the write-ahead log into the database.
            if tokio::task::spawn_blocking(move || drop(host))
                .await
                .is_err()
            {
                fault(&self.name, "hibernation", &"closing the database panicked");
            }
        }
    }

    fn new_host(&self) -> Host<SqliteSql> {
        let settings = &self.registry.settings;
        let sql = SqliteSql::new(settings.rooms.join(file_name(&self.name)));
        Host::new(self.name.clone(), settings.config, random::hex::<8>(), sql)
            .trusting(Arc::clone(&settings.verifier))
    }

    fn empty_seat(&self) -> Seat {
        Seat {
            host: None,
            table: Table::new(self.heartbeat.clone(), self.registry.writers.clone()),
        }
    }
}

/// Logs a fault of ours under a random id, which is all that a client hears of it.
pub(super) fn fault(room: &RoomName, what: &str, error: &dyn Display) -> CallError {
    let id = random::hex::<8>();
    tracing::error!(%id, %room, what, %error, "fault");
    CallError::Fault { id }
}
