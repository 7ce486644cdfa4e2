//! Real bars against the golden values, where the checkout stands beside them.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::read;
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::target;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![Case::shared(
        "golden/real bars score what the golden file says",
        real_bars,
    )]
}

/// A file beside the checkout, if it is there.
fn shared(path: &str) -> Option<PathBuf> {
    let file = target::root()
        .parent()?
        .join("shared")
        .join("data")
        .join(path);
    file.exists().then_some(file)
}

async fn real_bars(ctx: Ctx) -> Result<()> {
    let (Some(market), Some(golden)) = (shared("market/AAPL.csv"), shared("golden/signals.json"))
    else {
        println!("skip  golden/… (no ../shared/data beside the checkout)");
        return Ok(());
    };
    let rows = std::fs::read_to_string(market).context("the market data")?;
    let rows: Vec<&str> = rows.lines().collect();
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(golden)?)?;
    let wanted = check::array(&golden, "cases")?
        .iter()
        .filter(|case| case["symbol"] == "AAPL")
        .collect::<Vec<_>>();
    let symbol = ctx.symbol("AAPL");
    let rest = ctx.rest(Role::Service)?;
    let mut sent = 1;
    for case in wanted {
        // Ascending dates: each step sends only what is new since the last.
        let date = check::string(case, "date")?;
        let upto = rows
            .iter()
            .position(|row| row.starts_with(&date))
            .with_context(|| format!("{date} among the bars"))?;
        let body = [&rows[..1], &rows[sent..=upto]].concat().join("\n");
        sent = upto + 1;
        rest.put_csv(&symbol, "?compute=now", body).await?.ok()?;
        let signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
        let want = &case["expected"];
        let score = |value: &Value| value.as_f64().context("a golden number");
        let compare = || -> Result<()> {
            check::text(&signal, "ts", &format!("{date}T00:00:00Z"))?;
            check::near(
                "unslug_score",
                &signal["unslug_score"],
                score(&want["unslug"]["score"])?,
            )?;
            let fear = score(&want["fear"]["score"])? / 100.0;
            check::near("fear_score", &signal["fear_score"], fear)?;
            let combined = score(&want["combined_trust"])?;
            check::near("combined_trust", &signal["combined_trust"], combined)?;
            check::equal(
                "suggested",
                &signal["recommendation"]["suggested"],
                &want["recommendation"],
            )
        };
        compare().with_context(|| format!("AAPL up to {date}"))?;
    }
    Ok(())
}
