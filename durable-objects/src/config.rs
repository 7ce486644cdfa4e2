//! The configuration, read once per isolate: its variables do not change while it lives.
//!
//! Worker and rooms that share an isolate share it, and with it an identity provider's keys.

use std::cell::OnceCell;
use std::sync::Arc;

use signalroom_core::config::{Config, ConfigError};
use worker::Env;

thread_local! {
    static CONFIG: OnceCell<Result<Arc<Config>, ConfigError>> = const { OnceCell::new() };
}

/// A variable or a secret; the runtime knows both by name.
pub(crate) fn var(env: &Env, name: &str) -> Option<String> {
    env.var(name).ok().map(|value| value.to_string())
}

/// The configuration of this isolate.
///
/// # Errors
/// [`ConfigError`] for the first variable that is missing or wrong.
pub fn of(env: &Env) -> Result<Arc<Config>, ConfigError> {
    let read = || Config::from_vars(|name| var(env, name)).map(Arc::new);
    CONFIG.with(|config| config.get_or_init(read).clone())
}
