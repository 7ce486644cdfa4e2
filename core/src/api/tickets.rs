//! Socket tickets, for clients that can send neither a header nor a subprotocol.
//!
//! A ticket stands in for the token that asked for it, once and not for long. Whoever reads it
//! later, in a log or a history, has nothing; the feed keeps its hash alone.

use serde::Serialize;

use super::problem::Problem;
use super::{Asked, Next, Response, failed, gate, mixed_up, sockets};
use crate::audit::Hash;
use crate::room::call::{Call, Reply};
use crate::room::name::RoomName;
use crate::time::Millis;

/// How long a ticket is.
const TICKET_DIGITS: usize = 32;

/// A ticket for `?ticket=`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct Ticket {
    /// 32 hexadecimal digits, good for one socket.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{32}$"))]
    ticket: String,
    /// Until when it opens one.
    expires_at: Millis,
}

/// Hands one out.
pub(super) fn issue(asked: Asked) -> Result<Next, Problem> {
    let claims = asked.claims.clone().ok_or_else(Problem::unauthorized)?;
    let ticket = asked.request.nonce.clone();
    let call = Call::KeepTicket {
        ticket: Hash::of(ticket.as_bytes()),
        holder: claims.into(),
    };
    Ok(asked.ask(call, |reply| {
        let Reply::TicketKept { until: expires_at } = reply else {
            return Err(mixed_up());
        };
        Ok(Response::json(201, &Ticket { ticket, expires_at }))
    }))
}

/// Opens a socket for whoever a ticket was made for. Nobody has shown a token yet, so it is the
/// address that is counted.
pub(super) fn redeem(asked: Asked) -> Result<Next, Problem> {
    let ticket = asked.params.text("ticket").unwrap_or_default();
    let shaped = ticket.len() == TICKET_DIGITS && ticket.bytes().all(|it| it.is_ascii_hexdigit());
    if !shaped {
        return Err(Problem::invalid_token());
    }
    let ticket = Hash::of(ticket.as_bytes());
    let key = format!(
        "address {}",
        asked.request.peer.as_deref().unwrap_or_default()
    );
    Ok(gate::counted(key, move |_| Ok(ask_feed(ticket, asked))))
}

fn ask_feed(ticket: Hash, asked: Asked) -> Next {
    let call = Call::Redeem {
        ticket,
        opens: asked.symbol.clone(),
    };
    Next::Call {
        calls: vec![(RoomName::Feed, call)],
        then: Box::new(move |mut replies, now| match replies.pop() {
            Some(Ok(Reply::Redeemed(Some(holder)))) if holder.expires_at > now => {
                let claims = Some(holder.into());
                sockets::upgrade(Asked { claims, ..asked }).unwrap_or_else(Next::from)
            }
            Some(Ok(Reply::Redeemed(_))) => Problem::invalid_token().into(),
            Some(Err(error)) => failed(error, None, false).into(),
            Some(Ok(_)) | None => mixed_up().into(),
        }),
    }
}
