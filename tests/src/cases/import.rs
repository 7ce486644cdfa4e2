//! `PUT /symbols/{symbol}/bars` with good rows, `GET` of what is held, and what is missing.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::{import, pending, read, read_all};
use crate::bars::{self, Bar, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::Role;
use crate::client::rest::send;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "import/CSV rows are accepted, and held as they were sent",
            accepted,
        ),
        Case::shared("import/JSON bars are accepted like CSV", json_bars),
        Case::shared("import/the same rows again are unchanged", idempotent),
        Case::shared("import/a changed row is replaced", replaced),
        Case::shared("import/rows may come in any order and in parts", any_order),
        Case::shared(
            "import/a lower-case symbol is the upper-case one",
            lower_case,
        ),
        Case::shared(
            "import/every character of the pattern works in a symbol",
            odd_symbols,
        ),
        Case::shared("import/a symbol outside the pattern is 422", bad_symbols),
        Case::shared("import/an unknown symbol is 404 on reads", unknown),
        Case::shared(
            "import/a symbol of the watchlist is known without bars",
            watchlist,
        ),
        Case::shared("import/bars are listed by range", range),
        Case::shared("import/bars are listed in pages", paging),
        Case::shared("import/a bad range, limit or cursor is 422", bad_query),
        Case::shared(
            "import/15 bars: insufficient-history names what is missing",
            too_short,
        ),
        Case::shared(
            "import/100 bars: insufficient-history names the components",
            no_fear,
        ),
        Case::shared(
            "import/no anchor window: insufficient-history says so",
            no_anchor,
        ),
        Case::shared("import/compute=now brings the signal", compute_now),
    ]
}

fn counts(answer: &Value, accepted: u64, replaced: u64, unchanged: u64) -> Result<()> {
    let got = (
        check::integer(answer, "accepted")?,
        check::integer(answer, "replaced")?,
        check::integer(answer, "unchanged")?,
    );
    check::equal(
        "(accepted, replaced, unchanged)",
        &got,
        &(accepted, replaced, unchanged),
    )?;
    check::equal("rejected", &answer["rejected"], &json!([]))
}

/// All the bars held, whatever their order.
pub(super) async fn held(ctx: &Ctx, symbol: &str) -> Result<Vec<Value>> {
    let path = format!("/api/v1/symbols/{symbol}/bars");
    let mut bars = read_all(ctx, &path, "bars").await?;
    bars.sort_by_key(|bar| bar["date"].as_str().map(str::to_owned));
    Ok(bars)
}

/// `held` is `sent`, field by field.
fn same(held: &[Value], sent: &[Bar]) -> Result<()> {
    check::equal("the number of bars held", &held.len(), &sent.len())?;
    for (held, sent) in held.iter().zip(sent) {
        check::members(
            "a bar",
            held,
            &["date", "open", "high", "low", "close", "volume"],
        )?;
        check::text(held, "date", &sent.date)?;
        for (field, number) in [
            ("open", sent.open),
            ("high", sent.high),
            ("low", sent.low),
            ("close", sent.close),
            ("volume", sent.volume),
        ] {
            ensure!(
                held[field].as_f64() == Some(number),
                "{} {field}: expected {number}, got {held}",
                sent.date
            );
        }
    }
    Ok(())
}

async fn accepted(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let bars = bars::series_of(Shape::Risk, 7, 60);
    let answer = import(&ctx, &symbol, &bars).await?;
    counts(&answer, 60, 0, 0)?;
    ensure!(
        answer.get("signal").is_none_or(Value::is_null),
        "expected no signal without compute=now, got {answer}"
    );
    same(&held(&ctx, &symbol).await?, &bars)
}

async fn json_bars(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let bars = bars::series_of(Shape::Buy, 8, 40);
    let body = json!({"bars": bars.iter().map(Bar::json).collect::<Vec<_>>()});
    let rest = ctx.rest(Role::Admin)?;
    let answer = rest
        .put(&symbol, "", "application/json", body.to_string())
        .await?
        .ok()?;
    counts(&answer, 40, 0, 0)?;
    same(&held(&ctx, &symbol).await?, &bars)?;
    counts(&import(&ctx, &symbol, &bars).await?, 0, 0, 40)
}

async fn idempotent(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let bars = bars::plain("2024-01-02", 30, 1);
    counts(&import(&ctx, &symbol, &bars).await?, 30, 0, 0)?;
    counts(&import(&ctx, &symbol, &bars).await?, 0, 0, 30)?;
    same(&held(&ctx, &symbol).await?, &bars)
}

async fn replaced(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let mut bars = bars::plain("2024-01-02", 30, 1);
    import(&ctx, &symbol, &bars).await?;
    bars[7].volume = 77.0;
    bars[9].close = 99.5;
    counts(&import(&ctx, &symbol, &bars).await?, 0, 2, 28)?;
    same(&held(&ctx, &symbol).await?, &bars)
}

async fn any_order(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let bars = bars::plain("2024-01-02", 40, 1);
    let mut late: Vec<Bar> = bars[20..].to_vec();
    late.reverse();
    let mut early: Vec<Bar> = bars[..25].to_vec();
    early.rotate_left(9);
    counts(&import(&ctx, &symbol, &late).await?, 20, 0, 0)?;
    counts(&import(&ctx, &symbol, &early).await?, 20, 0, 5)?;
    same(&held(&ctx, &symbol).await?, &bars)
}

async fn lower_case(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("LOW");
    let bars = bars::series(Shape::Buy, 1);
    let rest = ctx.rest(Role::Service)?;
    let answer = rest
        .put_bars(&symbol.to_lowercase(), "?compute=now", &bars)
        .await?
        .ok()?;
    check::text(&answer["signal"], "symbol", &symbol)?;
    for name in [symbol.clone(), symbol.to_lowercase()] {
        let signal = read(&ctx, &format!("/api/v1/signals/{name}")).await?;
        check::text(&signal, "symbol", &symbol)?;
    }
    Ok(())
}

async fn odd_symbols(ctx: Ctx) -> Result<()> {
    let bars = bars::plain("2024-01-02", 3, 1);
    for name in ["B.A", "A=F", "A-B", "Q23456789"] {
        let symbol = ctx.symbol(name);
        counts(&import(&ctx, &symbol, &bars).await?, 3, 0, 0)?;
        same(&held(&ctx, &symbol).await?, &bars)?;
    }
    // `^` and `=` travel escaped too.
    let symbol = format!("^{}", ctx.symbol("X"));
    let escaped = symbol.replace('^', "%5E");
    counts(&import(&ctx, &escaped, &bars).await?, 3, 0, 0)?;
    same(&held(&ctx, &escaped).await?, &bars)
}

async fn bad_symbols(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Admin)?;
    for name in [
        "SIXTEEN-LETTERS-",
        "A_B",
        "A%20B",
        "%C3%84PFEL",
        "A%2FB",
        "A%00B",
        "A'B",
        // Without a letter or digit: `.` and `..` mean another address.
        "^",
        "=-",
        "...",
    ] {
        for path in [
            "/api/v1/signals/NAME",
            "/api/v1/symbols/NAME/bars",
            "/api/v1/signals/NAME/history",
        ] {
            let reply = rest.get(&path.replace("NAME", name)).await?;
            reply.problem(422, "invalid")?;
        }
        let bars = bars::plain("2024-01-02", 3, 1);
        rest.put_bars(name, "", &bars)
            .await?
            .problem(422, "invalid")?;
    }
    Ok(())
}

async fn unknown(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Viewer)?;
    let symbol = ctx.symbol("NOBODY");
    for path in [
        format!("/api/v1/signals/{symbol}"),
        format!("/api/v1/signals/{symbol}/history"),
        format!("/api/v1/signals/{symbol}/approvals"),
        format!("/api/v1/symbols/{symbol}/bars"),
    ] {
        rest.get(&path).await?.problem(404, "not-found")?;
    }
    let reply = super::approve(&ctx, "ann", &symbol, "BUY").await?;
    reply.any_problem(404)?;
    Ok(())
}

async fn watchlist(ctx: Ctx) -> Result<()> {
    let bars = read(&ctx, "/api/v1/symbols/SPY/bars").await?;
    check::equal(
        "bars of a symbol of the watchlist",
        &bars["bars"],
        &json!([]),
    )?;
    let reply = ctx.rest(Role::Viewer)?.get("/api/v1/signals/SPY").await?;
    let problem = reply.any_problem(404)?;
    ensure!(
        ["/problems/insufficient-history", "/problems/no-signal"]
            .iter()
            .any(|it| problem["type"] == *it),
        "expected a problem of a known symbol, got {reply}"
    );
    Ok(())
}

async fn range(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let bars = bars::plain("2024-01-01", 40, 1);
    import(&ctx, &symbol, &bars).await?;
    let dates = |page: &Value| -> Result<Vec<String>> {
        let mut dates = check::array(page, "bars")?
            .iter()
            .map(|bar| check::string(bar, "date"))
            .collect::<Result<Vec<_>>>()?;
        dates.sort();
        Ok(dates)
    };
    let path = format!("/api/v1/symbols/{symbol}/bars");
    for (query, want) in [
        ("?from=2024-01-08&to=2024-01-12", &bars[5..10]),
        ("?from=2024-02-21", &bars[37..]),
        ("?to=2024-01-02", &bars[..2]),
        ("?from=2024-01-13&to=2024-01-14", &bars[..0]),
    ] {
        let page = read(&ctx, &format!("{path}{query}")).await?;
        let want: Vec<String> = want.iter().map(|bar| bar.date.clone()).collect();
        check::equal(query, &dates(&page)?, &want)?;
    }
    Ok(())
}

async fn paging(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let bars = bars::plain("2023-01-02", 120, 1);
    import(&ctx, &symbol, &bars).await?;
    let path = format!("/api/v1/symbols/{symbol}/bars");
    let page = read(&ctx, &path).await?;
    check::equal(
        "bars in a page by default",
        &check::array(&page, "bars")?.len(),
        &50,
    )?;
    let mut sizes = Vec::new();
    let mut dates: Vec<String> = Vec::new();
    let mut query = "?limit=50".to_owned();
    loop {
        let page = read(&ctx, &format!("{path}{query}")).await?;
        check::members("a page", &page, &["bars", "next_cursor"])?;
        let bars = check::array(&page, "bars")?;
        sizes.push(bars.len());
        for bar in bars {
            dates.push(check::string(bar, "date")?);
        }
        match &page["next_cursor"] {
            Value::Null => break,
            Value::String(cursor) => query = format!("?limit=50&cursor={cursor}"),
            other => anyhow::bail!("expected next_cursor to be text or null, got {other}"),
        }
        ensure!(
            sizes.len() < 10,
            "expected three pages, got {sizes:?} and more"
        );
    }
    check::equal("the pages' sizes", &sizes, &vec![50, 50, 20])?;
    let mut want: Vec<String> = bars.iter().map(|bar| bar.date.clone()).collect();
    if dates[0] > dates[1] {
        want.reverse();
    }
    check::equal("the dates over all pages, in one order", &dates, &want)?;
    let all = read(&ctx, &format!("{path}?limit=120")).await?;
    check::equal(
        "next_cursor after the last",
        &all["next_cursor"],
        &Value::Null,
    )
}

async fn bad_query(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    import(&ctx, &symbol, &bars::plain("2024-01-02", 3, 1)).await?;
    let rest = ctx.rest(Role::Viewer)?;
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=ten",
        "cursor=%21",
        "from=yesterday",
        "to=2024-13-01",
    ] {
        rest.get(&format!("/api/v1/symbols/{symbol}/bars?{query}"))
            .await?
            .problem(422, "invalid")
            .with_context(|| query.to_owned())?;
    }
    rest.get(&format!("/api/v1/symbols/{symbol}/bars?limit=500"))
        .await?
        .ok()?;
    Ok(())
}

/// The problem of a symbol with bars but no score, which must name `missing`.
async fn insufficient(ctx: &Ctx, bars: &[Bar], missing: &[&str]) -> Result<()> {
    let symbol = ctx.symbol("SHORT");
    let rest = ctx.rest(Role::Service)?;
    let answer = rest.put_bars(&symbol, "?compute=now", bars).await?.ok()?;
    ensure!(
        answer.get("signal").is_none_or(Value::is_null),
        "expected no signal from a short history, got {answer}"
    );
    let reply = ctx
        .rest(Role::Viewer)?
        .get(&format!("/api/v1/signals/{symbol}"))
        .await?;
    reply.problem(404, "insufficient-history")?;
    for name in missing {
        ensure!(
            reply.body.contains(name),
            "expected {name} to be named, got {reply}"
        );
    }
    super::approve(ctx, "ann", &symbol, "BUY")
        .await?
        .problem(404, "no-signal")?;
    Ok(())
}

async fn too_short(ctx: Ctx) -> Result<()> {
    insufficient(
        &ctx,
        &bars::plain("2020-01-02", 15, 1),
        &["fewer_than_20_bars"],
    )
    .await
}

async fn no_fear(ctx: Ctx) -> Result<()> {
    let components = [
        "momentum",
        "strength",
        "volatility",
        "breadth",
        "safe_haven",
        "credit",
        "short_sentiment",
    ];
    insufficient(&ctx, &bars::series_of(Shape::Buy, 1, 100), &components).await
}

async fn no_anchor(ctx: Ctx) -> Result<()> {
    insufficient(
        &ctx,
        &bars::plain("2021-01-04", 400, 1),
        &["anchor_window_not_covered"],
    )
    .await
}

async fn compute_now(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Neutral).await?;
    check::text(&signal, "symbol", &symbol)?;
    let read = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::equal("the signal read", &read["id"], &signal["id"])?;
    // `compute=now` with nothing new still brings the current signal.
    let request = ctx
        .rest(Role::Service)?
        .request(
            Method::PUT,
            &format!("/api/v1/symbols/{symbol}/bars?compute=now"),
        )
        .header("content-type", "text/csv; charset=utf-8")
        .body(bars::csv(&bars::series(Shape::Neutral, 1)));
    let answer = send(request).await?.ok()?;
    check::equal(
        "the signal after the same bars",
        &answer["signal"]["id"],
        &signal["id"],
    )
}
