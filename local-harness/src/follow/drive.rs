//! Runs a [`Follower`] over a real socket, with the real clock and real randomness.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use signalroom_core::time::Millis;
use signalroom_core::wire::limits;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{self, ClientRequestBuilder};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Cause, Failed, Follower, Input, Message, Output, Position, Reason};
use crate::{clock, random};

/// How long a server may take to read a frame.
const SEND: Duration = Duration::from_secs(5);
/// How long an orderly end of a connection may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a driver needs of its surroundings. An error ends the driver.
pub trait Host: Send {
    /// Why the surroundings cannot go on.
    type Error: Send;

    /// The socket's address with its filters, and the token to connect with.
    ///
    /// # Errors
    /// There is no address.
    fn dial(&mut self) -> Result<(Url, String), Self::Error>;

    /// A token other than the one used so far, if there is one.
    fn fresh_token(&mut self) -> Option<String>;

    /// Takes a message.
    ///
    /// # Errors
    /// It cannot be taken.
    fn deliver(&mut self, message: Message) -> Result<(), Self::Error>;

    /// Takes note that everything up to here has been delivered.
    ///
    /// # Errors
    /// It cannot be noted.
    fn reached(&mut self, position: &Position) -> Result<(), Self::Error>;

    /// Hears that the connection is lost, why (in words too), and how long until the next connect.
    ///
    /// # Errors
    /// There shall be no next connect.
    fn lost(&mut self, cause: Cause, why: &str, wait: Duration) -> Result<(), Self::Error>;
}

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Connecting = Pin<Box<dyn Future<Output = Result<Box<Stream>, tungstenite::Error>> + Send>>;

enum Link {
    None,
    Connecting(Connecting),
    Open(Box<Stream>),
}

/// An [`Input`] on its way.
enum Event {
    Tick,
    Connected(Result<Box<Stream>, tungstenite::Error>),
    Frame(Option<Result<tungstenite::Message, tungstenite::Error>>),
    Cut,
    Token(Option<String>),
}

/// Follows until it is over, and says why. May be dropped at any moment: what `host` was told
/// stands.
///
/// # Errors
/// Those of `host`.
pub async fn drive<H: Host>(follower: &mut Follower, host: &mut H) -> Result<Reason, H::Error> {
    let begun = clock::in_(Duration::ZERO);
    let mut link = Link::None;
    let mut wake_at = None;
    let mut events = VecDeque::from([Event::Tick]);
    // What the network said of the loss that the follower is about to report.
    let mut detail = None;
    loop {
        let event = match events.pop_front() {
            Some(event) => event,
            None => next(&mut link, wake_at).await,
        };
        let now = elapsed(begun);
        let outputs = match &event {
            Event::Tick => follower.handle(Input::Tick, now, random::fraction()),
            Event::Cut => follower.handle(Input::Closed(None), now, random::fraction()),
            Event::Token(token) => {
                let input = token.as_deref().map_or(Input::NoToken, Input::Token);
                follower.handle(input, now, random::fraction())
            }
            Event::Connected(Ok(_)) => follower.handle(Input::Opened, now, random::fraction()),
            Event::Connected(Err(error)) => {
                detail = Some(error.to_string());
                let failed = match error {
                    tungstenite::Error::Http(refusal) => Failed::Status(refusal.status().as_u16()),
                    _ => Failed::Unreachable,
                };
                follower.handle(Input::Failed(failed), now, random::fraction())
            }
            Event::Frame(frame) => match frame {
                Some(Ok(tungstenite::Message::Text(text))) => {
                    follower.handle(Input::Text(text.as_str()), now, random::fraction())
                }
                Some(Ok(tungstenite::Message::Close(close))) => {
                    detail = close.as_ref().map(|close| close.reason.to_string());
                    let code = close.as_ref().map(|close| u16::from(close.code));
                    follower.handle(Input::Closed(code), now, random::fraction())
                }
                Some(Ok(_)) => continue,
                Some(Err(error)) => {
                    detail = Some(error.to_string());
                    follower.handle(Input::Closed(None), now, random::fraction())
                }
                None => follower.handle(Input::Closed(None), now, random::fraction()),
            },
        };
        link = match (event, link) {
            (Event::Connected(Ok(stream)), _) => Link::Open(stream),
            (Event::Connected(Err(_)), _) => Link::None,
            (_, link) => link,
        };
        wake_at = None;
        for output in outputs {
            match output {
                Output::Connect { resume } => {
                    let (url, token) = host.dial()?;
                    link = Link::Connecting(connect(url, &token, resume.as_ref()));
                }
                Output::Send(text) => {
                    let message = tungstenite::Message::text(text);
                    if let Link::Open(stream) = &mut link
                        && !matches!(timeout(SEND, stream.send(message)).await, Ok(Ok(())))
                    {
                        events.push_back(Event::Cut);
                    }
                }
                Output::Deliver(message) => host.deliver(*message)?,
                Output::Reached(position) => host.reached(&position)?,
                Output::FreshToken => events.push_back(Event::Token(host.fresh_token())),
                // Only after `Failed::Unknown`, and what fails here is always known.
                Output::CheckToken => {}
                // `Lost` follows, and parts in any case.
                Output::Close => {}
                Output::Lost { cause, until } => {
                    part(&mut link).await;
                    let why = match detail.take().filter(|detail| !detail.is_empty()) {
                        Some(detail) => format!("{cause} ({detail})"),
                        None => cause.to_string(),
                    };
                    let wait = u64::try_from(until.0 - now.0).unwrap_or_default();
                    host.lost(cause, &why, Duration::from_millis(wait))?;
                }
                Output::WaitUntil(at) => {
                    let millis = u64::try_from(at.0).unwrap_or_default();
                    wake_at = Some(begun + Duration::from_millis(millis));
                }
                Output::Stop(reason) => {
                    part(&mut link).await;
                    return Ok(reason);
                }
            }
        }
    }
}

/// What happens next on the link, or the end of the wait.
async fn next(link: &mut Link, wake_at: Option<Instant>) -> Event {
    let happens = async {
        match link {
            Link::None => std::future::pending().await,
            Link::Connecting(connecting) => Event::Connected(connecting.await),
            Link::Open(stream) => Event::Frame(stream.next().await),
        }
    };
    let wake = async {
        match wake_at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        event = happens => event,
        () = wake => Event::Tick,
    }
}

fn connect(mut url: Url, token: &str, resume: Option<&Position>) -> Connecting {
    if let Some(position) = resume {
        url.query_pairs_mut()
            .append_pair("epoch", &position.epoch)
            .append_pair("since", &position.seq.to_string());
    }
    let protocols = [limits::SUBPROTOCOL.to_owned(), format!("bearer.{token}")];
    Box::pin(async move {
        let uri = url
            .as_str()
            .parse()
            .map_err(tungstenite::http::Error::from)?;
        let request = protocols
            .into_iter()
            .fold(ClientRequestBuilder::new(uri), |request, protocol| {
                request.with_sub_protocol(protocol)
            });
        let (stream, _) = connect_async(request).await?;
        Ok(Box::new(stream))
    })
}

/// Ends a connection in order, if the server still listens.
async fn part(link: &mut Link) {
    if let Link::Open(mut stream) = std::mem::replace(link, Link::None) {
        let _ = timeout(GOODBYE, stream.close(None)).await;
    }
}

fn elapsed(begun: Instant) -> Millis {
    Millis(i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX))
}
