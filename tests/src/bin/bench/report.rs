//! `BENCHMARKS.md`: what is between its markers is rendered from `benchmarks/*.json`, prose around
//! them stays.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use signalroom_tests::target::root;

use crate::fanout::{IDEAL, NATS, OURS};
use crate::results::{Figure, Results, folder};
use crate::workerd::{self, FEED, MINIMAL, PARTY, ROOM};

const BEGIN: &str = "<!-- results: cargo xtask bench report -->";
const END: &str = "<!-- /results -->";

/// What the page begins as.
const PAGE: &str = "# Benchmarks\n\nEvery figure is a median; those of one table are from one run. \
Ratios within a run mean something elsewhere, figures alone do not.\n";

/// The table that the goals were set by, from another day and machine of the same kind:
/// deliveries per second at 100, 1,000 and 10,000 sockets, p99, memory per socket.
const REPORTED: [[&str; 6]; 8] = [
    [
        "limit: one thread, ready-made frame, one write per socket",
        "392k",
        "358k",
        "200k",
        "6",
        "–",
    ],
    ["nats-server, WebSocket", "515k", "301k", "134k", "17", "24"],
    ["Node `ws`", "194k", "179k", "111k", "11", "5"],
    ["socket.io", "146k", "133k", "57k", "13", "15"],
    ["the FastAPI prototype", "66k", "40k", "37k", "24", "34"],
    [
        "workerd, minimal JavaScript object",
        "102k",
        "70k",
        "41k",
        "23",
        "73–123",
    ],
    ["workerd, partyserver", "80k", "60k", "41k", "29", "80"],
    [
        "workerd, naive Rust object",
        "79k",
        "60k",
        "44k",
        "24",
        "76",
    ],
];

/// All benchmarks in the order of the page.
const ORDER: [&str; 10] = [
    "fanout", "threads", "workerd", "approve", "growth", "scores", "start", "import", "fetch",
    "resume",
];

/// Writes the page anew.
pub(crate) fn write() -> Result<()> {
    let mut all: Vec<Results> = Vec::new();
    for name in ORDER {
        let path = folder().join(format!("{name}.json"));
        if path.exists() {
            let results = serde_json::from_str(&fs::read_to_string(&path)?);
            all.push(results.with_context(|| format!("reading {}", path.display()))?);
        }
    }
    ensure!(!all.is_empty(), "no benchmark has left results yet");
    let path = root().join("BENCHMARKS.md");
    let page = fs::read_to_string(&path).unwrap_or_else(|_| PAGE.to_owned());
    fs::write(&path, within(&page, &render(&all)))?;
    println!("{}", path.display());
    Ok(())
}

/// `page` with `results` between its markers, at its end where it has none.
fn within(page: &str, results: &str) -> String {
    let (before, after) = match page.split_once(BEGIN) {
        Some((before, rest)) => {
            let after = rest.split_once(END).map_or("\n", |(_, after)| after);
            (before.to_owned(), after)
        }
        None => (format!("{}\n\n", page.trim_end()), "\n"),
    };
    format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", results.trim())
}

fn render(all: &[Results]) -> String {
    let mut text = String::new();
    for results in all {
        let machine = &results.machine;
        let versions: Vec<_> = machine.versions.values().map(String::as_str).collect();
        let _ = writeln!(
            text,
            "## {}\n\n`{}`, {}: {}, {} cores, {} MB, Linux {}; {}.\n",
            results.name,
            results.command,
            results.date,
            machine.cpu,
            machine.cores,
            grouped(machine.memory_mb as f64),
            machine.kernel,
            versions.join(", ")
        );
        if results.command.contains("--quick") {
            text += "A first look: too few rounds to judge by.\n\n";
        }
        for note in &results.notes {
            let _ = writeln!(text, "{note}\n");
        }
        if results.name == "fanout" {
            let workerd = all.iter().find(|it| it.name == "workerd");
            text += &peers(results, workerd);
        }
        for over in overs(results) {
            text += &table(results, &over);
        }
    }
    text
}

/// What figures are over, in order of appearance.
fn overs(results: &Results) -> Vec<String> {
    let mut overs: Vec<String> = Vec::new();
    for figure in &results.figures {
        if !overs.contains(&figure.series.over) {
            overs.push(figure.series.over.clone());
        }
    }
    overs
}

/// All figures over the same quantity: a row for each series and candidate.
fn table(results: &Results, over: &str) -> String {
    let figures = || results.figures.iter().filter(|it| it.series.over == over);
    let mut columns: Vec<u64> = figures().map(|it| it.at).collect();
    columns.sort_unstable();
    columns.dedup();
    let exponents = results.name == "growth";
    let mut whats: Vec<&str> = Vec::new();
    let mut rows: BTreeMap<(usize, &str), Vec<&Figure>> = BTreeMap::new();
    for figure in figures() {
        let what = figure.series.what.as_str();
        let place = whats.iter().position(|it| *it == what);
        let place = place.unwrap_or_else(|| {
            whats.push(what);
            whats.len() - 1
        });
        let row = rows.entry((place, &figure.candidate)).or_default();
        row.push(figure);
    }
    let mut text = format!("| {over} | |");
    for column in &columns {
        let _ = write!(text, " {} |", grouped(*column as f64));
    }
    if exponents {
        text += " exponent |";
    }
    let more = columns.len() + usize::from(exponents);
    let _ = writeln!(text, "\n| --- | --- |{}", " ---: |".repeat(more));
    for ((place, candidate), row) in &rows {
        let unit = row.first().map_or("", |it| it.series.unit.as_str());
        let _ = write!(text, "| {}, {unit} | {candidate} |", whats[*place]);
        for column in &columns {
            let found = row.iter().find(|it| it.at == *column);
            let mut cell = found.map_or("–".to_owned(), |it| grouped(it.median));
            if let Some(base) = found.and_then(|it| baseline(results, it)) {
                let _ = write!(cell, " ({base:.2})");
            }
            let _ = write!(text, " {cell} |");
        }
        if exponents {
            let points: Vec<_> = row.iter().map(|it| (it.at as f64, it.median)).collect();
            let cell = exponent(&points).map_or("–".to_owned(), |it| format!("{it:.2}"));
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    if let Some(name) = &results.baseline {
        let _ = writeln!(text, "\nIn brackets: of the {name}'s rate in this run.");
    }
    text.push('\n');
    text
}

/// A rate of a figure in those of the baseline; none of other quantities.
fn baseline(results: &Results, figure: &Figure) -> Option<f64> {
    let name = results.baseline.as_deref()?;
    if figure.series.unit != "1/s" || figure.candidate == name {
        return None;
    }
    let same = results
        .figures
        .iter()
        .find(|it| it.candidate == name && it.series == figure.series && it.at == figure.at);
    Some(figure.median / same?.median)
}

/// The peers of before beside those of this run, and of that on workerd.
fn peers(results: &Results, workerd: Option<&Results>) -> String {
    let mut text =
        "| deliveries/s | 100 | 1,000 | 10,000 | p99 ms at 20 messages/s, 1,000 sockets \
                    | KB per idle socket |\n| --- | ---: | ---: | ---: | ---: | ---: |\n"
            .to_owned();
    let find = |candidate: &str, what: &str, at: u64| cell(results, candidate, what, at);
    for candidate in [OURS, IDEAL, NATS] {
        for flight in [1, 8] {
            let what = format!("deliveries, {flight} in flight");
            let rate = |at| find(candidate, &what, at);
            let _ = writeln!(
                text,
                "| **{candidate}**, {flight} in flight | {} | {} | {} | {} | {} |",
                rate(100),
                rate(1000),
                rate(10_000),
                find(candidate, "p99", 1000),
                find(candidate, "resident memory", 10_000),
            );
        }
    }
    for candidate in [ROOM, FEED, MINIMAL, PARTY] {
        let Some(workerd) = workerd else { break };
        let rate = |at| cell(workerd, candidate, "single messages", at);
        let most = workerd::MOST as u64;
        let _ = writeln!(
            text,
            "| **workerd, {candidate}**, 1 in flight | {} | {} | {} | – | {} |",
            rate(100),
            rate(1000),
            rate(most),
            cell(workerd, candidate, "memory of an idle socket", most),
        );
    }
    for row in REPORTED {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    let _ = writeln!(
        text,
        "\nRows in bold are of these runs, the last size on workerd {}; the others were reported before, on another day.\n",
        grouped(workerd::MOST as f64)
    );
    text
}

/// A figure, or a dash.
fn cell(results: &Results, candidate: &str, what: &str, at: u64) -> String {
    let found = results
        .figures
        .iter()
        .find(|it| it.candidate == candidate && it.series.what.starts_with(what) && it.at == at);
    found.map_or("–".to_owned(), |it| grouped(it.median))
}

/// The exponent of the power that fits best, by least squares of the logarithms; none of fewer
/// than two points, or of those that have no logarithm.
fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    if logs.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return None;
    }
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|it| it.0).sum::<f64>() / count;
    let mean_y = logs.iter().map(|it| it.1).sum::<f64>() / count;
    let spread: f64 = logs.iter().map(|it| (it.0 - mean_x).powi(2)).sum();
    let joint: f64 = logs
        .iter()
        .map(|it| (it.0 - mean_x) * (it.1 - mean_y))
        .sum();
    (spread > 0.0).then(|| joint / spread)
}

/// Three digits that mean something, thousands apart.
fn grouped(value: f64) -> String {
    let places = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    if value.fract() == 0.0 || places == 0 {
        let digits = format!("{value:.0}");
        let mut text = String::new();
        for (place, digit) in digits.chars().enumerate() {
            let left = digits.len() - place;
            if place > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
                text.push(',');
            }
            text.push(digit);
        }
        return text;
    }
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::Name;
    use crate::results::Series;

    #[test]
    fn an_exponent_is_that_of_the_power() {
        let power = |exponent: f64| {
            let points = [10.0, 100.0, 5000.0].map(|x: f64| (x, 3.0 * x.powf(exponent)));
            super::exponent(&points).unwrap()
        };
        for wanted in [0.0, 0.5, 1.0, 2.0] {
            assert!((power(wanted) - wanted).abs() < 1e-9, "{wanted}");
        }
        assert_eq!(exponent(&[]), None);
        assert_eq!(exponent(&[(10.0, 1.0)]), None);
        assert_eq!(exponent(&[(10.0, 0.0), (20.0, 1.0)]), None);
    }

    #[test]
    fn every_benchmark_has_its_section() {
        let names = Name::value_variants().iter();
        let names = names.filter(|name| **name != Name::Report);
        let mut names: Vec<_> = names
            .map(|name| name.to_possible_value().unwrap().get_name().to_owned())
            .collect();
        let mut sections = ORDER.to_vec();
        names.sort_unstable();
        sections.sort_unstable();
        assert_eq!(names, sections);
    }

    #[test]
    fn numbers_are_short() {
        let given = [
            0.0,
            0.1234,
            5.0,
            12.34,
            100.4,
            1234.5,
            1_234_567.0,
            -123_456.0,
        ];
        let wanted = [
            "0",
            "0.12",
            "5",
            "12.3",
            "100",
            "1,234",
            "1,234,567",
            "-123,456",
        ];
        assert_eq!(given.map(grouped), wanted);
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let first = within("# Title\n\nProse.\n", "one");
        assert_eq!(
            first,
            format!("# Title\n\nProse.\n\n{BEGIN}\n\none\n\n{END}\n")
        );
        let more = format!("{first}\nMore prose.\n");
        assert_eq!(within(&more, "two"), more.replace("one", "two"));
    }

    #[test]
    fn tables_have_ratios_and_gaps() {
        let mut results = Results::new("some", "command".to_owned()).unwrap();
        results.baseline = Some("ideal".to_owned());
        let of = Series::new("deliveries", "1/s", "sockets");
        results.add("ideal", &of, 100_u32, vec![1000.0]);
        results.add("ideal", &of, 1000_u32, vec![2000.0]);
        results.add("ours", &of, 100_u32, vec![800.0]);
        let table = table(&results, "sockets");
        assert!(table.contains("| sockets | | 100 | 1,000 |\n"), "{table}");
        assert!(
            table.contains("| deliveries, 1/s | ideal | 1,000 | 2,000 |\n"),
            "{table}"
        );
        assert!(
            table.contains("| deliveries, 1/s | ours | 800 (0.80) | – |\n"),
            "{table}"
        );
    }

    #[test]
    fn growth_has_exponents() {
        let mut results = Results::new("growth", "command".to_owned()).unwrap();
        let of = Series::new("an event", "ms", "sockets");
        for at in [100_u32, 1000, 10_000] {
            results.add("ours", &of, at, vec![f64::from(at) / 50.0]);
        }
        let text = render(&[results]);
        assert!(
            text.contains("| an event, ms | ours | 2 | 20 | 200 | 1.00 |"),
            "{text}"
        );
    }
}
