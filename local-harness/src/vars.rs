//! Where configuration comes from: `wrangler.toml`, `.dev.vars`, the environment.
//!
//! Invariant: a secret's text is in no error and no log.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::random;

/// Every variable of the configuration.
pub const NAMES: [&str; 25] = [
    "ALLOWED_ORIGINS",
    "APPROVE_RATE",
    "BARS_RATE",
    "FRED_API_KEY",
    "HISTORY_LIMIT",
    "INTRADAY_MINUTES",
    "JWKS_URL",
    "JWT_AUDIENCE",
    "JWT_ISSUER",
    "JWT_ROLE_CLAIM",
    "JWT_SECRET",
    "JWT_SECRET_PREVIOUS",
    "JWT_SUBJECT_CLAIM",
    "MAX_CONNECTIONS_PER_USER",
    "MESSAGES_PER_MINUTE",
    "MESSAGE_RETENTION",
    "PROVIDERS",
    "PROVIDER_RATE",
    "PROVIDER_URL",
    "READ_RATE",
    "RESUME_LIMIT",
    "STOOQ_KEY",
    "SUBREQUESTS",
    "TIINGO_KEY",
    "WATCHLIST",
];

/// The crons when `wrangler.toml` names none.
pub const DEFAULT_CRONS: [&str; 3] = ["* * * * *", "*/5 * * * *", "0 22 * * MON-FRI"];

/// What a folder's files say.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The configuration's variables.
    pub vars: BTreeMap<String, String>,
    /// When scheduled runs start.
    pub crons: Vec<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("vars", &Names(&self.vars))
            .field("crons", &self.crons)
            .finish()
    }
}

/// Shows variables by their names alone: which of them are secret is their readers' business.
pub(crate) struct Names<'a>(pub(crate) &'a BTreeMap<String, String>);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A file of configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or made.
    #[error("{}: {error}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// It is not TOML.
    #[error("{}: {reason}", file.display())]
    Toml {
        /// The file.
        file: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A line is not `NAME=value`.
    #[error("{}: line {line} is not NAME=value", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Its number, from 1.
        line: usize,
    },
}

/// Reads `wrangler.toml` and `.dev.vars` in `folder`, and what `environment` says by name; later
/// ones win.
///
/// # Errors
/// [`FileError`] for a file that is there and cannot be used.
pub fn read(
    folder: &Path,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Settings, FileError> {
    let mut settings = wrangler(&folder.join("wrangler.toml"))?;
    settings.vars.extend(dev_vars(&folder.join(".dev.vars"))?);
    for name in NAMES {
        if let Some(value) = environment(name) {
            settings.vars.insert(name.to_owned(), value);
        }
    }
    Ok(settings)
}

/// Makes `.dev.vars` in `folder` with a random secret, readable by its owner alone, unless there
/// is one. Says whether it did.
///
/// # Errors
/// [`FileError::Io`] when it cannot be written.
pub fn create_secret(folder: &Path) -> Result<bool, FileError> {
    let file = folder.join(".dev.vars");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options
        .open(&file)
        .and_then(|mut file| writeln!(file, "JWT_SECRET={}", random::hex::<32>()));
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(FileError::Io { file, error }),
    }
}

fn text(file: &Path) -> Result<String, FileError> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(FileError::Io {
            file: file.to_owned(),
            error,
        }),
    }
}

fn wrangler(file: &Path) -> Result<Settings, FileError> {
    let table: toml::Table =
        text(file)?
            .parse()
            .map_err(|error: toml::de::Error| FileError::Toml {
                file: file.to_owned(),
                reason: error.message().to_owned(),
            })?;
    let vars = table
        .get("vars")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten();
    let crons = table
        .get("triggers")
        .and_then(|triggers| triggers.get("crons"));
    Ok(Settings {
        vars: vars
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        crons: match crons.and_then(toml::Value::as_array) {
            Some(crons) => crons.iter().map(plain).collect(),
            None => DEFAULT_CRONS.map(str::to_owned).to_vec(),
        },
    })
}

/// A TOML value as a Worker sees it: text as it is, anything else in its notation.
fn plain(value: &toml::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn dev_vars(file: &Path) -> Result<BTreeMap<String, String>, FileError> {
    parse_dev_vars(&text(file)?).map_err(|line| FileError::Line {
        file: file.to_owned(),
        line,
    })
}

/// Reads `NAME=value` lines; the error is the number of the first line that is none.
fn parse_dev_vars(text: &str) -> Result<BTreeMap<String, String>, usize> {
    let mut vars = BTreeMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(index + 1)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(index + 1);
        }
        vars.insert(name.to_owned(), unquoted(value.trim()).to_owned());
    }
    Ok(vars)
}

/// A value without its quotes, or without the comment after it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\'', '`'] {
        let inner = value
            .strip_prefix(quote)
            .and_then(|rest| rest.split_once(quote));
        if let Some((inner, rest)) = inner
            && (rest.trim().is_empty() || rest.trim_start().starts_with('#'))
        {
            return inner;
        }
    }
    value
        .split_once(" #")
        .map_or(value, |(value, _)| value.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_variable_is_shown() {
        let secret = "0123456789abcdef0123456789abcdef";
        let settings = Settings {
            vars: BTreeMap::from([("JWT_SECRET".to_owned(), secret.to_owned())]),
            crons: vec!["* * * * *".to_owned()],
        };
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("JWT_SECRET") && shown.contains("* * *"),
            "{shown}"
        );
        assert!(!shown.contains(secret), "{shown}");
    }

    #[test]
    fn lines_quotes_and_comments() {
        let text =
            "# c\n\nA=1\n B = two words \nC=\"x # y\" # z\nD='q'\nexport E=5 # five\nF=a#b\nG=\n";
        let vars = parse_dev_vars(text).expect("valid");
        let all: Vec<_> = vars.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "x # y"),
            ("D", "q"),
            ("E", "5"),
            ("F", "a#b"),
            ("G", ""),
        ];
        assert_eq!(all, expected);
        assert_eq!(parse_dev_vars("A=1\nnonsense\n"), Err(2));
        assert_eq!(parse_dev_vars("A B=1\n"), Err(1));
    }

    #[test]
    fn the_environment_wins_over_dev_vars_over_wrangler() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("writes");
        };
        let none = |_: &str| None;
        let empty = read(folder.path(), none).expect("no files are fine");
        assert!(empty.vars.is_empty());
        assert_eq!(empty.crons, DEFAULT_CRONS);

        write(
            "wrangler.toml",
            "triggers = { crons = [\"0 1 * * *\"] }\n[vars]\nWATCHLIST = \"A\"\nHISTORY_LIMIT = 7\nJWT_ISSUER = \"w\"\n",
        );
        write(".dev.vars", "WATCHLIST=B\nJWT_ISSUER=d\n");
        let env = |name: &str| (name == "JWT_ISSUER").then(|| "e".to_owned());
        let all = read(folder.path(), env).expect("valid");
        let of = |name: &str| all.vars.get(name).map(String::as_str);
        assert_eq!(of("HISTORY_LIMIT"), Some("7"));
        assert_eq!(of("WATCHLIST"), Some("B"));
        assert_eq!(of("JWT_ISSUER"), Some("e"));
        assert_eq!(all.crons, ["0 1 * * *"]);

        write("wrangler.toml", "[vars\n");
        let error = read(folder.path(), none).expect_err("not TOML").to_string();
        assert!(
            error.contains("wrangler.toml") && !error.contains('\n'),
            "{error}"
        );
    }

    #[test]
    fn the_secret_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(create_secret(folder.path()).expect("writes"));
        assert!(!create_secret(folder.path()).expect("is there"));
        let settings = read(folder.path(), |_| None).expect("valid");
        assert_eq!(settings.vars["JWT_SECRET"].len(), 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = folder.path().join(".dev.vars");
            let mode = std::fs::metadata(file)
                .expect("is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
