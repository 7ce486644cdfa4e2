//! An identity provider: where its keys are, when they are fetched, and how long they are kept.
//!
//! Nothing is fetched here. An adapter asks what a token [wants](super::Verifier::wants), fetches,
//! hands in what came, and asks again; when there is nothing left to want, the token is judged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Uri;
use serde_json::{Map, Value};

use super::jwks::{Choice, KeySet, KeysError};
use super::jws::{Alg, Jws};
use super::verifier::AuthError;
use crate::time::Millis;

/// How long a fetch may take, milliseconds.
pub const FETCH_DEADLINE_MS: u32 = 5_000;

/// At least so long lies between two fetches once there are keys, milliseconds: tokens with made-up
/// key names must not become requests to the provider.
pub const REFRESH_PAUSE_MS: i64 = 30_000;

/// After so long keys are fetched anew, milliseconds: how long a key that the provider has
/// withdrawn is trusted at most while it answers.
pub const MAX_AGE_MS: i64 = 10 * 60_000;

/// How long to wait before asking again while another request fetches, milliseconds.
pub const WAIT_MS: u64 = 25;

/// At least so long lies between two fetches while there are no keys at all, milliseconds.
pub(crate) const RETRY_PAUSE_MS: i64 = 5_000;

/// A fetch that has not ended by then never will: whoever asked for it is gone.
const FLIGHT_MS: i64 = FETCH_DEADLINE_MS as i64 + 1_000;

/// What an adapter does before a token is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// Fetch this address (GET, no redirects, [`FETCH_DEADLINE_MS`],
    /// [`MAX_DOCUMENT_BYTES`](super::MAX_DOCUMENT_BYTES)), hand in what comes, ask again.
    Fetch(String),
    /// Another request is fetching: ask again after [`WAIT_MS`].
    Wait,
}

/// `JWKS_URL` is not one that keys can be trusted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("JWKS_URL must be an https:// address (http:// only for this machine)")]
pub struct InvalidKeysUrl;

/// An identity provider and what is known of its keys. Clones of a verifier share it.
#[derive(Debug)]
pub struct Provider {
    url: String,
    role: String,
    subject: String,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    keys: Option<Arc<KeySet>>,
    /// When they came.
    fetched: Option<Millis>,
    /// When a fetch last began or ended.
    tried: Option<Millis>,
    /// When the fetch under way began.
    flight: Option<Millis>,
    /// Whether the last one failed.
    failing: bool,
}

enum Due {
    Fetch,
    Wait,
}

impl Cache {
    fn due(&self, alg: Alg, kid: Option<&str>, now: Millis) -> Option<Due> {
        let choice = self.keys.as_ref().map(|keys| keys.choose(alg, kid));
        let judged = matches!(choice, Some(Choice::Key(_) | Choice::Ambiguous));
        // A clock that was set back makes nobody wait.
        let within = |since: Option<Millis>, span| {
            since.is_some_and(|since| (0..span).contains(&(now.0 - since.0)))
        };
        if judged && within(self.fetched, MAX_AGE_MS) {
            return None;
        }
        if within(self.flight, FLIGHT_MS) {
            // Keys that are merely old do until the new ones are there.
            return (!judged).then_some(Due::Wait);
        }
        let pause = match self.keys {
            Some(_) => REFRESH_PAUSE_MS,
            None => RETRY_PAUSE_MS,
        };
        (!within(self.tried, pause)).then_some(Due::Fetch)
    }
}

impl Provider {
    /// A provider with its keys at `url`, whose tokens name role and subject in these claims: a
    /// member's name, or a path of names with dots between them.
    ///
    /// # Errors
    /// [`InvalidKeysUrl`] when anybody on the way could replace the keys.
    pub fn new(url: &str, role: String, subject: String) -> Result<Self, InvalidKeysUrl> {
        Ok(Self {
            url: trusted(url.trim()).ok_or(InvalidKeysUrl)?,
            role,
            subject,
            cache: Mutex::default(),
        })
    }

    /// The claim with the role.
    pub(super) fn role<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        find(claims, &self.role)
    }

    /// The claim with the subject.
    pub(super) fn subject<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        find(claims, &self.subject)
    }

    /// Checks a token's signature with the keys that are here.
    ///
    /// A token that nobody could judge, because the provider has not been reached yet, is told
    /// apart from a bad one: a client that took 401 for an answer would ask its user to sign in,
    /// which cannot help. Once there are keys, whoever none of them vouches for is refused.
    pub(super) fn check(&self, token: &Jws<'_>) -> Result<(), AuthError> {
        let keys = self.locked().keys.clone();
        let keys = keys.ok_or(AuthError::NoKeys)?;
        match keys.choose(token.alg, token.kid.as_deref()) {
            Choice::Key(key) if key.signed(token) => Ok(()),
            Choice::Key(_) | Choice::Unknown | Choice::Ambiguous => Err(AuthError::Invalid),
        }
    }

    /// What is to be done before a token like this is judged. Whoever is told to fetch does.
    pub(super) fn wants(&self, alg: Alg, kid: Option<&str>, now: Millis) -> Option<Want> {
        let mut cache = self.locked();
        Some(match cache.due(alg, kid, now)? {
            Due::Wait => Want::Wait,
            Due::Fetch => {
                cache.tried = Some(now);
                cache.flight = Some(now);
                Want::Fetch(self.url.clone())
            }
        })
    }

    /// Whether anything is to be done.
    pub(super) fn lacks(&self, alg: Alg, kid: Option<&str>, now: Millis) -> bool {
        self.locked().due(alg, kid, now).is_some()
    }

    /// Takes in what a fetch brought. Keys that are here stay when it brought none. The error is
    /// to be logged; none while the provider fails on.
    pub(super) fn fetched(
        &self,
        answer: Result<Vec<u8>, KeysError>,
        now: Millis,
    ) -> Option<KeysError> {
        let keys = answer.and_then(|document| KeySet::read(&document));
        let mut cache = self.locked();
        cache.tried = Some(now);
        cache.flight = None;
        let failed_before = std::mem::replace(&mut cache.failing, keys.is_err());
        match keys {
            Ok(keys) => {
                cache.keys = Some(Arc::new(keys));
                cache.fetched = Some(now);
                None
            }
            Err(error) => (!failed_before).then_some(error),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Cache> {
        // Nothing panics while the lock is held.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member by its name, else by a path of names. A name may have dots itself: providers use
/// addresses as names of claims.
fn find<'a>(members: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = members.get(path) {
        return Some(value);
    }
    let (name, rest) = path.split_once('.')?;
    find(members.get(name)?.as_object()?, rest)
}

/// The address, if nobody on the way can answer in the provider's place: by TLS, or on this
/// machine.
pub(crate) fn trusted(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    if authority.as_str().contains('@') || url.contains('#') {
        return None;
    }
    let host = authority.host();
    let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let trusted = match uri.scheme_str()? {
        "https" => !host.is_empty(),
        "http" => here,
        _ => false,
    };
    trusted.then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_addresses_that_cannot_be_answered_by_others() {
        for good in [
            "https://id.example/certs",
            "https://team.cloudflareaccess.com/cdn-cgi/access/certs",
            "https://id.example:8443/a?b=c",
            "http://127.0.0.1:8080/jwks",
            "http://localhost/jwks",
            "http://[::1]:1/jwks",
        ] {
            assert_eq!(trusted(good).as_deref(), Some(good));
        }
        for bad in [
            "",
            "certs",
            "/certs",
            "id.example/certs",
            "http://id.example/certs",
            "http://127.0.0.1.id.example/certs",
            "http://localhost@id.example/certs",
            "https://user:secret@id.example/certs",
            "https://",
            "https:///certs",
            "file:///etc/passwd",
            "ftp://id.example/certs",
            "https://id.example/certs#keys",
            "https://id.example/ certs",
        ] {
            assert_eq!(trusted(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_claim_is_found_by_name_or_path() {
        let claims = json!({
            "role": "a",
            "custom": {"role": "b", "more": {"role": "c"}},
            "https://desk.example/role": "d",
            "custom.role.x": "e",
        });
        let claims = claims.as_object().expect("an object");
        for (path, expected) in [
            ("role", "a"),
            ("custom.role", "b"),
            ("custom.more.role", "c"),
            ("https://desk.example/role", "d"),
            ("custom.role.x", "e"),
        ] {
            let found = find(claims, path).and_then(Value::as_str);
            assert_eq!(found, Some(expected), "{path}");
        }
        for absent in [
            "",
            ".",
            "custom.",
            ".role",
            "role.a",
            "custom.role.y",
            "Role",
        ] {
            assert_eq!(find(claims, absent), None, "{absent}");
        }
    }
}
