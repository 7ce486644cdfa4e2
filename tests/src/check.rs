//! Assertions as errors: every failure says what was expected and what came.

use std::fmt::Debug;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The tolerance of the golden values.
pub const TOLERANCE: f64 = 1e-9;

/// `got` equals `want`.
pub fn equal<T: PartialEq + Debug>(what: &str, got: &T, want: &T) -> Result<()> {
    ensure!(got == want, "{what}: expected {want:?}, got {got:?}");
    Ok(())
}

/// The JSON number `got` is within the golden tolerance of `want`.
pub fn near(what: &str, got: &Value, want: f64) -> Result<()> {
    let number = got
        .as_f64()
        .with_context(|| format!("{what}: expected the number {want}, got {got}"))?;
    ensure!(
        (number - want).abs() <= TOLERANCE,
        "{what}: expected {want} (±{TOLERANCE}), got {number}"
    );
    Ok(())
}

/// `value[field]` is the text `want`.
pub fn text(value: &Value, field: &str, want: &str) -> Result<()> {
    ensure!(
        value[field].as_str() == Some(want),
        "expected {field} {want:?}, got {} in {value}",
        value[field]
    );
    Ok(())
}

/// `value` is an object with exactly the members `names`.
pub fn members(what: &str, value: &Value, names: &[&str]) -> Result<()> {
    let Some(object) = value.as_object() else {
        bail!("{what}: expected an object with {names:?}, got {value}");
    };
    let mut got: Vec<&str> = object.keys().map(String::as_str).collect();
    let mut want = names.to_vec();
    got.sort_unstable();
    want.sort_unstable();
    ensure!(
        got == want,
        "{what}: expected the members {want:?}, got {got:?} in {value}"
    );
    Ok(())
}

/// `value` is an object with at least the members `names`.
pub fn has_members(what: &str, value: &Value, names: &[&str]) -> Result<()> {
    for name in names {
        ensure!(
            value.get(name).is_some(),
            "{what}: expected a member {name:?}, got {value}"
        );
    }
    Ok(())
}

/// `value` is an RFC 3339 time in UTC, written with `Z`.
pub fn time(what: &str, value: &Value) -> Result<()> {
    let text = value.as_str().unwrap_or_default();
    ensure!(
        text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        "{what}: expected an RFC 3339 time with Z, got {value}"
    );
    Ok(())
}

/// `value[field]` as an array.
pub fn array<'a>(value: &'a Value, field: &str) -> Result<&'a Vec<Value>> {
    value[field]
        .as_array()
        .with_context(|| format!("expected the array {field:?}, got {value}"))
}

/// `value[field]` as an unsigned integer.
pub fn integer(value: &Value, field: &str) -> Result<u64> {
    value[field]
        .as_u64()
        .with_context(|| format!("expected the integer {field:?}, got {value}"))
}

/// `value[field]` as text.
pub fn string(value: &Value, field: &str) -> Result<String> {
    value[field]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("expected the text {field:?}, got {value}"))
}
