//! A market-data provider on this machine, in place of all the real ones: it answers under
//! `/yahoo`, `/stooq`, `/tiingo`, `/fred` and `/cboe` as each of them documents, from files or from
//! generated series, and misbehaves on demand.
//!
//! What it has is no market data. Formats:
//! Yahoo's v8 chart, as its own site and `yfinance` use it; <https://stooq.com/db/h/>;
//! <https://www.tiingo.com/documentation/end-of-day>;
//! <https://fred.stlouisfed.org/docs/api/fred/series_observations.html> and its `fredgraph.csv`;
//! <https://www.cboe.com/tradable_products/vix/vix_historical_data/> and
//! <https://www.cboe.com/us/options/market_statistics/>.

mod answer;
mod ask;
mod book;
mod control;
#[cfg(test)]
mod failing;
mod fault;
mod log;
#[cfg(test)]
mod parsed;
mod render;
mod render_series;
mod series;
mod server;
mod state;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use chrono::NaiveDate;
use signalroom_core::market::provider::Provider;
use signalroom_core::signals::Bar;
use signalroom_core::time::Millis;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use control::Order;
pub use fault::{Fault, RetryAfter, Rule};
pub use log::Asked;

use book::Book;
use server::{Shared, locked};
use state::State;

/// The keys that providers want.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// Tiingo's token. It always wants one; without this any will do.
    pub tiingo: Option<String>,
    /// FRED's key, for its JSON. It always wants one; without this any will do.
    pub fred: Option<String>,
    /// Stooq's key. Without this it wants none.
    pub stooq: Option<String>,
}

/// How a provider is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// A folder of `SYMBOL.csv` (`date,open,high,low,close,volume`): these symbols and no others.
    /// None: every symbol has a generated series.
    pub data: Option<PathBuf>,
    /// Keys.
    pub keys: Keys,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 0).into(),
            data: None,
            keys: Keys::default(),
        }
    }
}

/// A running provider. It ends when it is dropped.
pub struct Market {
    addr: SocketAddr,
    state: Shared,
    task: JoinHandle<()>,
}

impl Market {
    /// Starts one with generated series.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start() -> Result<Self> {
        Self::with(Options::default()).await
    }

    /// Starts one.
    ///
    /// # Errors
    /// When it cannot listen, or the folder is not as described.
    pub async fn with(options: Options) -> Result<Self> {
        let listener = TcpListener::bind(options.listen).await;
        let listener = listener.with_context(|| format!("listening on {}", options.listen))?;
        let addr = listener.local_addr()?;
        let mut state = State::new(Book::generated(), options.keys);
        if let Some(folder) = &options.data {
            state.book = Book::read(folder, state.clock().date())?;
        }
        let state = Arc::new(Mutex::new(state));
        let task = tokio::spawn(server::accept(listener, Arc::clone(&state)));
        Ok(Self { addr, state, task })
    }

    /// Its address, without a slash at its end: what `PROVIDER_URL` is to be.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Does what it is told.
    ///
    /// # Errors
    /// When the order names a symbol that it cannot have, or a ratio that is none.
    pub fn tell(&self, order: Order) -> Result<()> {
        locked(&self.state).obey(order)
    }

    /// Misbehaves. The rule that was made last counts.
    pub fn misbehave(&self, rule: Rule) {
        self.told(Order::Misbehave { rule });
    }

    /// Behaves again, and lets go of who waits.
    pub fn heal(&self) {
        self.told(Order::Heal {});
    }

    /// Closes the connections that wait for ever.
    pub fn release(&self) {
        self.told(Order::Release {});
    }

    /// Shows nothing after that day.
    pub fn publish_through(&self, date: NaiveDate) {
        self.told(Order::Through { date: Some(date) });
    }

    /// Takes this for the time.
    pub fn set_now(&self, at: Millis) {
        self.told(Order::Now { at: Some(at) });
    }

    /// Forgets who asked what.
    pub fn forget(&self) {
        self.told(Order::Forget {});
    }

    /// An order that cannot fail.
    fn told(&self, order: Order) {
        self.tell(order).expect("it names no symbol");
    }

    /// Replaces the symbol's bars, ascending: there are no others, and none before them.
    pub fn hold(&self, symbol: &str, bars: Vec<Bar>) {
        let mut state = locked(&self.state);
        state.version += 1;
        state.book.hold(symbol, bars);
    }

    /// The symbol's bars as they are shown now, adjusted for splits and dividends; none when it is
    /// not known.
    pub fn bars(&self, symbol: &str) -> Vec<Bar> {
        locked(&self.state).bars(symbol)
    }

    /// All requests since the start, or since [`Self::forget`]; the last 20,000 of them.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.state).log.asked()
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        locked(&self.state).log.count(None, None)
    }

    /// How many requests there were of a provider, about a symbol or series or about any.
    pub fn requests_of(&self, provider: Provider, what: Option<&str>) -> usize {
        let what = what.map(book::key);
        let state = locked(&self.state);
        state.log.count(Some(provider), what.as_deref())
    }

    /// How many requests were being answered at once at most, of one provider or of all.
    pub fn most_at_once(&self, provider: Option<Provider>) -> usize {
        locked(&self.state).log.most(provider)
    }

    /// Waits until there have been so many requests.
    pub async fn until_asked(&self, count: usize) {
        let mut total = locked(&self.state).log.total();
        // The sender lives in the state, which lives as long as this.
        let _ = total.wait_for(|total| *total >= count).await;
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        self.task.abort();
    }
}
