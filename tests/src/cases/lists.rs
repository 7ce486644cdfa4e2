//! What the feed serves: lists, scan, approvals of all symbols, city, runs.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::{approve, compute, import, pending, read};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::send;
use crate::client::socket::about;
use crate::client::{Role, token};
use crate::oracle;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "lists/signals: the latest per symbol, without explain",
            latest,
        ),
        Case::shared("lists/signals: filtered by status", by_status),
        Case::shared("lists/a bad limit, cursor or n is 422", bad_queries),
        Case::shared(
            "lists/approvals by symbol, by and time, newest first",
            approvals,
        ),
        Case::shared("lists/approvals in pages", approval_pages),
        Case::shared(
            "runs/a run computes what is dirty, a second sends nothing",
            run,
        ),
        Case::shared("runs/a run says which cron it stands for", run_cron),
        Case::own(
            "runs/a run names the symbols without fresh bars",
            &[],
            stale,
        ),
        Case::shared("runs/the scheduled route fires cron", scheduled),
        Case::own(
            "lists/a new desk: pages, scan order and city from nothing",
            &[],
            fresh,
        ),
    ]
}

/// All entries of a list in the order of its pages.
async fn all(ctx: &Ctx, path: &str, field: &str, limit: usize) -> Result<Vec<Value>> {
    let join = if path.contains('?') { '&' } else { '?' };
    let mut entries: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = read(ctx, &format!("{path}{join}limit={limit}{cursor}")).await?;
        check::members("a page", &page, &[field, "next_cursor"])?;
        let part = check::array(&page, field)?;
        ensure!(
            part.len() <= limit,
            "expected at most {limit} in a page, got {}",
            part.len()
        );
        entries.extend(part.iter().cloned());
        match &page["next_cursor"] {
            Value::Null => return Ok(entries),
            Value::String(next) => {
                ensure!(
                    !part.is_empty(),
                    "expected entries beside a next_cursor, got {page}"
                );
                cursor = format!("&cursor={next}");
            }
            other => anyhow::bail!("expected next_cursor to be text or null, got {other}"),
        }
    }
}

fn symbols(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .filter_map(|entry| entry["symbol"].as_str())
        .collect()
}

/// Waits until the feed lists the signal `id` of `symbol`.
async fn listed(ctx: &Ctx, symbol: &str, id: &Value) -> Result<Value> {
    let reply = ctx
        .rest(Role::Viewer)?
        .poll(&format!("{id}"), "/api/v1/signals?limit=500", |reply| {
            reply.json().is_ok_and(|page| {
                page["signals"]
                    .as_array()
                    .is_some_and(|signals| signals.iter().any(|signal| &signal["id"] == id))
            })
        })
        .await?
        .ok()?;
    check::array(&reply, "signals")?
        .iter()
        .find(|signal| signal["symbol"] == symbol)
        .cloned()
        .with_context(|| format!("expected {symbol} in the list"))
}

async fn latest(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Neutral).await?;
    let next = compute(&ctx, &symbol, &bars::series_of(Shape::Neutral, 1, 401)).await?;
    let entry = listed(&ctx, &symbol, &next["id"]).await?;
    super::signals::is_signal(&entry)?;
    let entries = all(&ctx, "/api/v1/signals", "signals", 500).await?;
    let mine = symbols(&entries).iter().filter(|it| **it == symbol).count();
    check::equal("entries of one symbol", &mine, &1)
}

async fn by_status(ctx: Ctx) -> Result<()> {
    let (waiting, first) = pending(&ctx, "A", Shape::Buy).await?;
    let (decided, _) = pending(&ctx, "B", Shape::Buy).await?;
    approve(&ctx, "ann", &decided, "RISK").await?.ok()?;
    listed(&ctx, &waiting, &first["id"]).await?;
    for (status, there, absent) in [
        ("PENDING_REVIEW", &waiting, &decided),
        ("APPROVED_RISK", &decided, &waiting),
    ] {
        let path = format!("/api/v1/signals?status={status}");
        let entries = all(&ctx, &path, "signals", 500).await?;
        ensure!(
            entries.iter().all(|entry| entry["status"] == status),
            "expected only {status}, got {:?}",
            entries
                .iter()
                .map(|entry| &entry["status"])
                .collect::<Vec<_>>()
        );
        let names = symbols(&entries);
        ensure!(
            names.contains(&there.as_str()),
            "expected {there} among {status}, got {names:?}"
        );
        ensure!(
            !names.contains(&absent.as_str()),
            "expected no {absent} among {status}"
        );
    }
    let reply = ctx
        .rest(Role::Viewer)?
        .get("/api/v1/signals?status=MAYBE")
        .await?;
    reply.problem(422, "invalid")?;
    Ok(())
}

async fn bad_queries(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Viewer)?;
    for path in ["/api/v1/signals", "/api/v1/approvals"] {
        for query in [
            "limit=0",
            "limit=501",
            "limit=-5",
            "limit=many",
            "cursor=%00",
        ] {
            let path = format!("{path}?{query}");
            rest.get(&path)
                .await?
                .problem(422, "invalid")
                .context(path)?;
        }
        rest.get(&format!("{path}?limit=500")).await?.ok()?;
    }
    for n in ["0", "101", "-1", "x", "1.5"] {
        let path = format!("/api/v1/scan/top?n={n}");
        rest.get(&path)
            .await?
            .problem(422, "invalid")
            .context(path)?;
    }
    for n in ["1", "100"] {
        rest.get(&format!("/api/v1/scan/top?n={n}")).await?.ok()?;
    }
    for query in ["from=yesterday", "to=x"] {
        rest.get(&format!("/api/v1/approvals?{query}"))
            .await?
            .problem(422, "invalid")?;
    }
    Ok(())
}

const APPROVAL: [&str; 6] = [
    "symbol",
    "approved_status",
    "approved_by",
    "approved_at",
    "note",
    "signal_id",
];

async fn approvals(ctx: Ctx) -> Result<()> {
    let begun = chrono::DateTime::from_timestamp(token::now() - 2, 0).context("a time")?;
    let begun = begun.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let (a, _) = pending(&ctx, "A", Shape::Buy).await?;
    let (b, _) = pending(&ctx, "B", Shape::Risk).await?;
    let (ann, bob) = (ctx.user("ann"), ctx.user("bob"));
    approve(&ctx, &ann, &a, "BUY").await?.ok()?;
    approve(&ctx, &bob, &b, "RISK").await?.ok()?;
    compute(&ctx, &a, &bars::series_of(Shape::Buy, 1, 401)).await?;
    let last = approve(&ctx, &ann, &a, "NEUTRAL").await?.ok()?;
    ensure!(
        !last["feed"].is_null(),
        "expected the feed's position, got {last}"
    );

    let want = |entries: &[Value], wanted: &[(&str, &str, &str)]| -> Result<()> {
        let got: Vec<(&str, &str, &str)> = entries
            .iter()
            .map(|it| {
                let text = |field: &str| it[field].as_str().unwrap_or("?");
                (text("symbol"), text("approved_status"), text("approved_by"))
            })
            .collect();
        check::equal("the approvals, newest first", &got.as_slice(), &wanted)
    };
    let ann_a2 = (a.as_str(), "NEUTRAL", ann.as_str());
    let ann_a1 = (a.as_str(), "BUY", ann.as_str());
    let bob_b = (b.as_str(), "RISK", bob.as_str());
    let of =
        async |query: &str| all(&ctx, &format!("/api/v1/approvals{query}"), "approvals", 50).await;
    let by_ann = of(&format!("?by={ann}")).await?;
    want(&by_ann, &[ann_a2, ann_a1])?;
    for entry in &by_ann {
        check::has_members("an approval", entry, &APPROVAL)?;
        check::time("approved_at", &entry["approved_at"])?;
    }
    want(&of(&format!("?symbol={a}")).await?, &[ann_a2, ann_a1])?;
    want(
        &of(&format!("?symbol={}", b.to_lowercase())).await?,
        &[bob_b],
    )?;
    want(&of(&format!("?symbol={b}&by={ann}")).await?, &[])?;
    want(&of(&format!("?by={bob}&from={begun}")).await?, &[bob_b])?;
    want(&of(&format!("?by={bob}&to={begun}")).await?, &[])?;
    want(&of(&format!("?by={bob}&from=2999-01-01")).await?, &[])?;
    let path = format!("/api/v1/signals/{a}/approvals");
    want(&all(&ctx, &path, "approvals", 50).await?, &[ann_a2, ann_a1])
}

async fn approval_pages(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let ann = ctx.user("ann");
    let mut ids = Vec::new();
    for count in 398..=402 {
        let signal = compute(&ctx, &symbol, &bars::series_of(Shape::Risk, 3, count)).await?;
        let answer = approve(&ctx, &ann, &symbol, "RISK").await?.ok()?;
        ensure!(
            !answer["feed"].is_null(),
            "expected the feed's position, got {answer}"
        );
        ids.push(signal["id"].clone());
    }
    ids.reverse();
    for path in [
        format!("/api/v1/approvals?by={ann}"),
        format!("/api/v1/signals/{symbol}/approvals"),
    ] {
        let entries = all(&ctx, &path, "approvals", 2).await?;
        let got: Vec<Value> = entries.iter().map(|it| it["signal_id"].clone()).collect();
        check::equal(&path, &got, &ids)?;
    }
    Ok(())
}

async fn run(ctx: Ctx) -> Result<()> {
    let (a, b) = (ctx.symbol("A"), ctx.symbol("B"));
    let mut feed = ctx
        .dial("/ws")
        .query("symbols", &format!("{a},{b}"))
        .open()
        .await?
        .socket;
    import(&ctx, &a, &bars::series(Shape::Buy, 1)).await?;
    import(&ctx, &b, &bars::plain("2024-01-02", 30, 1)).await?;
    let rest = ctx.rest(Role::Service)?;
    let reply = rest.post("/api/v1/runs", &json!({})).await?;
    ensure!(
        (200..300).contains(&reply.status),
        "expected a run, got {reply}"
    );
    let event = feed.event("new_signal", &a).await?;
    let signal = read(&ctx, &format!("/api/v1/signals/{a}")).await?;
    check::equal("the signal sent", &event["data"]["id"], &signal["id"])?;
    ctx.rest(Role::Viewer)?
        .poll(
            "insufficient-history",
            &format!("/api/v1/signals/{b}"),
            |reply| reply.body.contains("/problems/insufficient-history"),
        )
        .await?;

    let mut rooms = Vec::new();
    for symbol in [&a, &b] {
        let mut room = ctx.dial(&format!("/ws/{symbol}")).open().await?.socket;
        let seq = room.position().await?;
        rooms.push((room, seq));
    }
    // The same bars make a symbol dirty, but not its content new.
    import(&ctx, &a, &bars::series(Shape::Buy, 1)).await?;
    for _ in 0..2 {
        let reply = rest.post("/api/v1/runs", &json!({})).await?;
        ensure!(
            (200..300).contains(&reply.status),
            "expected a run, got {reply}"
        );
    }
    for (room, seq) in &mut rooms {
        check::equal(
            "a room's seq after two more runs",
            &room.position().await?,
            seq,
        )?;
    }
    let (before, _) = feed.barrier().await?;
    for symbol in [&a, &b] {
        let sent = about(&before, "new_signal", symbol).len();
        check::equal("signals of two more runs", &sent, &0)?;
    }
    Ok(())
}

async fn run_cron(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    import(&ctx, &symbol, &bars::series(Shape::Risk, 1)).await?;
    let rest = ctx.rest(Role::Admin)?;
    let reply = rest
        .post("/api/v1/runs", &json!({"cron": "*/5 * * * *"}))
        .await?;
    ensure!(
        (200..300).contains(&reply.status),
        "expected a run, got {reply}"
    );
    let reply = send(rest.request(Method::POST, "/api/v1/runs")).await?;
    ensure!(
        (200..300).contains(&reply.status),
        "expected a run without a body, got {reply}"
    );
    let path = format!("/api/v1/signals/{symbol}");
    ctx.rest(Role::Viewer)?
        .poll("a signal", &path, |reply| reply.status == 200)
        .await?;
    Ok(())
}

async fn scheduled(ctx: Ctx) -> Result<()> {
    for (name, method) in [("GET", Method::GET), ("POST", Method::POST)] {
        let symbol = ctx.symbol(name);
        import(&ctx, &symbol, &bars::series(Shape::Risk, 1)).await?;
        let path = "/cdn-cgi/handler/scheduled?cron=*/5+*+*+*+*";
        let reply = send(ctx.anonymous()?.request(method, path)).await?;
        ensure!(
            (200..300).contains(&reply.status),
            "expected cron to fire, got {reply}"
        );
        let path = format!("/api/v1/signals/{symbol}");
        ctx.rest(Role::Viewer)?
            .poll("a signal", &path, |reply| reply.status == 200)
            .await?;
    }
    Ok(())
}

const CITY: [&str; 5] = [
    "city_state",
    "unslug_trust",
    "fear_trust",
    "flow_trust",
    "notes",
];

async fn fresh(ctx: Ctx) -> Result<()> {
    check::equal(
        "signals of a new desk",
        &read(&ctx, "/api/v1/signals").await?,
        &json!({"signals": [], "next_cursor": null}),
    )?;
    check::equal(
        "top of a new desk",
        &read(&ctx, "/api/v1/scan/top").await?["signals"],
        &json!([]),
    )?;
    let city = read(&ctx, "/api/v1/city").await?;
    check::has_members("the city", &city, &CITY)?;
    check::equal("the city without data", &city["city_state"], &Value::Null)?;

    let mut socket = ctx.dial("/ws").open().await?.socket;
    socket.send("subscribe_city_state", json!({})).await?;
    socket.expect("city_state_subscription_confirmed").await?;
    let current = socket.expect("city_state_update").await?;
    check::equal(
        "the current value",
        &current["data"]["city_state"],
        &Value::Null,
    )?;
    ensure!(
        current.get("seq").is_none(),
        "expected no seq, got {current}"
    );

    // One symbol: the city is its mean.
    let rest = ctx.rest(Role::Service)?;
    let fire = async || -> Result<()> {
        let reply = rest
            .post("/api/v1/runs", &json!({"cron": "* * * * *"}))
            .await?;
        ensure!(
            (200..300).contains(&reply.status),
            "expected a run, got {reply}"
        );
        Ok(())
    };
    let buy = bars::series(Shape::Buy, 1);
    let (a, first) = pending(&ctx, "A", Shape::Buy).await?;
    socket.event("new_signal", &a).await?;
    listed(&ctx, &a, &first["id"]).await?;
    fire().await?;
    let want = oracle::scores(&buy);
    let path = "/api/v1/city";
    let filled = |reply: &crate::client::Reply| {
        reply
            .json()
            .is_ok_and(|city| city["city_state"] == want.city())
    };
    let city = ctx
        .rest(Role::Viewer)?
        .poll(want.city(), path, filled)
        .await?
        .ok()?;
    check::near("unslug_trust", &city["unslug_trust"], want.unslug)?;
    check::near("fear_trust", &city["fear_trust"], want.fear)?;
    check::near("flow_trust", &city["flow_trust"], want.flow)?;
    let update = socket.kind("city_state_update").await?;
    check::members("the city", &update["data"], &CITY)?;
    check::near(
        "unslug_trust sent",
        &update["data"]["unslug_trust"],
        want.unslug,
    )?;
    fire().await?;
    let (before, _) = socket.barrier().await?;
    check::equal("messages of a run that changes nothing", &before, &vec![])?;

    socket.send("unsubscribe_city_state", json!({})).await?;
    socket.kind("city_state_unsubscription_confirmed").await?;

    // Five more, and everything in its order.
    let mut newest = vec![a];
    let mut trust = vec![want.combined];
    for (seed, shape) in (20..).zip([
        Shape::Risk,
        Shape::Neutral,
        Shape::Buy,
        Shape::Risk,
        Shape::Neutral,
    ]) {
        let symbol = ctx.symbol(&format!("S{seed}"));
        let bars = bars::series(shape, seed);
        let signal = compute(&ctx, &symbol, &bars).await?;
        listed(&ctx, &symbol, &signal["id"]).await?;
        newest.insert(0, symbol);
        trust.push(oracle::scores(&bars).combined);
    }
    fire().await?;
    let (before, _) = socket.barrier().await?;
    ensure!(
        before.iter().all(|it| it["type"] != "city_state_update"),
        "expected no city after unsubscribing, got {before:?}"
    );
    let oldest = newest.pop().context("the first symbol")?;
    approve(&ctx, "ann", &oldest, "BUY").await?.ok()?;
    newest.insert(0, oldest);
    let entries = all(&ctx, "/api/v1/signals", "signals", 2).await?;
    check::equal(
        "signals, the newest feed event first",
        &symbols(&entries),
        &newest.iter().map(String::as_str).collect(),
    )?;

    trust.sort_by(|a, b| b.total_cmp(a));
    let top = read(&ctx, "/api/v1/scan/top?n=4").await?;
    let top = check::array(&top, "signals")?;
    check::equal("n", &top.len(), &4)?;
    for (signal, want) in top.iter().zip(&trust) {
        super::signals::is_signal(signal)?;
        check::near(
            "combined_trust, descending",
            &signal["combined_trust"],
            *want,
        )?;
    }
    let top = read(&ctx, "/api/v1/scan/top").await?;
    check::equal(
        "all of them without n",
        &check::array(&top, "signals")?.len(),
        &6,
    )
}

async fn stale(ctx: Ctx) -> Result<()> {
    // Real dates: bars that end today are fresh, those of 2020 are not.
    let (old, _) = pending(&ctx, "OLD", Shape::Buy).await?;
    let fresh = ctx.symbol("NEW");
    let now = chrono::DateTime::from_timestamp(token::now(), 0).context("a time")?;
    let today = now.date_naive();
    let mut recent = bars::series_of(Shape::Buy, 1, 1);
    recent[0].date = today.to_string();
    import(&ctx, &fresh, &recent).await?;
    let rest = ctx.rest(Role::Service)?;
    let report = rest.post("/api/v1/runs", &json!({})).await?.ok()?;
    let last = bars::series(Shape::Buy, 1);
    let last = &last.last().context("bars")?.date;
    let mut want = vec![
        json!({"symbol": old, "last_bar": last}),
        json!({"symbol": "QQQ", "last_bar": null}),
        json!({"symbol": "SPY", "last_bar": null}),
    ];
    want.sort_by_key(|it| it["symbol"].to_string());
    check::equal("stale symbols", &report["stale"], &json!(want))?;
    check::equal("rooms that were late", &report["overdue"], &json!([]))
}
