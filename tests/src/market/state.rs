//! The provider's state, and the answer to a request.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde_json::json;
use signalroom_core::market::provider::Provider;
use signalroom_core::signals::Bar;
use signalroom_core::time::Millis;
use signalroom_harness::clock;
use tokio::sync::watch;

use super::Keys;
use super::answer::{Answer, http_date};
use super::ask::{Ask, Dates, Target};
use super::book::{Book, STRANGER, View};
use super::fault::{Fault, RetryAfter, Rule};
use super::log::Log;
use super::render::{self, Asks};
use super::render_series as mood;
use super::series::{AT_FRED, Mood, PUT_CALL, Revisions, VIX, day_before};

/// Bytes of rendered bodies that are kept.
const KEPT: usize = 512 << 20;

pub(super) struct State {
    pub book: Book,
    pub through: Option<NaiveDate>,
    pub now: Option<Millis>,
    pub revised: Revisions,
    pub rules: Vec<Rule>,
    pub conditional: bool,
    pub put_call_to_date: bool,
    pub keys: Keys,
    pub log: Log,
    pub releases: watch::Sender<u64>,
    /// Grows with every order.
    pub version: u64,
    rendered: Rendered,
}

/// Bodies that were rendered, by target, each with what it was rendered from.
#[derive(Default)]
struct Rendered {
    bodies: HashMap<String, (Stamp, Answer)>,
    bytes: usize,
}

type Stamp = (u64, NaiveDate, NaiveDate, u64);

impl Rendered {
    fn keep(&mut self, target: &str, stamp: Stamp, answer: &Answer) {
        if self.bytes + answer.body.len() > KEPT {
            self.bodies.clear();
            self.bytes = 0;
        }
        self.bytes += answer.body.len();
        let kept = (stamp, answer.clone());
        if let Some((_, old)) = self.bodies.insert(target.to_owned(), kept) {
            self.bytes -= old.body.len();
        }
    }
}

impl State {
    pub fn new(book: Book, keys: Keys) -> Self {
        Self {
            book,
            through: None,
            now: None,
            revised: Revisions::new(),
            rules: Vec::new(),
            conditional: false,
            put_call_to_date: false,
            keys,
            log: Log::new(),
            releases: watch::Sender::new(0),
            version: 0,
            rendered: Rendered::default(),
        }
    }

    /// The provider's time.
    pub fn clock(&self) -> Millis {
        self.now.unwrap_or_else(clock::now)
    }

    pub fn view(&self) -> View {
        View::at(self.clock(), self.through)
    }

    /// The answer to `target`, with `fault`; `header` looks one up in the request.
    pub fn answer(
        &mut self,
        target: &Target,
        text: &str,
        fault: Option<Fault>,
        header: &dyn Fn(&str) -> Option<String>,
    ) -> Answer {
        if let Some(refused) = self.refusal(target, fault, header) {
            return refused;
        }
        let Some(ask) = &target.ask else {
            return Answer::text(404, "Not Found");
        };
        let view = self.view();
        let stamp = (
            self.version,
            view.newest,
            view.now.date(),
            view.share.to_bits(),
        );
        let kept = self.rendered.bodies.get(text);
        let answer = match kept.filter(|(of, _)| fault.is_none() && *of == stamp) {
            Some((_, answer)) => answer.clone(),
            None => {
                let answer = self.rendered(ask, view, fault);
                if fault.is_none() {
                    self.rendered.keep(text, stamp, &answer);
                }
                answer
            }
        };
        let answer = answer.unless_known(header);
        if fault == Some(Fault::Truncated) {
            answer.truncated()
        } else {
            answer
        }
    }

    /// What is said in place of data.
    fn refusal(
        &self,
        target: &Target,
        fault: Option<Fault>,
        header: &dyn Fn(&str) -> Option<String>,
    ) -> Option<Answer> {
        match fault {
            Some(Fault::RateLimited(after)) => {
                return Some(limited(target.provider, after, self.clock()));
            }
            Some(Fault::DailyLimit) if target.provider == Provider::Stooq => {
                return Some(Answer::text(200, "Exceeded the daily hits limit"));
            }
            Some(Fault::DailyLimit) => {
                let unsaid = RetryAfter::Unsaid;
                return Some(limited(target.provider, unsaid, self.clock()));
            }
            Some(Fault::Status(status)) => return Some(Answer::text(status, "Something is wrong")),
            Some(Fault::WebPage) => return Some(Answer::page()),
            Some(Fault::Redirect) => {
                let elsewhere = "/cboe/elsewhere".to_owned();
                return Some(Answer::text(302, "Moved").with("location", elsewhere));
            }
            _ => {}
        }
        let parameter = |name: &str| target.query.get(name);
        match &target.ask {
            Some(Ask::Tiingo(..)) => {
                let told = header("authorization");
                let told = told.as_deref().and_then(|it| it.strip_prefix("Token "));
                let told = told.or(parameter("token").map(String::as_str));
                let detail = match (told, &self.keys.tiingo) {
                    (None | Some(""), _) => "Authentication credentials were not provided.",
                    (Some(told), Some(key)) if told != key => "Invalid token.",
                    _ => return None,
                };
                Some(Answer::json(401, json!({"detail": detail}).to_string()))
            }
            Some(Ask::FredJson(..)) => match (parameter("api_key"), &self.keys.fred) {
                (None, _) => Some(mood::fred_error("Variable api_key is not set.")),
                (Some(told), Some(key)) if told != key => Some(mood::fred_error(
                    "The value for variable api_key is not registered.",
                )),
                _ => None,
            },
            Some(Ask::Stooq(symbol, _)) => {
                let key = self.keys.stooq.as_ref()?;
                (parameter("apikey") != Some(key)).then(|| {
                    let how = format!(
                        "Get your apikey:\n\n1. Open https://stooq.com/q/d/?s={symbol}&get_apikey\n"
                    );
                    Answer::text(200, &how)
                })
            }
            _ => None,
        }
    }

    fn rendered(&mut self, ask: &Ask, view: View, fault: Option<Fault>) -> Answer {
        let modified = render::modified(&view);
        let conditional = self.conditional;
        let versioned = |answer: Answer| {
            if conditional && answer.status == 200 {
                answer.versioned(modified)
            } else {
                answer
            }
        };
        match ask {
            Ask::Yahoo(symbol, dates) => versioned(self.yahoo(symbol, *dates, view, fault)),
            Ask::Stooq(symbol, dates) => {
                let rows = self.book.rows(of(symbol, fault), &view).unwrap_or_default();
                let asks = asks(symbol, *dates, view);
                render::stooq(&asks.pick(&rows, fault))
            }
            Ask::Tiingo(symbol, dates) => {
                let Some(rows) = self.book.rows(of(symbol, fault), &view) else {
                    let detail = format!("Error: Ticker '{symbol}' not found");
                    return Answer::json(404, json!({"detail": detail}).to_string());
                };
                // It has a day when the day is over.
                let to = dates.to.min(view.newest_final());
                let asks = asks(symbol, Dates { to, ..*dates }, view);
                render::tiingo(&asks.pick(&rows, fault))
            }
            Ask::FredJson(id, from) => {
                let Some(days) = self.fred(id, *from, view, fault) else {
                    return mood::fred_error("The series does not exist.");
                };
                versioned(mood::fred_json(&days, *from, view.now.date()))
            }
            Ask::FredCsv(id, from) => {
                let Some(days) = self.fred(id, *from, view, fault) else {
                    return Answer::text(404, "Not Found");
                };
                let id = if fault == Some(Fault::WrongSymbol) {
                    STRANGER
                } else {
                    id
                };
                versioned(mood::fred_csv(id, &days))
            }
            Ask::CboeIndex => {
                let days = self.mood(&VIX, view.newest_final(), fault);
                let begin = NaiveDate::MIN;
                mood::cboe_index(&mood::pick(days, begin, fault)).versioned(modified)
            }
            Ask::CboeRatios => {
                let (begin, end) = mood::RATIOS;
                let newest = view.newest_final();
                let to = if self.put_call_to_date {
                    newest
                } else {
                    newest.min(end)
                };
                let product = if fault == Some(Fault::WrongSymbol) {
                    "EQUITY"
                } else {
                    "TOTAL"
                };
                let days = mood::pick(self.mood(&PUT_CALL, to, fault), begin, fault);
                mood::cboe_ratios(product, &days).versioned(modified)
            }
            Ask::CboeDay(date) => {
                let days = self.mood(&PUT_CALL, view.newest_final(), fault);
                let found = days.iter().find(|(day, _)| day == date);
                match found.and_then(|(_, ratio)| *ratio) {
                    Some(ratio) if *date > mood::RATIOS.1 && fault != Some(Fault::Empty) => {
                        mood::cboe_day(*date, ratio).versioned(modified)
                    }
                    _ => mood::cboe_denied(),
                }
            }
        }
    }

    fn yahoo(&mut self, symbol: &str, dates: Dates, view: View, fault: Option<Fault>) -> Answer {
        let Some(rows) = self.book.rows(of(symbol, fault), &view) else {
            let why = "No data found, symbol may be delisted";
            return render::yahoo_error(404, "Not Found", why);
        };
        let Some(first) = rows.first().map(|row| row.raw.date) else {
            let why = "No data found, symbol may be delisted";
            return render::yahoo_error(404, "Not Found", why);
        };
        if dates.to < first {
            let (start, end) = (render::opening(dates.from), render::opening(dates.to));
            let why = format!("Data doesn't exist for startDate = {start}, endDate = {end}");
            return render::yahoo_error(400, "Bad Request", &why);
        }
        let named = of(symbol, fault).to_ascii_uppercase();
        let asks = asks(&named, dates, view);
        let last = rows.last().map(|row| row.split_adjusted);
        render::yahoo(&asks, &asks.pick(&rows, fault), first, last)
    }

    fn fred(
        &self,
        id: &str,
        from: NaiveDate,
        view: View,
        fault: Option<Fault>,
    ) -> Option<mood::Days> {
        let mood = AT_FRED.iter().find(|mood| mood.id == id)?;
        // A day's value is there on the next.
        let to = view.newest_final().min(day_before(view.now.date()));
        Some(mood::pick(self.mood(mood, to, fault), from, fault))
    }

    fn mood(&self, mood: &Mood, to: NaiveDate, fault: Option<Fault>) -> Vec<super::series::Value> {
        let mut values = mood.values(to, &self.revised);
        if fault == Some(Fault::WrongSymbol) {
            for (_, value) in &mut values {
                *value = value.map(|value| value + 100.0);
            }
        }
        values
    }

    /// The days of a symbol as they are shown now, adjusted.
    pub fn bars(&mut self, symbol: &str) -> Vec<Bar> {
        let view = self.view();
        let rows = self.book.rows(symbol, &view).unwrap_or_default();
        rows.into_iter().map(|row| row.adjusted).collect()
    }
}

/// Whose data are sent.
fn of(symbol: &str, fault: Option<Fault>) -> &str {
    if fault == Some(Fault::WrongSymbol) {
        STRANGER
    } else {
        symbol
    }
}

fn asks(symbol: &str, dates: Dates, view: View) -> Asks<'_> {
    Asks {
        symbol,
        from: dates.from,
        to: dates.to,
        view,
    }
}

fn limited(provider: Provider, after: RetryAfter, now: Millis) -> Answer {
    let answer = match provider {
        Provider::Yahoo => Answer::text(429, "Too Many Requests\r\n"),
        Provider::Tiingo => {
            let detail = "Error: You have run over your hourly request allocation.";
            Answer::json(429, json!({"detail": detail}).to_string())
        }
        Provider::Fred => {
            let told = json!({"error_code": 429, "error_message": "Too Many Requests.  Exceeded Rate Limit"});
            Answer::json(429, told.to_string())
        }
        Provider::Stooq | Provider::Cboe => Answer::text(429, "Too Many Requests"),
    };
    match after {
        RetryAfter::Unsaid => answer,
        RetryAfter::Seconds(seconds) => answer.with("retry-after", seconds.to_string()),
        RetryAfter::Date(seconds) => {
            let until = now.plus(1000 * i64::from(seconds));
            answer.with("retry-after", http_date(until))
        }
    }
}
