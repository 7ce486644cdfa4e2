//! libFuzzer on `audit_export`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signalroom_fuzzing::run("audit_export", data));
