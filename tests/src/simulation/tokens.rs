//! Tokens: some last for ever, some only seconds, and another one comes soon or late.

use std::sync::Arc;

use signalroom_core::auth::{Claims, Role, Secret, Verifier};
use signalroom_core::host::Sockets;
use signalroom_core::room::socket::Attachment;
use signalroom_core::time::Millis;
use signalroom_harness::follow::Input;

use super::rng::Rng;
use super::world::World;

/// When the tokens that last expire: long after every run.
pub(super) const EXPIRES_AT: Millis = Millis(1_900_000_000_000);

/// A client's token.
#[derive(Debug)]
pub(super) struct Wallet {
    /// How long a token lasts, milliseconds; none for one that lasts.
    life: Option<i64>,
    /// What the client connects with; none before the first.
    token: Option<String>,
    /// The client has asked for a fresh one.
    pub(super) wanted: bool,
    /// A fresh one came since the last connect: if that is refused too, the user is to sign in.
    renewed: bool,
}

impl Wallet {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let short = rng.one_in(2);
        let life = short.then(|| rng.pick(&[3_000, 15_000, 62_000, 75_000]));
        Self {
            life,
            token: None,
            wanted: false,
            renewed: false,
        }
    }
}

/// Who signs and checks the tokens of a world.
pub(super) fn verifier() -> Arc<Verifier> {
    let secret = Secret::new("a secret of more than thirty-two bytes").expect("long enough");
    Arc::new(Verifier::new(secret, None, None))
}

impl World {
    fn mint(&mut self, client: usize) -> String {
        let life = self.clients[client].wallet.life.filter(|_| !self.calm);
        let expires_at = life.map_or(EXPIRES_AT, |life| self.now.plus(life));
        let claims = Claims {
            sub: format!("client {client}"),
            role: Role::Viewer,
            // Tokens carry whole seconds.
            expires_at: Millis(expires_at.0 / 1000 * 1000 + 1000),
            issued_at: Some(self.now),
        };
        let token = self.verifier.sign(&claims).expect("it signs");
        self.clients[client].wallet.token = Some(token.clone());
        token
    }

    /// What a token says, if it is taken now.
    pub(super) fn claims(&self, token: &str) -> Option<Claims> {
        self.verifier.verify(token, self.now).ok()
    }

    /// What the client connects with; none when that is refused.
    pub(super) fn shown(&mut self, client: usize) -> Option<Claims> {
        let wallet = &mut self.clients[client].wallet;
        let renewed = std::mem::take(&mut wallet.renewed);
        let held = wallet.token.clone();
        let claims = held.as_deref().and_then(|token| self.claims(token));
        if claims.is_some() || (held.is_some() && !renewed) {
            return claims;
        }
        let token = self.mint(client);
        self.claims(&token)
    }

    /// A client that has asked for a fresh token gets one.
    pub(super) fn answer_any(&mut self) {
        let waiting = (0..self.clients.len()).filter(|it| self.clients[*it].wallet.wanted);
        let waiting: Vec<usize> = waiting.collect();
        if !waiting.is_empty() {
            let client = self.rng.pick(&waiting);
            self.answer(client);
        }
    }

    /// A client gets a fresh token.
    pub(super) fn answer(&mut self, client: usize) {
        self.note(format!("client {client} gets a fresh token"));
        let wallet = &mut self.clients[client].wallet;
        wallet.wanted = false;
        wallet.renewed = true;
        let token = self.mint(client);
        self.tell(client, Input::Token(&token), 0);
    }

    /// Looks at the tokens of a room's sockets after its alarm: nothing is due any more.
    pub(super) fn check_tokens(&self, room: usize) {
        for (conn, text) in self.places[room].sockets.attached() {
            let kept = Attachment::decode(&text).expect("an attachment");
            assert!(
                kept.expires_at > self.now,
                "{conn} outlives its token by an alarm"
            );
            assert!(
                kept.warned || kept.warn_at > self.now,
                "{conn} was not warned by an alarm"
            );
        }
    }
}
