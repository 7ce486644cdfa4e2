//! How deep JSON is nested, without parsing it: looked at before anything recursive sees it.

use super::limits::MAX_JSON_DEPTH;

/// Whether `json` has at most [`MAX_JSON_DEPTH`] arrays and objects within each other. What is not
/// JSON at all gets either answer: whoever parses it refuses it.
pub fn is_shallow(json: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match (byte, in_text) {
            (b'"', _) => in_text = !in_text,
            // The next byte is part of an escape, a quote included.
            (b'\\', true) => {
                bytes.next();
            }
            (b'[' | b'{', false) => {
                depth += 1;
                if depth > MAX_JSON_DEPTH {
                    return false;
                }
            }
            (b']' | b'}', false) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn the_limit_is_the_last_depth_that_passes() {
        assert!(is_shallow(nested(MAX_JSON_DEPTH).as_bytes()));
        assert!(!is_shallow(nested(MAX_JSON_DEPTH + 1).as_bytes()));
        assert!(!is_shallow("{\"a\":".repeat(MAX_JSON_DEPTH + 1).as_bytes()));
    }

    #[test]
    fn many_side_by_side_are_not_deep() {
        assert!(is_shallow("[],".repeat(1000).as_bytes()));
        assert!(is_shallow(b""));
    }

    #[test]
    fn brackets_within_text_do_not_count() {
        let text = format!("\"{}\"", "[".repeat(100));
        assert!(is_shallow(text.as_bytes()));
        let escaped = format!("\"\\\"{}\"", "[".repeat(100));
        assert!(is_shallow(escaped.as_bytes()));
        let after = format!("\"\\\\\"{}", "[".repeat(100));
        assert!(!is_shallow(after.as_bytes()));
    }
}
