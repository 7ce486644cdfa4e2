//! libFuzzer on `market`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| signalroom_fuzzing::run("market", data));
