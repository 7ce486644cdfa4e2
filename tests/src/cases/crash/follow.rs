//! One client's life: the product's follower decides, and beside it stands the raw stream.
//!
//! The follower drops what it has had, so it would hide a server that repeats itself: what counts
//! as heard is what the frames hold. The socket itself refuses an event at or below the position
//! that it resumed from, or out of order.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use signalroom_core::time::Millis;
use signalroom_harness::follow::{Failed, Follower, Input, Output, Pace, Position};
use tokio::time::{Instant, sleep_until};

use super::Dice;
use super::clients::Ear;
use crate::client::socket::{Frame, Socket};

/// Faster than a client in the field, so that kills follow each other fast.
fn pace() -> Pace {
    Pace {
        window: Duration::from_millis(100),
        least: Duration::from_millis(20),
        most: Duration::from_millis(200),
        well: Duration::ZERO,
        ..Pace::default()
    }
}

/// What the follower is to hear of next.
enum Event {
    Tick,
    Opened,
    Failed(Failed),
    Text(String),
    Closed(Option<u16>),
    NoToken,
}

/// Follows until something is wrong; `number` sets its waits.
pub(super) async fn follow(ear: &Ear, number: usize) -> Result<()> {
    let mut follower = Follower::paced(None, pace());
    let mut dice = Dice::new(number);
    let begun = Instant::now();
    let mut socket: Option<Socket> = None;
    let mut wake = None;
    let mut events = VecDeque::from([Event::Tick]);
    loop {
        let event = match events.pop_front() {
            Some(event) => event,
            None => next(ear, &mut socket, wake).await?,
        };
        let input = match &event {
            Event::Tick => Input::Tick,
            Event::Opened => Input::Opened,
            Event::Failed(failed) => Input::Failed(*failed),
            Event::Text(text) => Input::Text(text),
            Event::Closed(code) => Input::Closed(*code),
            Event::NoToken => Input::NoToken,
        };
        let now = Millis(i64::try_from(begun.elapsed().as_millis())?);
        wake = None;
        for output in follower.handle(input, now, dice.fraction()) {
            match output {
                Output::Connect { resume } => {
                    let connected = connect(ear, resume.as_ref()).await?;
                    events.push_back(match connected {
                        Ok(opened) => {
                            socket = Some(opened);
                            Event::Opened
                        }
                        Err(failed) => Event::Failed(failed),
                    });
                }
                Output::Send(text) => {
                    if let Some(open) = &mut socket
                        && open.send_text(&text).await.is_err()
                    {
                        events.push_back(Event::Closed(None));
                    }
                }
                Output::Deliver(message) => ear.delivered(&message),
                Output::Close | Output::Lost { .. } => socket = None,
                Output::FreshToken => events.push_back(Event::NoToken),
                Output::WaitUntil(at) => {
                    wake = Some(begun + Duration::from_millis(u64::try_from(at.0)?));
                }
                Output::Reached(_) | Output::CheckToken => {}
                Output::Stop(reason) => bail!("{reason}"),
            }
        }
    }
}

async fn connect(ear: &Ear, resume: Option<&Position>) -> Result<Result<Socket, Failed>> {
    let mut dial = ear.dial();
    if let Some(from) = resume {
        dial = dial.resume(&json!(from.epoch), u64::try_from(from.seq)?);
    }
    // A server that is just being killed does not answer: that is no failure of the client.
    Ok(match dial.attempt().await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(refusal)) => Err(Failed::Status(refusal.status)),
        Err(_) => Err(Failed::Unreachable),
    })
}

/// What happens next on the socket, or the end of the wait.
async fn next(ear: &Ear, socket: &mut Option<Socket>, wake: Option<Instant>) -> Result<Event> {
    let frame = async {
        match socket {
            Some(socket) => socket.frame().await,
            None => std::future::pending().await,
        }
    };
    let tick = async {
        match wake {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    let frame = tokio::select! {
        frame = frame => frame?,
        () = tick => return Ok(Event::Tick),
    };
    Ok(match frame {
        Frame::Text(text, messages) => {
            ear.came(messages);
            Event::Text(text.as_str().to_owned())
        }
        Frame::Closed(code) => Event::Closed(Some(code)),
        Frame::Broke(_) => Event::Closed(None),
    })
}
