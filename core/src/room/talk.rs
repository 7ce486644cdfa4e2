//! What a room and its sockets say to each other beside events: subscriptions, pings, mistakes.

use super::Room;
use super::effects::{Effects, Output};
use super::name::RoomName;
use super::socket::{self, Attachment, ConnId};
use crate::auth::Claims;
use crate::store::{Sql, SqlError};
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::client::{self, BadMessage, Message};
use crate::wire::close::Close;
use crate::wire::{limits, server};

impl Room {
    pub(super) fn receive_text(
        &mut self,
        conn: ConnId,
        text: &str,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        if text.len() > limits::MAX_MESSAGE_BYTES {
            self.close(conn, Close::TooBig, fx);
            return Ok(());
        }
        if text == limits::PING {
            let pong = server::bare_pong(self.log.epoch(), self.log.top());
            fx.send(conn, pong.into());
            return Ok(());
        }
        if !self.may_send(conn, now, fx) {
            return Ok(());
        }
        match client::decode(text) {
            Ok(message) => return self.obey(conn, message, now, sql, fx),
            Err(bad) => self.refuse(conn, &bad, now, fx),
        }
        Ok(())
    }

    fn obey(
        &mut self,
        conn: ConnId,
        message: Message,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        let Some(socket) = self.sockets.get(conn) else {
            return Ok(());
        };
        let mut changed = socket.clone();
        let mut replies = Vec::new();
        let mut confirm =
            |kind, symbol: &str| replies.push(server::confirmation(kind, symbol, now));
        match message {
            Message::Subscribe(symbols) | Message::Unsubscribe(symbols)
                if self.strangers(&symbols) =>
            {
                let bad = BadMessage::InvalidData("this socket carries its own symbol alone");
                self.refuse(conn, &bad, now, fx);
                return Ok(());
            }
            Message::Subscribe(symbols) => {
                changed.filter = changed.filter.with(&symbols);
                symbols
                    .iter()
                    .for_each(|s| confirm("subscription_confirmed", s.as_str()));
            }
            Message::Unsubscribe(symbols) => {
                changed.filter = changed.filter.without(&symbols);
                symbols
                    .iter()
                    .for_each(|s| confirm("unsubscription_confirmed", s.as_str()));
            }
            Message::SubscribeAll => {
                changed.filter = socket::Filter::all();
                confirm("subscription_confirmed", "*");
            }
            Message::SubscribeCity | Message::UnsubscribeCity => {
                let Some(city) = self.city() else {
                    let bad = BadMessage::InvalidData("the city state is on /ws");
                    self.refuse(conn, &bad, now, fx);
                    return Ok(());
                };
                changed.city = matches!(message, Message::SubscribeCity);
                let kind = if changed.city {
                    "city_state_subscription_confirmed"
                } else {
                    "city_state_unsubscription_confirmed"
                };
                replies.push(server::encode(kind, serde_json::Map::new(), now));
                if changed.city {
                    replies.push(server::encode("city_state_update", city, now));
                }
            }
            Message::SubscribeMarket | Message::UnsubscribeMarket => {
                if !matches!(self.name, RoomName::Feed) {
                    let bad = BadMessage::InvalidData("the market's mood is on /ws");
                    self.refuse(conn, &bad, now, fx);
                    return Ok(());
                }
                changed.market = matches!(message, Message::SubscribeMarket);
                let kind = if changed.market {
                    "market_subscription_confirmed"
                } else {
                    "market_unsubscription_confirmed"
                };
                replies.push(server::encode(kind, serde_json::Map::new(), now));
                if let Some(market) = self.market().filter(|_| changed.market) {
                    replies.push(server::encode("market_update", market, now));
                }
            }
            Message::Heartbeat => {
                replies.push(server::bare_pong(self.log.epoch(), self.log.top()).into());
            }
            Message::Authenticate { token } => {
                return self.authenticate(conn, &token, now, sql, fx);
            }
            Message::Ping { timestamp } => {
                let data = server::Pong {
                    timestamp: now,
                    echo: timestamp.as_deref(),
                    epoch: self.log.epoch(),
                    seq: self.log.top(),
                };
                replies.push(server::encode("pong", data, now));
            }
        }
        if changed.filter.len() > limits::MAX_SUBSCRIPTIONS {
            let bad = BadMessage::InvalidData("at most 500 symbols");
            self.refuse(conn, &bad, now, fx);
            return Ok(());
        }
        self.keep(conn, changed, fx);
        for frame in replies {
            fx.send(conn, frame);
        }
        Ok(())
    }

    /// Replaces a socket's token by another of the same subject.
    fn authenticate(
        &mut self,
        conn: ConnId,
        token: &str,
        now: Millis,
        sql: &dyn Sql,
        fx: &mut Effects,
    ) -> Result<(), SqlError> {
        let Some(socket) = self.sockets.get(conn) else {
            return Ok(());
        };
        let claims = self.verifier.as_ref().map(|v| v.verify(token, now));
        // A token may be a little late for a request, but a socket would end at once.
        let good = |claims: &Claims| claims.sub == socket.sub && claims.expires_at > now;
        let claims = claims.and_then(Result::ok).filter(good);
        let Some(claims) = claims else {
            self.refuse(conn, &BadMessage::Unauthorized, now, fx);
            return Ok(());
        };
        if Self::shuts_out(&claims.sub, claims.issued_at, sql)? {
            self.refuse(conn, &BadMessage::Unauthorized, now, fx);
            return Ok(());
        }
        let renewed = socket.renewed(&claims, now);
        self.keep(conn, renewed, fx);
        let expires_at = claims.expires_at;
        let told = server::Expiry { expires_at };
        fx.send(conn, server::encode("authenticated", told, now));
        Ok(())
    }

    /// Warns sockets whose tokens are about to expire, and closes those whose have: nothing that
    /// is sent afterwards reaches them.
    pub(crate) fn tell_expiry(&mut self, now: Millis, fx: &mut Effects) {
        while let Some((conn, socket)) = self.sockets.due(now) {
            let expires_at = socket.expires_at;
            if expires_at <= now {
                self.close(conn, Close::TokenExpired, fx);
                continue;
            }
            let mut warned = socket.clone();
            warned.warned = true;
            let data = server::Expiry { expires_at };
            fx.send(conn, server::encode("token_expiring", data, now));
            self.keep(conn, warned, fx);
        }
    }

    /// Whether a socket is still here and its token good: an alarm that is late gives no extra
    /// time.
    pub(super) fn may_speak(&mut self, conn: ConnId, now: Millis, fx: &mut Effects) -> bool {
        self.tell_expiry(now, fx);
        self.sockets.get(conn).is_some()
    }

    /// Whether a symbol room's socket names other symbols than the room's.
    fn strangers(&self, symbols: &[Symbol]) -> bool {
        match &self.name {
            RoomName::Symbol(own) => symbols.iter().any(|symbol| symbol != own),
            RoomName::Feed => false,
        }
    }

    /// Remembers a socket's new state, here and with the platform.
    pub(super) fn keep(&mut self, conn: ConnId, socket: Attachment, fx: &mut Effects) {
        if self.sockets.get(conn) == Some(&socket) {
            return;
        }
        match socket.encode() {
            Ok(attachment) => {
                fx.outputs.push(Output::Attach { conn, attachment });
                self.sockets.insert(conn, socket);
            }
            Err(_) => self.close(conn, Close::TooBig, fx),
        }
    }

    pub(super) fn refuse(&mut self, conn: ConnId, bad: &BadMessage, now: Millis, fx: &mut Effects) {
        let Some(socket) = self.sockets.get(conn) else {
            return;
        };
        let mut changed = socket.clone();
        changed.bad_messages = changed.bad_messages.saturating_add(1);
        fx.send(conn, server::error(bad.code(), &bad.to_string(), now));
        if changed.bad_messages >= limits::MAX_BAD_MESSAGES {
            self.close(conn, Close::BadMessages, fx);
        } else {
            self.keep(conn, changed, fx);
        }
    }

    pub(super) fn close(&mut self, conn: ConnId, close: Close, fx: &mut Effects) {
        self.sockets.remove(conn);
        fx.outputs.push(Output::Close { conn, close });
    }
}
