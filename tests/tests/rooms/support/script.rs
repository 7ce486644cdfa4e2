//! Scripts: commands behind `>`, and below each what it shows. A script is its own expectation.

use super::world::World;

/// Plays a script and compares it with what happened.
pub fn check(script: &str) {
    check_in(&mut World::new(10_000), script);
}

/// Plays a script, and again with every room restored before everything it does: a crash between
/// any two steps changes nothing.
pub fn holds(script: &str) {
    check(script);
    let mut restored = World::new(10_000);
    restored.forgetful = true;
    check_in(&mut restored, script);
}

/// Plays a script in a world that is there already.
pub fn check_in(world: &mut World, script: &str) {
    let expected: Vec<&str> = script.lines().map(str::trim).collect();
    let expected: Vec<&str> = expected
        .into_iter()
        .filter(|line| !line.is_empty())
        .collect();
    let mut actual = Vec::new();
    for line in &expected {
        if let Some(command) = line.strip_prefix("> ") {
            actual.push((*line).to_owned());
            actual.extend(world.play(command));
        }
    }
    let at = (0..expected.len().max(actual.len()))
        .find(|&at| expected.get(at).copied() != actual.get(at).map(String::as_str));
    if let Some(at) = at {
        panic!(
            "line {at} is {:?}, not {:?}, in\n{}\n",
            actual.get(at),
            expected.get(at),
            actual.join("\n")
        );
    }
}
