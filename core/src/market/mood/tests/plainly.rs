//! The definitions of `docs/market.md`, from bars, as plainly as they can be written: no code of the
//! engine or of the marks is used.

use chrono::NaiveDate;
use std::collections::BTreeMap;

use super::{Observation, Series, World, marks, sessions};

fn rank(values: &[f64]) -> Option<f64> {
    let last = *values.last()?;
    let mut sorted = values[values.len().checked_sub(252)?..].to_vec();
    sorted.sort_by(f64::total_cmp);
    let first = sorted.iter().position(|it| *it == last)?;
    let final_one = sorted.iter().rposition(|it| *it == last)?;
    let average = (first + final_one) as f64 / 2.0 + 1.0;
    Some(average / 252.0 * 100.0)
}

fn nine(value: f64) -> f64 {
    let text = format!("{value:.9}");
    let value: f64 = text.parse().unwrap();
    value + 0.0
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn at_mean(list: &[Observation], width: usize) -> Vec<f64> {
    let values: Vec<f64> = list.iter().map(|it| it.1).collect();
    (width..=values.len())
        .map(|end| nine(values[end - 1] / mean(&values[end - width..end])))
        .collect()
}

fn bond(before: f64, after: f64, days: f64) -> f64 {
    let (y, dy) = (before / 100.0, (after - before) / 100.0);
    let z = 1.0 + y / 2.0;
    let duration = (1.0 - z.powi(-20)) / y;
    let convexity = 2.0 / y / y * (1.0 - z.powi(-20)) - 20.0 / y * z.powi(-21);
    (1.0 + y).powf(days / 365.0) - 1.0 - duration * dy + convexity * dy * dy / 2.0
}

fn haven(world: &World) -> Vec<f64> {
    let yields: BTreeMap<_, _> = world.series[&Series::TenYear].iter().copied().collect();
    let days: Vec<(NaiveDate, f64, f64)> = world
        .benchmark
        .iter()
        .filter_map(|(day, close)| Some((*day, *close, *yields.get(day)?)))
        .collect();
    (20..days.len())
        .map(|end| {
            let mut worth = 1.0;
            for at in end - 19..=end {
                let gone = (days[at].0 - days[at - 1].0).num_days() as f64;
                worth *= 1.0 + bond(days[at - 1].2, days[at].2, gone);
            }
            nine(days[end].1 / days[end - 20].1 - worth)
        })
        .collect()
}

type Day = (f64, f64, f64);

/// Per session (up, down, compared) and (highs, lows, symbols with a year).
fn days(world: &World) -> Vec<(Day, Day)> {
    let all = sessions(marks::SESSIONS + 1);
    let held: Vec<BTreeMap<NaiveDate, f64>> = world
        .symbols
        .iter()
        .map(|bars| bars.iter().map(|bar| (bar.date, bar.close)).collect())
        .collect();
    (1..all.len())
        .map(|at| {
            let (mut moves, mut years) = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0));
            for closes in &held {
                let Some(now) = closes.get(&all[at]) else {
                    continue;
                };
                if let Some(before) = closes.get(&all[at - 1]) {
                    moves.2 += 1.0;
                    moves.0 += f64::from(u8::from(now > before));
                    moves.1 += f64::from(u8::from(now < before));
                }
                let year: Vec<f64> = closes
                    .range(..=all[at])
                    .rev()
                    .take(252)
                    .map(|it| *it.1)
                    .collect();
                if year.len() == 252 {
                    years.2 += 1.0;
                    let most = year.iter().all(|it| it <= now);
                    let least = year.iter().all(|it| it >= now);
                    years.0 += f64::from(u8::from(most && !least));
                    years.1 += f64::from(u8::from(least && !most));
                }
            }
            (moves, years)
        })
        .collect()
}

fn sums(values: &[f64], width: usize, divisor: f64) -> Vec<f64> {
    (width..=values.len())
        .map(|end| nine(values[end - width..end].iter().sum::<f64>() / divisor))
        .collect()
}

/// In the order of [`super::Name::ALL`].
pub fn mood(world: &World) -> [(Option<f64>, Option<f64>); 7] {
    let days = days(world);
    let net: Vec<f64> = days
        .iter()
        .filter(|day| day.0.2 > 0.0)
        .map(|(day, _)| (day.0 - day.1) / f64::max(day.0 + day.1, 1.0))
        .collect();
    let highs: Vec<f64> = days
        .iter()
        .filter(|day| day.1.2 > 0.0)
        .map(|(_, day)| (day.0 - day.1) / day.2)
        .collect();
    let list = |series| -> Vec<f64> {
        let values: &Vec<Observation> = &world.series[&series];
        values.iter().map(|it| it.1).collect()
    };
    let told = |values: Vec<f64>, fear: bool| {
        let rank = rank(&values);
        let score = rank.map(|rank| if fear { 100.0 - rank } else { rank });
        (score, rank.and_then(|_| values.last().copied()))
    };
    [
        told(at_mean(&world.benchmark, 125), false),
        told(sums(&highs, 10, 10.0), false),
        told(sums(&net, 20, 1.0), false),
        told(sums(&list(Series::PutCall), 5, 5.0), true),
        told(list(Series::HighYieldSpread), true),
        told(at_mean(&world.series[&Series::Vix], 50), true),
        told(haven(world), false),
    ]
}
