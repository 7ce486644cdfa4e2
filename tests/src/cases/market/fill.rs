//! A desk without data gets them, computes and tells.

use anyhow::{Result, ensure};
use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use signalroom_core::calendar::HISTORY_START;
use signalroom_core::market::provider::Provider;

use super::{Desk, back, between_crons, is_outcome, newest, plainly, supplied};
use crate::bars;
use crate::case::{Case, Ctx};
use crate::cases::command_line;
use crate::check;
use crate::client::rest::send;
use crate::client::{Rest, Role};
use crate::market::{Fault, Market, Order, Rule};
use crate::oracle;
use crate::target::{Kind, Server, Start, Stop};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::starting(
            "market/with an address alone a fresh start fills itself, computes and tells",
            fresh,
        ),
        Case::starting(
            "market/a day that comes later makes what is stale fresh",
            next_day,
        ),
        Case::starting(
            "market/what was sent by hand is completed back to 2018",
            completed,
        ),
        Case::starting("market/a gap is found, asked for again and filled", gap),
        Case::starting(
            "market/what was not listed before is not asked for again",
            listed,
        ),
        Case::starting(
            "market/a run that died leaves nothing in the way, and what came is kept",
            died,
        ),
        Case::starting(
            "market/backfill fetches what is lacking, and goes on where it was",
            backfill,
        )
        .only(&[Kind::Harness]),
        Case::starting("market/at most six requests are under way at once", six),
        Case::starting(
            "market/what a run has no means for waits, the oldest first",
            budget,
        ),
        Case::starting("market/who is asked in vain counts too", fallbacks),
    ]
}

const SEVEN: [&str; 7] = [
    "momentum",
    "strength",
    "breadth",
    "put_call",
    "junk_bond_demand",
    "volatility",
    "safe_haven",
];

async fn fresh(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[], |desk| filled(desk).boxed()).await
}

async fn filled(desk: Desk<'_>) -> Result<()> {
    let socket = desk.ctx.dial("/ws").query("topics", "market");
    let mut socket = socket.open().await?.socket;
    // As the runtime's own clock does; the first run has means for both.
    let scheduled = "/cdn-cgi/handler/scheduled?cron=*/5+*+*+*+*";
    let rest = Rest::new(&desk.ctx.url(), None)?;
    let reply = send(rest.request(Method::POST, scheduled)).await?;
    ensure!(reply.status == 200, "expected a run, got {reply}");
    socket.events("new_signal", &["SPY", "QQQ"]).await?;

    for symbol in ["SPY", "QQQ"] {
        desk.holds_what_the_market_has(symbol).await?;
        let known = desk.known(symbol).await?;
        for (member, value) in [
            ("watched", json!(true)),
            ("first_bar", json!(HISTORY_START)),
            ("last_bar", json!(newest())),
            ("due", json!(newest())),
            ("stale", json!(false)),
            ("provisional", json!(false)),
            ("provider", json!("yahoo")),
            ("failures", json!(0)),
            ("error", Value::Null),
            ("missing_from", Value::Null),
        ] {
            check::equal(member, &known[member], &value)?;
        }
        let age = check::integer(&known, "data_age")?;
        ensure!(age < 6 * 86_400, "expected days of age, got {age} s");
        check::time("fetched_at", &known["fetched_at"])?;
        check::time("next_fetch_at", &known["next_fetch_at"])?;

        let signal = desk.read(&format!("/api/v1/signals/{symbol}")).await?;
        let scores = oracle::scores(&plainly(&desk.held(symbol).await?));
        check::text(&signal, "ts", &format!("{}T00:00:00Z", newest()))?;
        check::near("unslug_score", &signal["unslug_score"], scores.unslug)?;
        check::near("fear_score", &signal["fear_score"], scores.fear)?;
        check::equal("stale", &signal["stale"], &json!(false))?;
        check::equal("provisional", &signal["provisional"], &json!(false))?;
    }
    let asked = |provider| desk.market.requests_of(provider, None);
    check::equal("requests of Yahoo", &asked(Provider::Yahoo), &2)?;
    check::equal("requests of Stooq", &asked(Provider::Stooq), &0)?;

    mood(&desk).await?;
    let update = socket.kind("market_update").await?;
    ensure!(update.get("seq").is_none(), "expected no seq, got {update}");
    // Nothing is due any more.
    desk.market.forget();
    let report = desk.run(json!({})).await?;
    check::equal("outcomes", &report["outcomes"], &json!([]))?;
    let bars = asked(Provider::Yahoo) + asked(Provider::Stooq);
    check::equal("requests for bars", &bars, &0)
}

/// The market's mood has seven components, each with a score or a reason.
async fn mood(desk: &Desk<'_>) -> Result<()> {
    let mood = desk.read("/api/v1/market/fear-greed").await?;
    let members = ["score", "label", "as_of", "updated_at", "components"];
    check::members("the market's mood", &mood, &members)?;
    let components = check::array(&mood, "components")?;
    let names = components.iter().map(|it| it["name"].clone());
    let mut names: Vec<_> = names.collect();
    names.sort_by_key(Value::to_string);
    let mut wanted: Vec<_> = SEVEN.iter().map(|name| json!(name)).collect();
    wanted.sort_by_key(Value::to_string);
    check::equal("components", &names, &wanted)?;
    for it in components {
        let members = ["name", "score", "value", "as_of", "source", "missing"];
        check::members("a component", it, &members)?;
        ensure!(
            it["score"].is_null() == it["missing"].is_string(),
            "expected a score or a reason, got {it}"
        );
        let there = it["score"].as_f64();
        ensure!(
            there.is_none_or(|score| (0.0..=100.0).contains(&score)),
            "expected a score in [0, 100], got {it}"
        );
    }
    for name in ["momentum", "volatility", "junk_bond_demand", "safe_haven"] {
        let it = components.iter().find(|it| it["name"] == name);
        let score = it.map(|it| it["score"].clone()).unwrap_or_default();
        ensure!(score.is_number(), "expected a score of {name} in {mood}");
    }
    ensure!(mood["score"].is_number(), "expected a score, got {mood}");
    check::time("updated_at", &mood["updated_at"])?;
    let opened = desk.ctx.dial("/ws").open().await?;
    check::equal(
        "the snapshot's",
        &opened.snapshot["market"]["score"],
        &mood["score"],
    )
}

async fn next_day(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "DAY")], |desk| {
        async move {
            desk.market.publish_through(back(1));
            desk.run(json!({})).await?;
            let signal = desk.read("/api/v1/signals/DAY").await?;
            check::text(&signal, "ts", &format!("{}T00:00:00Z", back(1)))?;
            check::equal("stale", &signal["stale"], &json!(true))?;
            check::equal("stale", &desk.known("DAY").await?["stale"], &json!(true))?;
            let mut socket = desk.ctx.dial("/ws").open().await?.socket;

            desk.market.publish_through(newest());
            let report = desk.run_for(&["DAY"]).await?;
            is_outcome(&report, "DAY", "new", Some("yahoo"))?;
            let event = socket.event("new_signal", "DAY").await?;
            check::text(&event["data"], "ts", &format!("{}T00:00:00Z", newest()))?;
            check::equal("stale", &event["data"]["stale"], &json!(false))?;
            check::equal("stale", &desk.known("DAY").await?["stale"], &json!(false))?;
            desk.holds_what_the_market_has("DAY").await
        }
        .boxed()
    })
    .await
}

async fn completed(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "HAND")], |desk| {
        async move {
            let all = plainly(&desk.market.bars("HAND"));
            let some = &all[500..900];
            let rest = desk.ctx.rest(Role::Service)?;
            rest.put_bars("HAND", "?compute=now", some).await?.ok()?;
            let known = desk.known("HAND").await?;
            ensure!(known["missing_from"].is_string(), "got {known}");
            desk.run(json!({})).await?;
            desk.holds_what_the_market_has("HAND").await?;
            let known = desk.known("HAND").await?;
            check::equal("missing_from", &known["missing_from"], &Value::Null)
        }
        .boxed()
    })
    .await
}

async fn gap(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "GAP")], |desk| {
        async move {
            let order = Order::Hole {
                symbol: "GAP".to_owned(),
                from: back(2),
                to: back(1),
            };
            desk.market.tell(order)?;
            desk.run(json!({})).await?;
            let known = desk.known("GAP").await?;
            check::equal("missing_from", &known["missing_from"], &json!(back(2)))?;
            let symbol = "GAP".to_owned();
            desk.market.tell(Order::Mend { symbol })?;
            let report = desk.run_for(&["GAP"]).await?;
            let bars = &super::outcome(&report, "GAP")?["bars"];
            check::equal("bars that came", &bars["accepted"], &json!(2))?;
            desk.holds_what_the_market_has("GAP").await?;
            let known = desk.known("GAP").await?;
            check::equal("missing_from", &known["missing_from"], &Value::Null)
        }
        .boxed()
    })
    .await
}

async fn listed(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "NEW")], |desk| {
        async move {
            let (symbol, from) = ("NEW".to_owned(), back(30));
            desk.market.tell(Order::List { symbol, from })?;
            let report = desk.run(json!({})).await?;
            let line = super::outcome(&report, "NEW")?;
            check::text(line, "outcome", "insufficient_history")?;
            let bars = &line["bars"];
            check::equal("bars that came", &bars["accepted"], &json!(31))?;
            let known = desk.known("NEW").await?;
            check::equal("first_bar", &known["first_bar"], &json!(from))?;
            check::equal("missing_from", &known["missing_from"], &Value::Null)?;
            desk.market.forget();
            let report = desk.run(json!({})).await?;
            check::equal("outcomes", &report["outcomes"], &json!([]))?;
            desk.run_for(&["NEW"]).await?;
            let asked = desk.market.asked();
            let whole = |it: &&crate::market::Asked| it.target.contains("period1=1514");
            check::equal(
                "requests for all of it",
                &asked.iter().filter(whole).count(),
                &0,
            )
        }
        .boxed()
    })
    .await
}

async fn backfill(ctx: Ctx) -> Result<()> {
    let vars = [("WATCHLIST", "ONE,TWO,SIX"), ("PROVIDERS", "yahoo")];
    supplied(&ctx, &vars, |desk| {
        async move {
            desk.market
                .misbehave(Rule::new(Fault::Status(404)).about("TWO"));
            let ended = command_line::run(&desk.ctx, &["backfill"]).await?;
            ensure!(
                ended.code == Some(1),
                "expected exit 1, got {:?}",
                ended.code
            );
            ensure!(
                ended.stdout.contains("ONE: 2") && ended.stdout.contains("TWO: failed: yahoo"),
                "expected a line for each, got {}",
                ended.stdout
            );
            desk.holds_what_the_market_has("SIX").await?;
            desk.holds_nothing("TWO").await?;
            desk.market.heal();
            desk.market.forget();
            let printed = command_line::run(&desk.ctx, &["backfill"]).await?.ok()?;
            ensure!(printed.contains("2 symbols have all"), "got {printed}");
            desk.holds_what_the_market_has("TWO").await?;
            check::equal("requests", &desk.market.requests(), &1)
        }
        .boxed()
    })
    .await
}

async fn died(ctx: Ctx) -> Result<()> {
    between_crons(ctx.kind()).await;
    let market = Market::start().await?;
    market.publish_through(newest());
    let mut start = Start::clone(ctx.start());
    for (name, value) in [
        ("WATCHLIST", "ONE,TWO"),
        ("PROVIDERS", "yahoo"),
        ("PROVIDER_URL", &market.url()),
    ] {
        start.vars.insert(name.to_owned(), value.to_owned());
    }
    let mut server = Server::start(ctx.kind(), &start).await?;
    let desk = Desk {
        ctx: ctx.at(server.url()),
        market: &market,
    };
    desk.run_for(&["ONE"]).await?;
    market.misbehave(Rule::new(Fault::Silent));
    market.forget();
    let all = ["ONE", "TWO"];
    let (outcome, ()) = tokio::join!(desk.run_for(&all), async {
        market.until_asked(2).await;
        if server.stop(Stop::Kill).await.is_err() {
            market.release();
        }
    });
    ensure!(outcome.is_err(), "expected the run to die, got {outcome:?}");
    market.heal();

    let mut server = Server::start(ctx.kind(), &start).await?;
    let desk = Desk {
        ctx: ctx.at(server.url()),
        market: &market,
    };
    desk.holds_what_the_market_has("ONE").await?;
    let report = desk.run_for(&all).await?;
    is_outcome(&report, "ONE", "unchanged", Some("yahoo"))?;
    is_outcome(&report, "TWO", "new", Some("yahoo"))?;
    desk.holds_what_the_market_has("TWO").await?;
    server.stop(Stop::Gently).await
}

/// So many symbols.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("S{number:03}")).collect()
}

async fn six(ctx: Ctx) -> Result<()> {
    let names = names(20);
    let watchlist = names.join(",");
    let vars = [("WATCHLIST", watchlist.as_str()), ("PROVIDERS", "yahoo")];
    supplied(&ctx, &vars, |desk| {
        async move {
            desk.market.misbehave(Rule::new(Fault::Slow(40)));
            let report = desk.run(json!({})).await?;
            check::equal("fetched", &report["fetched"], &json!(20))?;
            let most = desk.market.most_at_once(None);
            ensure!((2..=6).contains(&most), "expected up to 6, got {most}");
            Ok(())
        }
        .boxed()
    })
    .await
}

async fn fallbacks(ctx: Ctx) -> Result<()> {
    let names = names(12);
    let watchlist = names.join(",");
    let vars = [
        ("WATCHLIST", watchlist.as_str()),
        ("PROVIDERS", "yahoo,stooq"),
        ("SUBREQUESTS", "24"),
    ];
    supplied(&ctx, &vars, |desk| {
        async move {
            let gone = Rule::new(Fault::Status(404)).of(Provider::Yahoo);
            desk.market.misbehave(gone);
            let mut fetched = 0;
            for _ in 0..names.len() {
                desk.market.forget();
                let report = desk.run(json!({})).await?;
                let now = check::integer(&report, "fetched")?;
                fetched += now;
                // Whoever had bars was asked by its room too; the plan and the end are two more.
                let made = desk.market.requests() as u64 + now + 2;
                ensure!(made <= 24, "expected at most 24, got {made} in {report}");
            }
            check::equal("fetched", &fetched, &12)
        }
        .boxed()
    })
    .await
}

async fn budget(ctx: Ctx) -> Result<()> {
    let names = names(12);
    let watchlist = names.join(",");
    let vars = [
        ("WATCHLIST", watchlist.as_str()),
        ("PROVIDERS", "yahoo"),
        ("SUBREQUESTS", "24"),
    ];
    supplied(&ctx, &vars, |desk| {
        async move {
            let mut fetched = 0;
            let mut runs = 0;
            while fetched < names.len() {
                let report = desk.run(json!({})).await?;
                let now = check::integer(&report, "fetched")? as usize;
                ensure!(now > 0, "expected some to be fetched, got {report}");
                fetched += now;
                let left = (names.len() - fetched) as u64;
                check::equal("deferred", &check::integer(&report, "deferred")?, &left)?;
                runs += 1;
            }
            ensure!(runs > 1, "expected more than one run");
            // Each was asked for once: nobody was asked for again before all had their turn.
            for name in &names {
                let asked = desk.market.requests_of(Provider::Yahoo, Some(name));
                check::equal(&format!("requests for {name}"), &asked, &1)?;
            }
            let order: Vec<_> = desk.market.asked().into_iter().map(|it| it.what).collect();
            ensure!(order.len() == names.len(), "got {order:?}");
            Ok(())
        }
        .boxed()
    })
    .await
}

/// What the oracle wants is what it gets: enough history for every component.
const _: () = assert!(bars::SESSIONS > 324);
