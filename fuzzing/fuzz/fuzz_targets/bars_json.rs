//! libFuzzer on `bars_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signalroom_fuzzing::run("bars_json", data));
