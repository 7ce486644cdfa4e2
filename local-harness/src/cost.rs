//! What a desk costs on Cloudflare Workers in a month of 30 days, by the published prices.
//!
//! A model, not a bill. Every dashboard is open around the clock, and every turn of a room wakes it.
//! `docs/cost.md` says where prices and quantities come from and what is assumed; a test counts the
//! rows.

use std::fmt;

/// A month, days.
const DAYS: f64 = 30.0;

/// What is to be paid for, in the order of the table.
pub const RESOURCES: [Resource; 7] = [
    Resource {
        name: "Worker requests",
        unit: 1e6,
        included: 10e6,
        price: 0.30,
    },
    Resource {
        name: "Worker CPU, ms",
        unit: 1e6,
        included: 30e6,
        price: 0.02,
    },
    Resource {
        name: "Object requests",
        unit: 1e6,
        included: 1e6,
        price: 0.15,
    },
    Resource {
        name: "Object duration, GB-s",
        unit: 1e6,
        included: 400_000.0,
        price: 12.50,
    },
    Resource {
        name: "Rows read",
        unit: 1e6,
        included: 25e9,
        price: 0.001,
    },
    Resource {
        name: "Rows written",
        unit: 1e6,
        included: 50e6,
        price: 1.00,
    },
    Resource {
        name: "Stored after a year, MB",
        unit: 1e3,
        included: 5e3,
        price: 0.20,
    },
];

/// USD a month, whatever is used.
pub const MINIMUM: f64 = 5.00;

/// Something that Cloudflare counts.
#[derive(Debug, Clone, Copy)]
pub struct Resource {
    /// What it is, and in what.
    pub name: &'static str,
    /// For how many the price is.
    pub unit: f64,
    /// How many a month are included.
    pub included: f64,
    /// USD per unit beyond.
    pub price: f64,
}

/// Rows of one event, at most, in a desk of one symbol: a row of an index counts as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Read, the rooms being woken for it.
    pub read: u32,
    /// Written.
    pub written: u32,
}

/// A bar comes and makes a signal: in the symbol's room and in the feed.
pub const SIGNAL: Rows = Rows {
    read: 340,
    written: 26,
};
/// Somebody decides.
pub const APPROVAL: Rows = Rows {
    read: 40,
    written: 28,
};
/// A scheduled run that finds nothing to do.
pub const IDLE_RUN: Rows = Rows {
    read: 30,
    written: 5,
};
/// A dashboard connects: a ticket, its redemption, and a snapshot.
pub const CONNECT: Rows = Rows {
    read: 36,
    written: 9,
};
/// A run looks after a room that it has not heard of for an hour.
pub const LOOK: Rows = Rows {
    read: 26,
    written: 5,
};
/// Rows that the feed reads more for every further symbol, when it is woken.
pub const READ_PER_SYMBOL: u32 = 1;

/// Scheduled runs a month: one a minute, one every five, one on each of 22 weekdays.
const RUNS: f64 = DAYS * 1_440.0 + DAYS * 288.0 + 22.0;
/// Looks after a symbol's room a day, at most.
const LOOKS: f64 = 24.0;
/// Object calls of a run, its plan and its report.
const CALLS_PER_RUN: f64 = 2.0;
/// Object calls of a signal: into the room, and from there to the feed.
const CALLS_PER_SIGNAL: f64 = 2.0;
/// Object calls of a decision: whether the token is revoked, the room, the feed.
const CALLS_PER_APPROVAL: f64 = 3.0;
/// Object calls of a dashboard that connects: ticket, redemption, socket, and the page's lists;
/// assumed.
const CALLS_PER_CONNECT: f64 = 10.0;
/// Requests of the Worker for them.
const REQUESTS_PER_CONNECT: f64 = 8.0;
/// A dashboard connects so often a day.
const CONNECTS: f64 = 4.0;
/// Bare pings of a dashboard a day, one every 15 s: the runtime answers them.
const PINGS: f64 = 86_400.0 / 15.0;
/// Messages into an object's sockets that are charged as one request.
const MESSAGES_PER_REQUEST: f64 = 20.0;
/// A request's CPU in the Worker, ms: two thirds of what `cargo xtask bench workerd` finds that a
/// publication takes, of which the rest is the objects', where duration is charged, not CPU.
const CPU_PER_REQUEST: f64 = 2.0;
/// A run's CPU in the Worker, ms, and that of a symbol it fetches.
const CPU_PER_RUN: f64 = 5.0;
/// How long a turn keeps a room from sleeping, s: it is woken, decides and commits.
const TURN: f64 = 0.050;
/// How long the feed broadcasts to one socket, s: what `cargo xtask bench workerd` finds with
/// thousands of them.
const SEND: f64 = 0.000_031;
/// Memory that an object is charged for, GB.
const MEMORY: f64 = 0.128;
/// MB of a symbol with 20 years of bars, of a signal, of a decision.
const STORED_SYMBOL: f64 = 0.6;
const STORED_SIGNAL: f64 = 0.006;
const STORED_APPROVAL: f64 = 0.006;

/// A desk, as far as costs go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desk {
    /// Symbols watched.
    pub symbols: u32,
    /// Dashboards open at any time.
    pub dashboards: u32,
    /// New signals a day, of all symbols.
    pub signals_per_day: u32,
    /// Decisions a day.
    pub approvals_per_day: u32,
}

/// What a desk uses in a month, in the order of [`RESOURCES`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage(pub [f64; 7]);

impl Desk {
    /// What it uses: with hibernation, or with objects that stay awake as long as a socket is open.
    pub fn usage(&self, hibernation: bool) -> Usage {
        let [symbols, dashboards] = [self.symbols, self.dashboards].map(f64::from);
        let signals = f64::from(self.signals_per_day) * DAYS;
        let approvals = f64::from(self.approvals_per_day) * DAYS;
        let connects = dashboards * CONNECTS * DAYS;

        // A symbol is fetched once a session, which says nothing new to nobody: a call all the same.
        let fetches = symbols * DAYS;
        let looks = symbols * LOOKS * DAYS;
        let requests = RUNS + connects * REQUESTS_PER_CONNECT + approvals;
        let cpu = (RUNS + fetches) * CPU_PER_RUN + (requests - RUNS) * CPU_PER_REQUEST;

        let turns = RUNS * CALLS_PER_RUN
            + fetches * CALLS_PER_SIGNAL
            + looks
            + signals * CALLS_PER_SIGNAL
            + approvals * CALLS_PER_APPROVAL
            + connects * CALLS_PER_CONNECT;
        let messages = dashboards * PINGS * DAYS;
        // A room has an alarm for what it owes the feed, a row; it comes, though the feed has it.
        let alarms = signals + fetches + approvals;
        let calls = turns + alarms;

        let duration = if hibernation {
            calls * TURN + (signals + approvals) * dashboards * SEND
        } else {
            // Dashboards are sockets of the feed alone.
            let feed = if self.dashboards == 0 {
                0.0
            } else {
                DAYS * 86_400.0
            };
            calls * TURN + feed
        };

        let happened = [
            (RUNS, IDLE_RUN),
            (signals + fetches, SIGNAL),
            (looks, LOOK),
            (approvals, APPROVAL),
            (connects, CONNECT),
        ];
        let sum = |of: fn(&Rows) -> u32| -> f64 {
            let events = happened.iter();
            events
                .map(|(times, rows)| times * f64::from(of(rows)))
                .sum()
        };
        let woken = turns * symbols * f64::from(READ_PER_SYMBOL);

        let year = 365.0 / DAYS;
        let stored = symbols * STORED_SYMBOL
            + (signals * STORED_SIGNAL + approvals * STORED_APPROVAL) * year;
        Usage([
            requests,
            cpu,
            calls + messages / MESSAGES_PER_REQUEST,
            duration * MEMORY,
            sum(|rows| rows.read) + woken,
            sum(|rows| rows.written) + alarms,
            stored,
        ])
    }
}

impl Usage {
    /// USD of each resource beyond what is included.
    pub fn costs(&self) -> [f64; 7] {
        let mut costs = [0.0; 7];
        for ((cost, used), of) in costs.iter_mut().zip(self.0).zip(RESOURCES) {
            *cost = (used - of.included).max(0.0) / of.unit * of.price;
        }
        costs
    }

    /// USD a month, the subscription included.
    pub fn total(&self) -> f64 {
        MINIMUM + self.costs().iter().sum::<f64>()
    }
}

/// A table of what desks use and cost: a column of each kind for every usage.
#[derive(Debug)]
pub struct Table(pub Vec<(&'static str, Usage)>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<24}{:>15}", "a month", "included")?;
        for (name, _) in &self.0 {
            write!(f, "{name:>16}{:>9}", "USD")?;
        }
        for (row, of) in RESOURCES.iter().enumerate() {
            write!(f, "\n{:<24}{:>15}", of.name, grouped(of.included))?;
            for (_, usage) in &self.0 {
                write!(
                    f,
                    "{:>16}{:>9.2}",
                    grouped(usage.0[row]),
                    usage.costs()[row]
                )?;
            }
        }
        for (name, amount) in [
            ("Subscription", (|_| MINIMUM) as fn(&Usage) -> f64),
            ("Total", Usage::total),
        ] {
            write!(f, "\n{name:<24}{:>15}", "")?;
            for (_, usage) in &self.0 {
                write!(f, "{:>16}{:>9.2}", "", amount(usage))?;
            }
        }
        Ok(())
    }
}

/// `1234567.8` as `1,234,568`.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESK: Desk = Desk {
        symbols: 100,
        dashboards: 20,
        signals_per_day: 100,
        approvals_per_day: 50,
    };

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6 * b.abs().max(1.0)
    }

    #[test]
    fn what_is_included_costs_nothing_and_what_is_beyond_its_price() {
        let mut usage = Usage(RESOURCES.map(|of| of.included));
        assert!(close(usage.total(), 5.0), "{}", usage.total());
        usage.0[0] += 5e6;
        assert!(close(usage.costs()[0], 1.50), "{:?}", usage.costs());
        // The example of Cloudflare's own: 552,960 GB-s cost 1.91.
        usage.0[3] = 552_960.0;
        assert!((usage.costs()[3] - 1.912).abs() < 1e-9);
        usage.0[5] += 2e6;
        assert!(close(usage.costs()[5], 2.0));
        usage.0[6] += 10e3;
        assert!(close(usage.costs()[6], 2.0));
    }

    #[test]
    fn an_empty_desk_pays_for_its_runs_alone() {
        let nobody = Desk {
            symbols: 0,
            dashboards: 0,
            signals_per_day: 0,
            approvals_per_day: 0,
        };
        let usage = nobody.usage(true);
        assert!(close(usage.0[0], 51_862.0), "{usage:?}");
        assert!(close(usage.total(), 5.0));
        assert_eq!(
            usage,
            nobody.usage(false),
            "no socket keeps an object awake"
        );
    }

    #[test]
    fn pings_are_a_twentieth_of_a_request_and_take_no_time() {
        let more = Desk {
            dashboards: DESK.dashboards + 1,
            signals_per_day: 0,
            approvals_per_day: 0,
            ..DESK
        };
        let one = Desk {
            dashboards: DESK.dashboards,
            ..more
        };
        let (more, one) = (more.usage(true), one.usage(true));
        // 5,760 pings a day, and four connections of ten calls.
        let requests = 30.0 * (5_760.0 / 20.0 + 40.0);
        assert!(close(more.0[2] - one.0[2], requests));
        let seconds = 30.0 * 40.0 * 0.05;
        assert!(close(more.0[3] - one.0[3], seconds * 0.128));
    }

    #[test]
    fn without_hibernation_the_feed_is_awake_all_month() {
        let (with, without) = (DESK.usage(true), DESK.usage(false));
        let feed = 2_592_000.0 * 0.128;
        assert!(
            without.0[3] - with.0[3] > 0.99 * feed,
            "{with:?} {without:?}"
        );
        for at in [0, 1, 2, 4, 5, 6] {
            assert!(close(with.0[at], without.0[at]), "{}", RESOURCES[at].name);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0.0, "0"),
            (999.4, "999"),
            (1e3, "1,000"),
            (1_234_567.8, "1,234,568"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
