//! RFC 8785, the JSON Canonicalization Scheme, for whole numbers and text.
//! <https://www.rfc-editor.org/rfc/rfc8785>

use serde_json::Value;
use serde_json::value::RawValue;

use crate::room::log::json;
use crate::store::MAX_SAFE_INTEGER;

/// The canonical text of `value`; none where it holds a number that is not whole or that a
/// JavaScript number would round.
pub fn canonical(value: &Value) -> Option<Box<RawValue>> {
    let mut text = String::new();
    write(value, &mut text)?;
    RawValue::from_string(text).ok()
}

/// Whether `text` is the canonical form of an object.
pub fn is_canonical(text: &RawValue) -> bool {
    let parsed = serde_json::from_str(text.get()).ok();
    let object = parsed.filter(Value::is_object);
    object
        .and_then(|object| canonical(&object))
        .is_some_and(|canonical| canonical.get() == text.get())
}

fn write(value: &Value, text: &mut String) -> Option<()> {
    match value {
        Value::Number(number) => {
            let safe = -MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER;
            let whole = number.as_i64().filter(|whole| safe.contains(whole))?;
            text.push_str(&whole.to_string());
        }
        Value::Array(items) => {
            text.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (n, name) in names.into_iter().enumerate() {
                if n > 0 {
                    text.push(',');
                }
                text.push_str(json(name).get());
                text.push(':');
                write(&members[name], text)?;
            }
            text.push('}');
        }
        // `serde_json` escapes what the scheme does, and nothing else.
        Value::String(_) | Value::Bool(_) | Value::Null => text.push_str(json(value).get()),
    }
    Some(())
}
