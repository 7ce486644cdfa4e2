//! Random ids. The system's source is asked; where it fails, nothing can be kept apart any more.

/// A random number in [0, 1).
#[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
pub fn fraction() -> f64 {
    (u64::from_le_bytes(bytes()) >> 11) as f64 / (1u64 << 53) as f64
}

/// `N` random bytes as lower-case hexadecimal digits.
pub fn hex<const N: usize>() -> String {
    bytes::<N>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
