//! A listener that is a socket: who it is, what it follows, and how that survives hibernation.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::call::EventKind;
use crate::auth::{Claims, Role};
use crate::rate::Bucket;
use crate::symbol::Symbol;
use crate::time::Millis;
use crate::wire::limits;

/// A connection's identity, made by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

impl ConnId {
    /// An identity for a socket that connects now, after `last`: later ones are larger. A room goes
    /// through its sockets in the order of their identities, so that is the order in which the
    /// platform got them, and has them in memory. `random` tells apart those of one millisecond.
    #[must_use]
    pub fn following(last: Option<Self>, now: Millis, random: u64) -> Self {
        const RANDOM_BITS: u32 = 22;
        let at = u64::try_from(now.0).unwrap_or_default() << RANDOM_BITS;
        let drawn = at | (random & ((1 << RANDOM_BITS) - 1));
        Self(last.map_or(drawn, |last| drawn.max(last.0.saturating_add(1))))
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for ConnId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// Which symbols a socket follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// These alone.
    Only(BTreeSet<Symbol>),
    /// All but these.
    AllBut(BTreeSet<Symbol>),
}

impl Filter {
    /// What a socket starts with.
    pub fn all() -> Self {
        Self::AllBut(BTreeSet::new())
    }

    /// Whether the socket follows `symbol`.
    pub fn passes(&self, symbol: &Symbol) -> bool {
        match self {
            Self::Only(symbols) => symbols.contains(symbol),
            Self::AllBut(symbols) => !symbols.contains(symbol),
        }
    }

    /// The filter after subscribing: the first subscription narrows to what it names.
    #[must_use]
    pub fn with(&self, more: &[Symbol]) -> Self {
        let mut symbols = match self {
            Self::Only(symbols) => symbols.clone(),
            Self::AllBut(_) => BTreeSet::new(),
        };
        symbols.extend(more.iter().cloned());
        Self::Only(symbols)
    }

    /// The filter after unsubscribing.
    #[must_use]
    pub fn without(&self, less: &[Symbol]) -> Self {
        match self {
            Self::Only(symbols) => Self::Only(
                symbols
                    .iter()
                    .filter(|s| !less.contains(s))
                    .cloned()
                    .collect(),
            ),
            Self::AllBut(symbols) => Self::AllBut(symbols.iter().chain(less).cloned().collect()),
        }
    }

    /// How many symbols it names.
    pub fn len(&self) -> usize {
        match self {
            Self::Only(symbols) | Self::AllBut(symbols) => symbols.len(),
        }
    }

    /// Whether it names no symbol.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a client left off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResumeFrom {
    /// Epoch of the log it followed.
    pub epoch: String,
    /// Last sequence number it saw.
    pub since: i64,
}

/// An authenticated request for a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The token's subject.
    pub sub: String,
    /// The token's role.
    pub role: Role,
    /// The token's expiry.
    pub expires_at: Millis,
    /// When the token was issued.
    pub issued_at: Option<Millis>,
    /// Whether the client negotiated `signalroom.v1` and takes array frames.
    pub batch: bool,
    /// What to follow from the start, all when absent.
    pub symbols: Option<Vec<Symbol>>,
    /// Whether to follow the city state from the start.
    pub city: bool,
    /// Whether to follow the market's mood from the start.
    #[serde(default)]
    pub market: bool,
    /// Where to resume.
    pub resume: Option<ResumeFrom>,
}

/// What is known of a socket; kept by the platform while the room hibernates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Version of this layout.
    v: u8,
    /// The token's subject.
    pub sub: String,
    /// The token's role.
    pub role: Role,
    /// The token's expiry.
    pub expires_at: Millis,
    /// When the token was issued.
    pub issued_at: Option<Millis>,
    /// Whether it takes array frames.
    pub batch: bool,
    /// What it follows.
    pub filter: Filter,
    /// Whether it follows the city state.
    pub city: bool,
    /// Whether it follows the market's mood.
    #[serde(default)]
    pub market: bool,
    /// When it is told that its token is about to expire.
    pub warn_at: Millis,
    /// Whether it was told.
    pub warned: bool,
    /// Bad messages so far.
    pub bad_messages: u8,
    /// What is left of its messages a minute.
    pub messages: Bucket,
    /// Whether it was told that it sends too many.
    pub too_many: bool,
}

/// An attachment that cannot be read or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// Written by another version, or damaged.
    #[error("not an attachment of this version")]
    Unreadable,
    /// Beyond what a hibernating socket may carry.
    #[error("larger than 16,384 bytes")]
    TooLarge,
}

impl Attachment {
    const VERSION: u8 = 3;

    /// The attachment of a new socket.
    pub fn new(hello: &Hello, now: Millis) -> Self {
        Self {
            v: Self::VERSION,
            sub: hello.sub.clone(),
            role: hello.role,
            expires_at: hello.expires_at,
            issued_at: hello.issued_at,
            warn_at: Self::warn_at(hello.expires_at, now),
            batch: hello.batch,
            filter: hello
                .symbols
                .as_ref()
                .map_or_else(Filter::all, |symbols| Filter::all().with(symbols)),
            city: hello.city,
            market: hello.market,
            warned: false,
            bad_messages: 0,
            messages: Bucket::FULL,
            too_many: false,
        }
    }

    /// A minute before the token expires, or half-way if it has less than two left: who renews by
    /// short tokens is not asked again at once.
    fn warn_at(expires_at: Millis, now: Millis) -> Millis {
        let left = expires_at.0.saturating_sub(now.0).max(0);
        expires_at.plus(-limits::TOKEN_WARNING_MS.min(left / 2))
    }

    /// The attachment with a fresh token.
    #[must_use]
    pub fn renewed(&self, claims: &Claims, now: Millis) -> Self {
        let expires_at = claims.expires_at;
        Self {
            role: claims.role,
            expires_at,
            issued_at: claims.issued_at,
            warn_at: Self::warn_at(expires_at, now),
            warned: false,
            ..self.clone()
        }
    }

    /// Whether an event of this kind and symbol is for this socket. Everybody hears decisions.
    pub fn wants(&self, kind: EventKind, symbol: &Symbol) -> bool {
        match kind {
            EventKind::ApprovalNotification => true,
            EventKind::NewSignal => self.filter.passes(symbol),
        }
    }

    /// As it is kept by the platform.
    ///
    /// # Errors
    /// [`AttachmentError::TooLarge`] beyond the platform's limit.
    pub fn encode(&self) -> Result<String, AttachmentError> {
        let text = serde_json::to_string(self).map_err(|_| AttachmentError::Unreadable)?;
        if text.len() > limits::MAX_ATTACHMENT_BYTES {
            return Err(AttachmentError::TooLarge);
        }
        Ok(text)
    }

    /// Reads what [`Attachment::encode`] wrote.
    ///
    /// # Errors
    /// [`AttachmentError::Unreadable`] when it is not one of this version.
    pub fn decode(text: &str) -> Result<Self, AttachmentError> {
        serde_json::from_str::<Self>(text)
            .ok()
            .filter(|attachment| attachment.v == Self::VERSION)
            .ok_or(AttachmentError::Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_connects_later_comes_later() {
        let now = Millis(1_795_000_000_000);
        let first = ConnId::following(None, now, u64::MAX);
        let second = ConnId::following(Some(first), now, 0);
        let third = ConnId::following(None, now.plus(1), 0);
        assert!(
            first < second && second <= third,
            "{first} {second} {third}"
        );
        assert_ne!(
            ConnId::following(None, now, 1),
            ConnId::following(None, now, 2)
        );
        // A clock that was set back.
        assert!(ConnId::following(Some(third), now, 7) > third);
    }

    fn symbols(texts: &[&str]) -> Vec<Symbol> {
        texts
            .iter()
            .map(|text| text.parse().expect("a symbol"))
            .collect()
    }

    #[test]
    fn first_subscription_narrows_and_the_last_unsubscription_leaves_none() {
        let [a, b] = [&symbols(&["A"]), &symbols(&["B"])];
        let all = Filter::all();
        assert!(all.passes(&a[0]));
        let only_a = all.with(a);
        assert!(only_a.passes(&a[0]) && !only_a.passes(&b[0]));
        let none = only_a.without(a);
        assert!(!none.passes(&a[0]) && !none.passes(&b[0]));
        assert!(none.with(b).passes(&b[0]));
        let all_but_a = all.without(a);
        assert!(!all_but_a.passes(&a[0]) && all_but_a.passes(&b[0]));
    }

    #[test]
    fn the_largest_allowed_subscription_fits_the_platform() {
        let many: Vec<Symbol> = (0..limits::MAX_SUBSCRIPTIONS)
            .map(|n| format!("ABCDEFGHIJK{n:04}").parse().expect("a symbol"))
            .collect();
        let hello = Hello {
            sub: "x".repeat(256),
            role: Role::Viewer,
            expires_at: Millis(253_402_300_799_000),
            issued_at: None,
            batch: true,
            symbols: Some(many),
            city: true,
            market: true,
            resume: None,
        };
        let attachment = Attachment::new(&hello, Millis(0));
        let text = attachment.encode().expect("fits");
        assert_eq!(Attachment::decode(&text), Ok(attachment));
        assert_eq!(Attachment::decode("{}"), Err(AttachmentError::Unreadable));
    }
}
