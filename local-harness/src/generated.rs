//! Generated daily bars: seeded random walks with a crash in March 2020 and a recovery, the same on
//! every machine. They are no market data, and whoever shows them says so.

use chrono::{Days, NaiveDate};
use signalroom_core::calendar;
use signalroom_core::signals::Bar;

/// A time in the market's history, and what daily returns are like in it.
struct Era {
    until: NaiveDate,
    /// Their mean; none where it is the symbol's own.
    drift: Option<f64>,
    spread: f64,
}

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

const ERAS: [Era; 4] = [
    Era {
        until: day(2020, 2, 19),
        drift: Some(0.0006),
        spread: 0.012,
    },
    Era {
        until: day(2020, 3, 23),
        drift: Some(-0.018),
        spread: 0.03,
    },
    Era {
        until: day(2020, 8, 31),
        drift: Some(0.004),
        spread: 0.018,
    },
    Era {
        until: NaiveDate::MAX,
        drift: None,
        spread: 0.014,
    },
];

/// The bars of a name, one for each session from [`calendar::HISTORY_START`] on, without end: the
/// same name has the same bars, and a later day adds to them without changing the others. Prices
/// have four decimals and are at least 1, volumes are whole.
#[derive(Debug, Clone)]
pub struct Walk {
    random: Random,
    price: f64,
    character: f64,
    usual_volume: f64,
    date: NaiveDate,
}

impl Walk {
    /// The walk of that name.
    pub fn of(name: &str) -> Self {
        let mut random = Random::of(name);
        let price = 40.0 + 260.0 * random.uniform();
        // Where it goes after the recovery differs: some hold, some fall back to where they
        // crashed.
        let character = 0.0009 * random.uniform() - 0.0006;
        let usual_volume = 2e6 + 4e7 * random.uniform();
        Self {
            random,
            price,
            character,
            usual_volume,
            date: calendar::HISTORY_START,
        }
    }
}

impl Iterator for Walk {
    type Item = Bar;

    fn next(&mut self) -> Option<Bar> {
        while calendar::session(self.date).is_none() {
            self.date = self.date.checked_add_days(Days::new(1))?;
        }
        let date = self.date;
        self.date = date.checked_add_days(Days::new(1))?;
        let era = ERAS.iter().find(|era| date <= era.until)?;
        let random = &mut self.random;
        let change = era.drift.unwrap_or(self.character) + era.spread * random.normal();
        let open = (self.price * (1.0 + 0.3 * era.spread * random.normal())).max(1.0);
        let close = (self.price * change.clamp(-0.2, 0.2).exp()).max(1.0);
        let reach = |by: f64| 1.0 + 0.4 * era.spread * by.abs();
        let high = open.max(close) * reach(random.normal());
        let low = open.min(close) / reach(random.normal());
        let volume =
            self.usual_volume * (1.0 + 15.0 * change.abs()) * (0.25 * random.normal()).exp();
        self.price = close;
        // Rounding keeps the order of prices, so that high and low still enclose the others.
        Some(Bar {
            date,
            open: round(open),
            high: round(high),
            low: round(low),
            close: round(close),
            volume: volume.round(),
        })
    }
}

fn round(price: f64) -> f64 {
    (price * 10_000.0).round() / 10_000.0
}

/// SplitMix64: small, and the same on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A source seeded by a name (FNV-1a).
    pub fn of(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// In [0, 1).
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, near enough: a sum of twelve uniform ones.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
