//! `signalroom token`: prints a signed token.

use anyhow::Result;
use clap::Args;
use signalroom_core::auth::Role;

/// Who the token is for.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Who: a name that decisions are recorded under
    #[arg(long, value_parser = super::subject)]
    sub: String,
    /// viewer, approver, admin or service
    #[arg(long)]
    role: Role,
    /// How long it is valid: 90s, 30m, 8h, 7d
    #[arg(long, default_value = "8h", value_parser = ttl)]
    ttl: i64,
}

impl Token {
    pub(crate) fn run(self) -> Result<bool> {
        let verifier = super::verifier(&super::settings()?)?;
        println!(
            "{}",
            super::sign(&verifier, &self.sub, self.role, self.ttl)?
        );
        Ok(true)
    }
}

/// A duration such as `8h`, in milliseconds.
fn ttl(text: &str) -> Result<i64, String> {
    let expected = || "a whole number and s, m, h or d, such as 8h".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(expected()),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    // A century is enough for anybody, and its end is still a date.
    if (1..=3_153_600_000_000 / unit).contains(&count) {
        Ok(count * unit)
    } else {
        Err("between 1s and 36500d".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::ttl;

    #[test]
    fn durations() {
        assert_eq!(ttl("8h"), Ok(28_800_000));
        assert_eq!(ttl("90s"), Ok(90_000));
        for bad in ["", "8", "h", "-1h", "0s", "1.5h", "99999999999d", "8ü"] {
            assert!(ttl(bad).is_err(), "{bad:?}");
        }
    }
}
