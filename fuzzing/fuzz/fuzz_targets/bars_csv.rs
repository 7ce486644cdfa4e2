//! libFuzzer on `bars_csv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signalroom_fuzzing::run("bars_csv", data));
