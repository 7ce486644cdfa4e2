//! The local market-data provider as a process, for work without a network:
//!
//!     cargo run -p signalroom-tests --bin market-provider -- --listen 127.0.0.1:9090
//!     cargo run --bin signalroom -- serve --provider-url http://127.0.0.1:9090

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use chrono::NaiveDate;
use clap::Parser;
use signalroom_tests::market::{Keys, Market, Options, Order};

/// Speaks as Yahoo, Stooq, Tiingo, FRED and Cboe do, from generated series or from files. What it
/// has is no market data.
#[derive(Parser)]
struct Args {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// A folder of SYMBOL.csv (date,open,high,low,close,volume): these symbols and no others.
    /// Without it every symbol has a generated series.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Show nothing after that day.
    #[arg(long)]
    through: Option<NaiveDate>,
    /// The token that Tiingo is asked with; without it any will do.
    #[arg(long)]
    tiingo_key: Option<String>,
    /// The key that FRED's JSON is asked with; without it any will do.
    #[arg(long)]
    fred_key: Option<String>,
    /// The key that Stooq is asked with; without it none is wanted.
    #[arg(long)]
    stooq_key: Option<String>,
    /// Name versions in Yahoo's and FRED's answers too.
    #[arg(long)]
    conditional: bool,
    /// Continue Cboe's file of put/call ratios, which ended on 2019-10-04, to the newest day.
    #[arg(long)]
    put_call_to_date: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let market = Market::with(Options {
        listen: args.listen,
        data: args.data,
        keys: Keys {
            tiingo: args.tiingo_key,
            fred: args.fred_key,
            stooq: args.stooq_key,
        },
    })
    .await?;
    for order in [
        Order::Through { date: args.through },
        Order::Conditional {
            on: args.conditional,
        },
        Order::PutCallToDate {
            on: args.put_call_to_date,
        },
    ] {
        market.tell(order)?;
    }
    println!("PROVIDER_URL={}", market.url());
    println!("Orders go to {}/control; ^C ends it.", market.url());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
