//! Configuration: the same variables on both runtimes, checked once.

use std::collections::BTreeSet;

use crate::auth::{InvalidKeysUrl, Provider as IdentityProvider, Secret, Verifier, trusted};
use crate::market::provider::{ApiKey, Endpoints, Provider, UnknownProvider};
use crate::rate::Rate;
use crate::revocation::Remembered;
use crate::room::call::Means;
use crate::symbol::Symbol;

/// Everything the product can be told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// Checks and signs tokens.
    pub verifier: Verifier,
    /// Origins beside the server's own that browsers may come from.
    pub allowed_origins: BTreeSet<String>,
    /// Symbols known from the start.
    pub watchlist: Vec<Symbol>,
    /// What rooms need to know.
    pub room: RoomConfig,
    /// Requests of a user in a minute, but for bars and what administers. A Worker's binding has
    /// its own number.
    pub reads: Rate,
    /// What this edge remembers of revocations.
    pub revoked: Remembered,
    /// Where data come from.
    pub supply: Supply,
}

/// The part of the configuration that rooms read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomConfig {
    /// Signals in a snapshot at most.
    pub history_limit: u32,
    /// Events kept per log for resuming.
    pub message_retention: i64,
    /// Events a resume brings at most, read in one turn; a client further behind gets a snapshot.
    pub resume_limit: i64,
    /// Sockets of one user in a room.
    pub max_connections_per_user: u32,
    /// Messages of one socket.
    pub messages: Rate,
    /// Decisions of one user, refused ones included, in a symbol's room.
    pub approvals: Rate,
    /// Requests with bars of one user, in a symbol's room.
    pub bars: Rate,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            history_limit: 100,
            message_retention: 10_000,
            resume_limit: 10_000,
            max_connections_per_user: 20,
            messages: Rate::per_minute(100),
            approvals: Rate::per_minute(30),
            bars: Rate::per_minute(600),
        }
    }
}

/// Where data come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supply {
    /// Who is asked, in order; empty when nobody is.
    pub providers: Vec<Provider>,
    /// Where they are.
    pub endpoints: Endpoints,
    /// Requests a minute of each provider, in place of what is usual.
    pub rate: Option<u32>,
    /// Minutes between two looks at a session under way; 0 for none.
    pub intraday_minutes: u32,
    /// Requests and calls one run may make.
    pub subrequests: u32,
}

impl Supply {
    /// Who is asked when `PROVIDER_URL` alone is set.
    pub const PROVIDERS: &str = "yahoo,stooq,fred,cboe";

    /// Reads and checks the variables that concern providers.
    ///
    /// # Errors
    /// [`ConfigError`] for the first that is wrong.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name: &str| set(&var, name);
        let key = |name: &str| set(name).map(|key| ApiKey(key.trim().to_owned()));
        let base =
            set("PROVIDER_URL").map(|url| trusted(url.trim()).ok_or(ConfigError::ProviderUrl));
        let base = base.transpose()?;
        let usual = base.as_ref().map_or("none", |_| Self::PROVIDERS);
        let named = set("PROVIDERS").unwrap_or_else(|| usual.to_owned());
        let mut providers = Vec::new();
        for name in list(&named).filter(|name| *name != "none") {
            let provider = name.to_ascii_lowercase().parse();
            let provider = provider.map_err(|_| ConfigError::Providers(name.to_owned()))?;
            if !providers.contains(&provider) {
                providers.push(provider);
            }
        }
        let rate = match set("PROVIDER_RATE") {
            Some(text) => Some(number(Some(text), "PROVIDER_RATE", 1, 1_000_000)?),
            None => None,
        };
        let minutes = set("INTRADAY_MINUTES").filter(|text| text.trim() != "0");
        let looks = minutes.is_some() || set("INTRADAY_MINUTES").is_none();
        let minutes = number(minutes, "INTRADAY_MINUTES", 5, 24 * 60)?;
        Ok(Self {
            providers,
            endpoints: Endpoints {
                base: base.map(|url| url.trim_end_matches('/').to_owned()),
                tiingo: key("TIINGO_KEY"),
                fred: key("FRED_API_KEY"),
                stooq: key("STOOQ_KEY"),
            },
            rate,
            intraday_minutes: if looks { minutes } else { 0 },
            subrequests: number(set("SUBREQUESTS"), "SUBREQUESTS", 10_000, 10_000_000)?,
        })
    }

    /// Whether anybody is asked for bars.
    pub fn has_bars(&self) -> bool {
        self.providers.iter().any(|provider| provider.has_bars())
    }

    /// How a run may ask for data; none when nobody is asked.
    pub fn means(&self) -> Option<Means> {
        // A server of one's own says by itself when it has enough.
        let usual = |provider: &Provider| match self.endpoints.base {
            Some(_) => None,
            None => Some(provider.usual_rate()),
        };
        let rates = self.providers.iter().map(|it| self.rate.or(usual(it)));
        (!self.providers.is_empty()).then(|| Means {
            providers: self.providers.clone(),
            rates: rates.collect(),
            subrequests: self.subrequests,
            intraday_minutes: self.intraday_minutes,
        })
    }
}

/// A variable that is missing or wrong. Never carries a secret's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No key to check tokens with.
    #[error("JWT_SECRET is not set; it must have at least 32 bytes")]
    NoSecret,
    /// A key too short.
    #[error("{0} must have at least 32 bytes")]
    ShortSecret(&'static str),
    /// A symbol of the watchlist is none.
    #[error("WATCHLIST: {0:?} is not a symbol")]
    Watchlist(String),
    /// A number out of its range.
    #[error("{name} must be a whole number from 1 to {max}")]
    Number {
        /// The variable.
        name: &'static str,
        /// Its largest value.
        max: u32,
    },
    /// `PROVIDERS` names somebody nobody knows.
    #[error("PROVIDERS: {0:?} {UnknownProvider}")]
    Providers(String),
    /// `PROVIDER_URL` is not one that data can be trusted from.
    #[error("PROVIDER_URL must be an https:// address (http:// only for this machine)")]
    ProviderUrl,
    /// Keys at this address could be anybody's.
    #[error(transparent)]
    KeysUrl(#[from] InvalidKeysUrl),
}

impl Config {
    /// The watchlist when none is set.
    pub const DEFAULT_WATCHLIST: &str = "SPY,QQQ,AAPL,TSLA,NVDA";

    /// Reads and checks the variables that `var` returns by name.
    ///
    /// # Errors
    /// [`ConfigError`] for the first variable that is missing or wrong.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name: &str| set(&var, name);
        let verifier = Self::verifier(&var)?;
        let watchlist = set("WATCHLIST").unwrap_or_else(|| Self::DEFAULT_WATCHLIST.to_owned());
        Ok(Self {
            verifier,
            allowed_origins: list(&set("ALLOWED_ORIGINS").unwrap_or_default())
                .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
                .collect(),
            watchlist: list(&watchlist)
                .map(|text| {
                    text.parse()
                        .map_err(|_| ConfigError::Watchlist(text.to_owned()))
                })
                .collect::<Result<_, _>>()?,
            room: RoomConfig::from_vars(&var)?,
            reads: rate(&var, "READ_RATE", 600)?,
            revoked: Remembered::default(),
            supply: Supply::from_vars(&var)?,
        })
    }

    /// Reads and checks the variables that concern tokens.
    ///
    /// # Errors
    /// [`ConfigError`] for the first that is missing or wrong.
    pub fn verifier(var: impl Fn(&str) -> Option<String>) -> Result<Verifier, ConfigError> {
        let set = |name: &str| set(&var, name);
        let secret = |name: &'static str| {
            let read = |key: String| Secret::new(&key).map_err(|_| ConfigError::ShortSecret(name));
            set(name).map(read).transpose()
        };
        let claim = |name: &str, usual: &str| set(name).unwrap_or_else(|| usual.to_owned());
        let provider = |url: String| {
            let role = claim("JWT_ROLE_CLAIM", "role");
            IdentityProvider::new(&url, role, claim("JWT_SUBJECT_CLAIM", "sub"))
        };
        let current = secret("JWT_SECRET")?.ok_or(ConfigError::NoSecret)?;
        Ok(
            Verifier::new(current, set("JWT_ISSUER"), set("JWT_AUDIENCE"))
                .after(secret("JWT_SECRET_PREVIOUS")?)
                .trusting(set("JWKS_URL").map(provider).transpose()?),
        )
    }
}

impl RoomConfig {
    /// Reads and checks the variables that concern rooms.
    ///
    /// # Errors
    /// [`ConfigError::Number`] for the first that is wrong.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name: &str| set(&var, name);
        let retention = "MESSAGE_RETENTION";
        let resume = "RESUME_LIMIT";
        let connections = "MAX_CONNECTIONS_PER_USER";
        Ok(Self {
            history_limit: number(set("HISTORY_LIMIT"), "HISTORY_LIMIT", 100, 10_000)?,
            message_retention: number(set(retention), retention, 10_000, 10_000_000)?.into(),
            resume_limit: number(set(resume), resume, 10_000, 100_000)?.into(),
            max_connections_per_user: number(set(connections), connections, 20, 32_768)?,
            messages: rate(&var, "MESSAGES_PER_MINUTE", 100)?,
            approvals: rate(&var, "APPROVE_RATE", 30)?,
            bars: rate(&var, "BARS_RATE", 600)?,
        })
    }
}

/// A variable's text; a blank one counts as unset.
fn set(var: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    var(name).filter(|text| !text.trim().is_empty())
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

fn number(
    text: Option<String>,
    name: &'static str,
    default: u32,
    max: u32,
) -> Result<u32, ConfigError> {
    let Some(text) = text else { return Ok(default) };
    text.trim()
        .parse()
        .ok()
        .filter(|n| (1..=max).contains(n))
        .ok_or(ConfigError::Number { name, max })
}

/// So many in a minute.
fn rate(
    var: impl Fn(&str) -> Option<String>,
    name: &'static str,
    default: u32,
) -> Result<Rate, ConfigError> {
    number(set(var, name), name, default, 1_000_000).map(Rate::per_minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_vars(|name| {
            vars.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const SECRET: (&str, &str) = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");

    #[test]
    fn no_secret_is_shown() {
        let previous = ("JWT_SECRET_PREVIOUS", "fedcba9876543210fedcba9876543210");
        let config = read(&[SECRET, previous]).expect("valid");
        let shown = format!("{config:?} {config:#?}");
        for (name, secret) in [SECRET, previous] {
            let bytes = format!("{:?}", secret.as_bytes());
            let bytes = bytes.trim_matches(['[', ']']);
            assert!(!shown.contains(secret) && !shown.contains(bytes), "{name}");
        }
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = read(&[SECRET]).expect("valid");
        assert_eq!(config.room, RoomConfig::default());
        assert_eq!(config.watchlist.len(), 5);
        assert!(config.allowed_origins.is_empty());
    }

    #[test]
    fn wrong_values_are_named() {
        assert_eq!(read(&[]).err(), Some(ConfigError::NoSecret));
        let short = read(&[("JWT_SECRET", "x")]).err();
        assert_eq!(short, Some(ConfigError::ShortSecret("JWT_SECRET")));
        for (name, value) in [
            ("JWT_SECRET_PREVIOUS", "thirty-one-bytes-are-not-enough"),
            ("JWKS_URL", "http://id.example/certs"),
            ("WATCHLIST", "A B"),
            ("HISTORY_LIMIT", "0"),
            ("MESSAGE_RETENTION", "many"),
            ("RESUME_LIMIT", "100001"),
            ("MAX_CONNECTIONS_PER_USER", "0"),
            ("READ_RATE", "1000001"),
            ("APPROVE_RATE", "-1"),
        ] {
            let error = read(&[SECRET, (name, value)]).expect_err(name).to_string();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
