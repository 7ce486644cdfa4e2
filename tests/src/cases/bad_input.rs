//! Hostile bodies: good rows are kept, each bad one is named by line and reason, or 413.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{pending, read};
use crate::bars::{self, HEADER, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::{Reply, Role};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "bad input/each bad CSV row is named by line and reason",
            bad_rows,
        ),
        Case::shared("bad input/each bad JSON bar is named", bad_json_bars),
        Case::shared(
            "bad input/of duplicate dates in one request the first counts",
            duplicates,
        ),
        Case::shared(
            "bad input/a CSV without a column is refused by name",
            missing_column,
        ),
        Case::shared(
            "bad input/CRLF, BOM, quotes and blank lines are understood",
            dialects,
        ),
        Case::shared("bad input/an empty file accepts nothing", empty),
        Case::shared(
            "bad input/JSON that is no list of bars is a problem",
            json_shapes,
        ),
        Case::shared(
            "bad input/20,000 rows pass, 25,000 are 413 and keep nothing",
            rows,
        ),
        Case::shared("bad input/a 17 MB CSV is 413", large_csv),
        Case::shared("bad input/a 2 MB JSON of bars is 413", large_json),
        Case::shared("bad input/a 2 MB approval is 413", large_approval),
        Case::shared(
            "bad input/approvals with bad bodies are problems with a pointer",
            approvals,
        ),
        Case::shared("bad input/unparsable JSON is 400", unparsable),
        Case::shared("bad input/a run with a bad body is a problem", runs),
    ]
}

async fn csv(ctx: &Ctx, body: &str) -> Result<(String, Value)> {
    let symbol = ctx.symbol("A");
    let answer = ctx
        .rest(Role::Service)?
        .put_csv(&symbol, "", body.to_owned())
        .await?
        .ok()?;
    Ok((symbol, answer))
}

/// The lines of `rejected`, each of which must have a reason.
fn lines(answer: &Value) -> Result<Vec<u64>> {
    check::array(answer, "rejected")?
        .iter()
        .map(|it| {
            ensure!(
                it["reason"]
                    .as_str()
                    .is_some_and(|reason| !reason.is_empty()),
                "expected a reason, got {it}"
            );
            check::integer(it, "line")
        })
        .collect()
}

async fn bad_rows(ctx: Ctx) -> Result<()> {
    let rows = [
        ("2024-01-02,10,11,9,10,100", true),
        ("2024-01-03,10,11,9,10", false),
        ("2024-01-04,10,eleven,9,10,100", false),
        ("2024-01-05,10,11,9,NaN,100", false),
        ("2024-01-08,10,11,9,10,-1", false),
        ("2024-01-09,10,9.5,9,10,100", false),
        ("2024-01-10,10,11,10.5,10,100", false),
        ("2999-01-01,10,11,9,10,100", false),
        ("2024-02-30,10,11,9,10,100", false),
        ("2024-01-11,0,11,0,10,100", false),
        ("2024-01-12,-10,11,-11,10,100", false),
        ("2024-01-15,10,inf,9,10,100", false),
        ("2024-01-16,10,11,9,10,", false),
        (",10,11,9,10,100", false),
        ("yesterday,10,11,9,10,100", false),
        ("2024-01-17,10,1e999,9,10,100", false),
        ("2024-01-18,10,11,9,10,0", true),
        ("2024-01-19,10,11,9,10,100", true),
    ];
    let mut body = format!("{HEADER}\n");
    for (row, _) in rows {
        let _ = writeln!(body, "{row}");
    }
    let (symbol, answer) = csv(&ctx, &body).await?;
    let want: Vec<u64> = (2..)
        .zip(rows)
        .filter(|(_, (_, good))| !good)
        .map(|(line, _)| line)
        .collect();
    check::equal("the lines rejected", &lines(&answer)?, &want)?;
    check::equal("accepted", &answer["accepted"], &json!(3))?;
    let held = read(&ctx, &format!("/api/v1/symbols/{symbol}/bars")).await?;
    check::equal("bars held", &check::array(&held, "bars")?.len(), &3)?;
    Ok(())
}

async fn bad_json_bars(ctx: Ctx) -> Result<()> {
    let good = bars::plain("2024-01-02", 2, 1);
    let body = json!({"bars": [
        good[0].json(),
        {"date": "2024-01-04", "open": "10", "high": 11, "low": 9, "close": 10, "volume": 1},
        {"date": "2024-01-05", "open": 10, "high": 11, "low": 9, "close": null, "volume": 1},
        {"date": "2024-01-08", "open": 10, "high": 11, "low": 9, "close": 10},
        {"date": "2024-01-09", "open": 10, "high": 9, "low": 9, "close": 10, "volume": 1},
        {"date": "2999-01-01", "open": 10, "high": 11, "low": 9, "close": 10, "volume": 1},
        7,
        good[1].json(),
    ]});
    let rest = ctx.rest(Role::Service)?;
    let answer = rest
        .put(&ctx.symbol("A"), "", "application/json", body.to_string())
        .await?
        .ok()?;
    check::equal("accepted", &answer["accepted"], &json!(2))?;
    check::equal("bars rejected", &lines(&answer)?.len(), &6)
}

async fn duplicates(ctx: Ctx) -> Result<()> {
    let body = format!(
        "{HEADER}\n2024-01-02,10,11,9,10,100\n2024-01-02,20,21,19,20,200\n2024-01-03,10,11,9,10,100\n2024-01-02,10,11,9,10,100\n"
    );
    let (symbol, answer) = csv(&ctx, &body).await?;
    check::equal("accepted", &answer["accepted"], &json!(2))?;
    check::equal("the lines rejected", &lines(&answer)?, &vec![3, 5])?;
    let held = read(
        &ctx,
        &format!("/api/v1/symbols/{symbol}/bars?to=2024-01-02"),
    )
    .await?;
    check::near("the close kept", &held["bars"][0]["close"], 10.0)
}

async fn missing_column(ctx: Ctx) -> Result<()> {
    let body = "date,open,high,low,close\n2024-01-02,10,11,9,10\n2024-01-03,10,11,9,10\n";
    let (_, answer) = csv(&ctx, body).await?;
    check::equal("accepted", &answer["accepted"], &json!(0))?;
    ensure!(
        !lines(&answer)?.is_empty(),
        "expected rejected lines, got {answer}"
    );
    ensure!(
        answer["rejected"].to_string().contains("volume"),
        "expected the missing column to be named, got {answer}"
    );
    Ok(())
}

async fn dialects(ctx: Ctx) -> Result<()> {
    let body = format!(
        "\u{feff}{HEADER}\r\n\"2024-01-02\",\"10\",11,9,10,100\r\n2024-01-03,10,11,9,10,\"100\"\r\n\r\n2024-01-04,10,11,9,x,100\r\n2024-01-05,10,11,9,10,100"
    );
    let (symbol, answer) = csv(&ctx, &body).await?;
    check::equal("accepted", &answer["accepted"], &json!(3))?;
    check::equal(
        "the lines rejected (the blank line counts)",
        &lines(&answer)?,
        &vec![5],
    )?;
    let held = read(&ctx, &format!("/api/v1/symbols/{symbol}/bars")).await?;
    check::equal("bars held", &check::array(&held, "bars")?.len(), &3)
}

async fn empty(ctx: Ctx) -> Result<()> {
    for body in ["", "\n", HEADER, "\u{feff}"] {
        let (_, answer) = csv(&ctx, body).await.with_context(|| format!("{body:?}"))?;
        for field in ["accepted", "replaced", "unchanged"] {
            check::equal(field, &answer[field], &json!(0))?;
        }
        lines(&answer)?;
    }
    Ok(())
}

async fn json_shapes(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Service)?;
    let symbol = ctx.symbol("A");
    for body in [
        "7",
        "null",
        "\"bars\"",
        "{}",
        r#"{"bars":7}"#,
        r#"{"bars":{}}"#,
    ] {
        rest.put(&symbol, "", "application/json", body.to_owned())
            .await?
            .problem(422, "invalid")
            .with_context(|| body.to_owned())?;
    }
    rest.put(&symbol, "", "application/json", "{\"bars\":[".to_owned())
        .await?
        .problem(400, "invalid")?;
    Ok(())
}

async fn rows(ctx: Ctx) -> Result<()> {
    let body = |count: usize| {
        let mut body = format!("{HEADER}\n");
        for date in bars::sessions("1930-01-01", count) {
            let _ = writeln!(body, "{date},10,11,9,10,100");
        }
        body
    };
    let rest = ctx.rest(Role::Service)?;
    let symbol = ctx.symbol("A");
    rest.put_csv(&symbol, "", body(25_000))
        .await?
        .problem(413, "too-large")?;
    let reply = rest.get(&format!("/api/v1/symbols/{symbol}/bars")).await?;
    ensure!(
        reply.status == 404 || reply.ok()?["bars"] == json!([]),
        "expected nothing to be kept, got {reply}"
    );
    let answer = rest.put_csv(&symbol, "", body(20_000)).await?.ok()?;
    check::equal("accepted", &answer["accepted"], &json!(20_000))
}

async fn large_csv(ctx: Ctx) -> Result<()> {
    let body = format!(
        "{HEADER}\n{}",
        "2024-01-02,10,11,9,10,100\n".repeat(17 * 1024 * 1024 / 26)
    );
    let reply = ctx
        .rest(Role::Service)?
        .put_csv(&ctx.symbol("A"), "", body)
        .await?;
    reply.problem(413, "too-large")?;
    Ok(())
}

async fn large_json(ctx: Ctx) -> Result<()> {
    let body = format!(
        "{{\"bars\":[],\"note\":\"{}\"}}",
        "x".repeat(2 * 1024 * 1024)
    );
    let rest = ctx.rest(Role::Service)?;
    rest.put(&ctx.symbol("A"), "", "application/json", body)
        .await?
        .problem(413, "too-large")?;
    Ok(())
}

async fn post(ctx: &Ctx, symbol: &str, body: String) -> Result<Reply> {
    ctx.rest(Role::Approver)?
        .post_text(&format!("/api/v1/signals/{symbol}/approve"), body)
        .await
}

async fn large_approval(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let body = json!({"status": "BUY", "note": "x".repeat(2 * 1024 * 1024)}).to_string();
    post(&ctx, &symbol, body).await?.problem(413, "too-large")?;
    Ok(())
}

async fn approvals(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    for (body, field) in [
        (json!({"status": "BUY", "note": "x".repeat(2001)}), "note"),
        (json!({"status": "HOLD"}), "status"),
        (json!({"status": "buy"}), "status"),
        (json!({"status": 1}), "status"),
        (json!({"status": "BUY", "note": 7}), "note"),
        (json!({"status": "BUY", "signal_id": []}), "signal_id"),
        (json!({}), "status"),
    ] {
        let short: String = body.to_string().chars().take(60).collect();
        post(&ctx, &symbol, body.to_string())
            .await?
            .invalid_at(field)
            .context(short)?;
    }
    for body in ["[]", "\"BUY\"", "null", "7"] {
        post(&ctx, &symbol, body.to_owned())
            .await?
            .problem(422, "invalid")
            .with_context(|| body.to_owned())?;
    }
    let signal = read(&ctx, &format!("/api/v1/signals/{symbol}")).await?;
    check::text(&signal, "status", "PENDING_REVIEW")?;
    // Two thousand characters, not bytes.
    let note = "ä".repeat(2000);
    let body = json!({"status": "BUY", "note": note}).to_string();
    let answer = post(&ctx, &symbol, body).await?.ok()?;
    check::text(&answer["approval"], "note", &note)
}

async fn unparsable(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    for body in [
        "{",
        "",
        "{\"status\":\"BUY\"",
        "status=BUY",
        "{\"status\":\"BUY\"} x",
    ] {
        post(&ctx, &symbol, body.to_owned())
            .await?
            .problem(400, "invalid")
            .with_context(|| format!("{body:?}"))?;
    }
    Ok(())
}

async fn runs(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Service)?;
    for body in ["[]", r#"{"cron":7}"#] {
        let reply = rest.post_text("/api/v1/runs", body.to_owned()).await?;
        reply
            .problem(422, "invalid")
            .with_context(|| body.to_owned())?;
    }
    rest.post_text("/api/v1/runs", "{".to_owned())
        .await?
        .problem(400, "invalid")?;
    Ok(())
}
