//! Providers that fail: the run says who and why, nothing wrong is kept, others go on.

use anyhow::{Context as _, Result, ensure};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use signalroom_core::market::provider::Provider;

use super::{is_outcome, outcome, same_bars, supplied};
use crate::case::{Case, Ctx};
use crate::check;
use crate::market::{Fault, Order, Rule};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::starting(
            "market/when one provider fails the next one is asked",
            fallback,
        ),
        Case::starting(
            "market/what a provider says wrongly is named and kept nowhere",
            malformed,
        ),
        Case::starting(
            "market/another symbol's bars are not kept where the format has no name",
            stranger,
        ),
        Case::starting("market/a list that was cut off is completed", cut_list),
        Case::starting("market/rows that are no bars cost nobody the others", rows),
        Case::starting(
            "market/a provider that is down is named and not asked by everybody",
            down,
        ),
        Case::starting("market/a series that cannot be had has its reason", series),
    ]
}

async fn fallback(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "AAA,BBB")], |desk| {
        async move {
            let rule = Rule::new(Fault::Status(500)).of(Provider::Yahoo);
            desk.market.misbehave(rule.about("AAA"));
            let report = desk.run(json!({})).await?;
            is_outcome(&report, "AAA", "new", Some("stooq"))?;
            is_outcome(&report, "BBB", "new", Some("yahoo"))?;
            let error = check::string(outcome(&report, "AAA")?, "error")?;
            ensure!(
                error.contains("yahoo") && error.contains("500"),
                "expected who failed and how, got {error:?}"
            );
            desk.holds_what_the_market_has("AAA").await?;

            // Whom nobody knows.
            let symbol = "NOBODY".to_owned();
            desk.market.tell(Order::Delist { symbol })?;
            let report = desk.run_for(&["NOBODY"]).await?;
            is_outcome(&report, "NOBODY", "failed", None)?;
            let error = check::string(outcome(&report, "NOBODY")?, "error")?;
            ensure!(
                error.contains("yahoo: ") && error.contains("; stooq: "),
                "expected both to be named, got {error:?}"
            );

            // The first one again: the same bars in other digits are no correction.
            desk.market.heal();
            let report = desk.run_for(&["AAA"]).await?;
            is_outcome(&report, "AAA", "unchanged", Some("yahoo"))?;
            let bars = &outcome(&report, "AAA")?["bars"];
            check::equal("replaced", &bars["replaced"], &json!(0))
        }
        .boxed()
    })
    .await
}

async fn malformed(ctx: Ctx) -> Result<()> {
    let faults = [
        ("TRUNC", Fault::Truncated, "malformed"),
        ("STRANGE", Fault::WrongSymbol, "another symbol"),
        ("EMPTY", Fault::Empty, "nothing for those dates"),
        ("NAN", Fault::Nan, "malformed"),
        ("GONE", Fault::Status(404), "does not know it"),
    ];
    let watchlist = "FIRST,TRUNC,STRANGE,EMPTY,NAN,GONE,LAST";
    let vars = [("WATCHLIST", watchlist), ("PROVIDERS", "yahoo")];
    supplied(&ctx, &vars, |desk| {
        async move {
            for (symbol, fault, _) in faults {
                desk.market.misbehave(Rule::new(fault).about(symbol));
            }
            let report = desk.run(json!({})).await?;
            for (symbol, _, said) in faults {
                is_outcome(&report, symbol, "failed", None)?;
                let error = check::string(outcome(&report, symbol)?, "error")?;
                ensure!(
                    error.starts_with("yahoo: ") && error.contains(said),
                    "{symbol}: expected yahoo and {said:?}, got {error:?}"
                );
                desk.holds_nothing(symbol).await?;
                let known = desk.known(symbol).await?;
                check::equal("failures", &known["failures"], &json!(1))?;
                check::equal("error", &known["error"], &json!(error))?;
            }
            for symbol in ["FIRST", "LAST"] {
                is_outcome(&report, symbol, "new", Some("yahoo"))?;
                desk.holds_what_the_market_has(symbol).await?;
            }
            // It recovers, and so do they.
            desk.market.heal();
            let report = desk.run_for(&["TRUNC", "STRANGE"]).await?;
            for symbol in ["TRUNC", "STRANGE"] {
                is_outcome(&report, symbol, "new", Some("yahoo"))?;
                desk.holds_what_the_market_has(symbol).await?;
                let known = desk.known(symbol).await?;
                check::equal("error", &known["error"], &Value::Null)?;
            }
            // Nor does a later answer about somebody else change what is held.
            desk.market
                .misbehave(Rule::new(Fault::WrongSymbol).about("FIRST"));
            let report = desk.run_for(&["FIRST"]).await?;
            is_outcome(&report, "FIRST", "failed", None)?;
            desk.holds_what_the_market_has("FIRST").await
        }
        .boxed()
    })
    .await
}

async fn stranger(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "AAA")], |desk| {
        async move {
            desk.run(json!({})).await?;
            desk.holds_what_the_market_has("AAA").await?;
            let gone = Rule::new(Fault::Status(404)).of(Provider::Yahoo);
            desk.market.misbehave(gone);
            let stranger = Rule::new(Fault::WrongSymbol).of(Provider::Stooq);
            desk.market.misbehave(stranger);
            let report = desk.run_for(&["AAA"]).await?;
            is_outcome(&report, "AAA", "failed", None)?;
            let error = check::string(outcome(&report, "AAA")?, "error")?;
            ensure!(
                error.contains("stooq: its answer is about another symbol"),
                "got {error:?}"
            );
            desk.holds_what_the_market_has("AAA").await
        }
        .boxed()
    })
    .await
}

async fn cut_list(ctx: Ctx) -> Result<()> {
    let vars = [("WATCHLIST", "AAA"), ("PROVIDERS", "stooq")];
    supplied(&ctx, &vars, |desk| {
        async move {
            desk.market.misbehave(Rule::new(Fault::Truncated).times(1));
            desk.run(json!({})).await?;
            let held = desk.held("AAA").await?;
            let all = desk.market.bars("AAA");
            ensure!(held.len() < all.len(), "got {} bars", held.len());
            same_bars("what came", &held, &all[..held.len()])?;
            check::equal("stale", &desk.known("AAA").await?["stale"], &json!(true))?;
            desk.run_for(&["AAA"]).await?;
            desk.holds_what_the_market_has("AAA").await?;
            let known = desk.known("AAA").await?;
            check::equal("missing_from", &known["missing_from"], &Value::Null)?;
            check::equal("stale", &known["stale"], &json!(false))
        }
        .boxed()
    })
    .await
}

async fn rows(ctx: Ctx) -> Result<()> {
    let vars = [
        ("WATCHLIST", "TWICE,TURNED,NULLS,ABSURD"),
        ("PROVIDERS", "yahoo"),
    ];
    supplied(&ctx, &vars, |desk| {
        async move {
            let faults = [
                ("TWICE", Fault::Duplicated),
                ("TURNED", Fault::Unordered),
                ("NULLS", Fault::Nulls),
                ("ABSURD", Fault::Absurd),
            ];
            for (symbol, fault) in faults {
                desk.market.misbehave(Rule::new(fault).about(symbol));
            }
            let report = desk.run(json!({})).await?;
            for (symbol, fault) in faults {
                is_outcome(&report, symbol, "new", Some("yahoo"))?;
                let held = desk.held(symbol).await?;
                let mut wanted = desk.market.bars(symbol);
                if matches!(fault, Fault::Nulls | Fault::Absurd) {
                    wanted.remove(wanted.len() / 2);
                }
                same_bars(symbol, &held, &wanted)?;
                let rejected = &outcome(&report, symbol)?["rejected"];
                let no_bars = u32::from(fault == Fault::Absurd);
                if fault != Fault::Duplicated {
                    check::equal("rejected", rejected, &json!(no_bars)).context(symbol)?;
                }
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

async fn down(ctx: Ctx) -> Result<()> {
    let faults = [
        (Fault::Reset, "cannot be reached"),
        (Fault::CutOff, "cannot be reached"),
        (Fault::WebPage, "web page"),
        (Fault::Status(503), "503"),
        (Fault::Redirect, "302"),
        (Fault::Endless, "too large"),
        (Fault::Silent, "too long"),
        (Fault::Stalled, "too long"),
    ];
    let names: Vec<String> = (0..30).map(|number| format!("D{number:02}")).collect();
    let watchlist = names.join(",");
    let vars = [("WATCHLIST", watchlist.as_str()), ("PROVIDERS", "yahoo")];
    supplied(&ctx, &vars, |desk| {
        async move {
            for (number, (fault, said)) in faults.iter().enumerate() {
                let symbol = format!("ONE{number}");
                let rule = Rule::new(*fault).about(&symbol);
                desk.market.misbehave(rule);
                let report = desk.run_for(&[&symbol]).await?;
                is_outcome(&report, &symbol, "failed", None)?;
                let error = check::string(outcome(&report, &symbol)?, "error")?;
                ensure!(
                    error.starts_with("yahoo: ") && error.contains(said),
                    "{fault:?}: expected yahoo and {said:?}, got {error:?}"
                );
                desk.holds_nothing(&symbol).await?;
            }
            let followed = desk.market.requests_of(Provider::Cboe, None);
            check::equal("redirects followed", &followed, &0)?;
            desk.market.misbehave(Rule::new(Fault::Status(500)));
            desk.market.forget();
            let report = desk.run(json!({})).await?;
            let asked = desk.market.requests_of(Provider::Yahoo, None);
            ensure!(asked < 12, "expected a few tries, got {asked}");
            let left = check::integer(&report, "deferred")? + check::integer(&report, "unfetched")?;
            check::equal("not fetched", &left, &30)?;
            // It is left alone for a while, also by the next run.
            desk.market.heal();
            desk.market.forget();
            desk.run_for(&["D00"]).await?;
            check::equal("requests", &desk.market.requests(), &0)
        }
        .boxed()
    })
    .await
}

async fn series(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "SPY")], |desk| {
        async move {
            let fred = |fault| Rule::new(fault).of(Provider::Fred);
            desk.market.misbehave(fred(Fault::WebPage).about("VIXCLS"));
            desk.market
                .misbehave(fred(Fault::Truncated).about("BAMLH0A0HYM2"));
            let report = desk.run(json!({})).await?;
            let line = |name: &str| {
                let all = check::array(&report, "series")?.iter();
                let mut named = all.filter(|it| it["series"] == name);
                named
                    .next()
                    .with_context(|| format!("expected {name} in {report}"))
            };
            // Cboe has it too.
            let vix = line("vix")?;
            check::text(vix, "outcome", "new")?;
            check::text(vix, "provider", "cboe")?;
            ensure!(
                check::string(vix, "error")?.starts_with("fred: "),
                "got {vix}"
            );
            check::text(line("ten_year")?, "provider", "fred")?;
            let mood = desk.read("/api/v1/market/fear-greed").await?;
            let component = |name: &str| {
                let all = check::array(&mood, "components").into_iter().flatten();
                let mut named = all.filter(|it| it["name"] == name);
                named.next().cloned().unwrap_or_default()
            };
            ensure!(component("volatility")["score"].is_number(), "got {mood}");
            Ok(())
        }
        .boxed()
    })
    .await
}
