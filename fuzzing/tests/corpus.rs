//! Every parser stands what the fuzzer found worth keeping.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use signalroom_fuzzing::{TARGETS, run};

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_input_of_the_corpus_is_stood() {
    for (name, _) in TARGETS {
        let inputs = fs::read_dir(corpus().join(name)).expect("a folder of inputs");
        let mut count = 0;
        for input in inputs {
            let path = input.expect("readable").path();
            let data = fs::read(&path).expect("readable");
            let outcome = std::panic::catch_unwind(|| run(name, &data));
            assert!(outcome.is_ok(), "{}", path.display());
            count += 1;
        }
        assert!(count > 0, "{name} has no input");
    }
}

#[test]
fn every_folder_and_every_program_has_its_target() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    for folder in [corpus(), programs] {
        let found: BTreeSet<String> = fs::read_dir(&folder)
            .expect("readable")
            .map(|entry| entry.expect("readable").path())
            .map(|path| {
                path.file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        assert_eq!(found, known, "{}", folder.display());
    }
}
