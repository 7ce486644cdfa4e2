//! Compares the trading calendar with the dates of real daily bars, which lie in a folder beside the
//! checkout; skipped where it is absent.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::path::Path;

use chrono::NaiveDate;
use signalroom_core::calendar::sessions;
use signalroom_core::signals::parse_csv;

#[test]
fn sessions_are_the_days_that_have_a_bar() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/market");
    if !folder.is_dir() {
        println!("skipped: {} is absent", folder.display());
        return;
    }
    let mut files = 0;
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "csv") {
            continue;
        }
        let parsed = parse_csv(&std::fs::read(&path).unwrap(), NaiveDate::MAX).unwrap();
        let held: Vec<NaiveDate> = parsed.bars.iter().map(|bar| bar.date).collect();
        let (first, last) = (*held.first().unwrap(), *held.last().unwrap());
        let expected: Vec<NaiveDate> = sessions(first, last).collect();
        assert_eq!(held, expected, "{}", path.display());
        files += 1;
    }
    assert!(files > 0, "no bars in {}", folder.display());
}
