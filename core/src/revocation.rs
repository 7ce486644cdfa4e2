//! Revoked tokens: which are refused, and what an edge remembers of it.
//!
//! A revocation names a subject and a moment; whatever was issued to the subject before that is
//! refused from then on. The feed keeps them. An edge (a process, or a Worker's isolate) asks it
//! and remembers the answer for a few seconds, never where somebody decides or administers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::time::Millis;

/// How long an edge trusts what it was told, milliseconds.
pub const TRUSTED_MS: i64 = 10_000;

/// Subjects an edge remembers at most.
const MAX_REMEMBERED: usize = 10_000;

/// Whether a token is refused, by when it was issued and the moment its subject's revocation
/// names. One that does not say when counts as issued before any.
pub fn is_revoked(issued_at: Option<Millis>, before: Option<Millis>) -> bool {
    before.is_some_and(|before| issued_at.is_none_or(|at| at < before))
}

/// What the feed last said of a subject.
#[derive(Debug, Clone, Copy)]
struct Heard {
    at: Millis,
    before: Option<Millis>,
}

/// What an edge remembers of revocations. Clones share one memory.
#[derive(Debug, Clone, Default)]
pub struct Remembered(Arc<Mutex<HashMap<String, Heard>>>);

impl Remembered {
    /// Remembers what the feed said of `sub` at `now`: tokens issued before that moment are
    /// refused, or none are. A later word never takes back an earlier one.
    pub fn note(&self, sub: &str, before: Option<Millis>, now: Millis) {
        let mut heard = self.heard();
        if heard.len() >= MAX_REMEMBERED && !heard.contains_key(sub) {
            heard.retain(|_, heard| heard.is_fresh(now));
            if heard.len() >= MAX_REMEMBERED {
                // All of it can be asked for again.
                heard.clear();
            }
        }
        let known = heard.get(sub).and_then(|heard| heard.before);
        let before = before.max(known);
        heard.insert(sub.to_owned(), Heard { at: now, before });
    }

    /// What is known of `sub` and may still be trusted: its revocation, or that there is none.
    pub fn of(&self, sub: &str, now: Millis) -> Option<Option<Millis>> {
        let heard = self.heard();
        let heard = heard.get(sub).filter(|heard| heard.is_fresh(now))?;
        Some(heard.before)
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<String, Heard>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    /// A clock that was set back makes nothing last longer.
    fn is_fresh(&self, now: Millis) -> bool {
        self.at <= now && now < self.at.plus(TRUSTED_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_700_000_000_000);

    #[test]
    fn what_was_issued_before_is_refused_and_what_does_not_say_when_too() {
        assert!(is_revoked(Some(NOW.plus(-1)), Some(NOW)));
        assert!(!is_revoked(Some(NOW), Some(NOW)));
        assert!(is_revoked(None, Some(NOW)));
        assert!(!is_revoked(None, None) && !is_revoked(Some(NOW), None));
    }

    #[test]
    fn an_edge_forgets_after_a_while_and_never_takes_a_revocation_back() {
        let edge = Remembered::default();
        assert_eq!(edge.of("ann", NOW), None);
        edge.note("ann", None, NOW);
        assert_eq!(edge.of("ann", NOW.plus(TRUSTED_MS - 1)), Some(None));
        assert_eq!(edge.of("ann", NOW.plus(TRUSTED_MS)), None);
        assert_eq!(edge.of("ann", NOW.plus(-1)), None);
        edge.note("ann", Some(NOW), NOW);
        // An answer that was on its way when the revocation was made.
        edge.note("ann", None, NOW.plus(5));
        assert_eq!(edge.of("ann", NOW.plus(6)), Some(Some(NOW)));
    }

    #[test]
    fn an_edge_remembers_so_many_and_no_more() {
        let edge = Remembered::default();
        for n in 0..3 * MAX_REMEMBERED {
            edge.note(&n.to_string(), None, NOW);
            assert!(edge.heard().len() <= MAX_REMEMBERED);
        }
    }
}
