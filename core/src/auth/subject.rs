//! Whom a token may be of.

use crate::text::plain;

/// The longest subject, bytes; it is kept with every socket and decision.
pub const MAX_SUBJECT_BYTES: usize = 256;

/// What a subject is, for messages.
pub const SUBJECT_RULE: &str = "1 to 256 bytes of one line of plain text in Unicode's NFC, \
     and neither \".\" nor \"..\"";

/// Whether a text may stand for a person: wherever people read it, in the database, and as a part
/// of the address that shuts them out. So it is one line of plain text as it is, without the
/// character that stands for what could not be decoded, and no `.` or `..`, which mean another
/// address.
pub fn is_subject(text: &str) -> bool {
    let fits = (1..=MAX_SUBJECT_BYTES).contains(&text.len()) && ![".", ".."].contains(&text);
    fits && !text.contains(|it: char| it.is_control() || it == '\u{fffd}') && plain(text) == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_is_plain_text_that_an_address_can_carry() {
        for good in [
            "a",
            "...",
            "auth0|5f",
            "a/b",
            "a\\b",
            "%2e%2e",
            "ann@x.org",
            "\u{e9}",
            " ",
        ] {
            assert!(is_subject(good), "{good:?}");
        }
        let long = "a".repeat(MAX_SUBJECT_BYTES + 1);
        for bad in [
            "",
            ".",
            "..",
            "a\n",
            ".\t.",
            "\u{fffd}",
            "e\u{301}",
            "\u{202e}a",
            &long,
        ] {
            assert!(!is_subject(bad), "{bad:?}");
        }
    }
}
