//! Text that people wrote, made harmless before it is kept: it is only ever shown.

use unicode_normalization::UnicodeNormalization;

/// Unicode's NFC, line ends as `\n`, without control characters (but for `\n` and tab) and without
/// characters that change the direction or the lines of what stands around them.
/// <https://www.unicode.org/reports/tr15/>, <https://www.unicode.org/reports/tr9/>
pub fn plain(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.chars().filter(|it| is_plain(*it)).nfc().collect()
}

/// UTF-8 text without the byte-order mark that some editors and tools put before it: CSV, and JSON,
/// whose readers may ignore one (RFC 8259 section 8.1).
pub fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn is_plain(it: char) -> bool {
    match it {
        '\n' | '\t' => true,
        // Marks, embeddings, overrides and isolates of the bidirectional algorithm; line and
        // paragraph separators; the byte order mark.
        '\u{061C}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{2028}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}'
        | '\u{FEFF}' => false,
        _ => !it.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_shown_stays_and_what_deceives_goes() {
        assert_eq!(
            plain("as discussed,\r\nwith\tBob\r"),
            "as discussed,\nwith\tBob\n"
        );
        assert_eq!(
            plain("\u{202E}gpj.exe\u{202C}\u{2066}x\u{2069}"),
            "gpj.exex"
        );
        assert_eq!(plain("a\0b\u{7}c\u{85}d\u{FEFF}"), "abcd");
        assert_eq!(plain("e\u{301}"), "é");
        assert_eq!(plain("<b>&amp;"), "<b>&amp;");
        // A family of one, by joiners; Persian needs them too.
        assert_eq!(plain("👩\u{200D}👧"), "👩\u{200D}👧");
    }

    proptest! {
        #[test]
        fn doing_it_twice_is_doing_it_once(text in "\\PC*|.*") {
            let once = plain(&text);
            prop_assert_eq!(&plain(&once), &once);
            prop_assert!(once.chars().all(is_plain));
        }
    }
}
