//! Resume: what was missed comes exactly once, or a snapshot says that it cannot.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{approve, compute};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::socket::about;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "resume/same epoch brings exactly what was missed, then goes on",
            missed,
        ),
        Case::shared("resume/the feed brings what its own symbols missed", feed),
        Case::shared("resume/a filter holds for what was missed too", filtered),
        Case::shared(
            "resume/same position: recovered with count 0",
            same_position,
        ),
        Case::shared("resume/from position 0", from_zero),
        Case::shared("resume/an empty log", empty_log),
        Case::shared(
            "resume/another epoch: not recovered, then a snapshot",
            wrong_epoch,
        ),
        Case::shared("resume/a position ahead of the log: not recovered", ahead),
        Case::shared(
            "resume/a malformed position is not taken for one",
            malformed,
        ),
        Case::shared(
            "resume/while events are published nothing is lost or doubled",
            publishing,
        ),
        Case::own(
            "resume/a trimmed log: not recovered, then a snapshot",
            &[("MESSAGE_RETENTION", "5")],
            trimmed,
        ),
        Case::own(
            "resume/over the limit of one resume: not recovered, then a snapshot",
            &[("RESUME_LIMIT", "6")],
            over_the_limit,
        ),
    ]
}

/// New signals of `symbol`, each approved, for these lengths of its series: two events each.
async fn publish(ctx: &Ctx, symbol: &str, counts: std::ops::Range<usize>) -> Result<u64> {
    let mut feed = 0;
    for count in counts {
        compute(ctx, symbol, &bars::series_of(Shape::Buy, 1, count)).await?;
        let answer = approve(ctx, "ann", symbol, "BUY").await?.ok()?;
        feed = check::integer(&answer["feed"], "seq").context("the feed's position")?;
    }
    Ok(feed)
}

/// Type and signal of each event, in order.
fn told(messages: &[Value]) -> Vec<(String, String)> {
    messages
        .iter()
        .map(|it| {
            let id = it["data"].get("id").or_else(|| it["data"].get("signal_id"));
            let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("?").into();
            (text(Some(&it["type"])), text(id))
        })
        .collect()
}

/// What `publish` must have told about these lengths.
fn expected(symbol: &str, counts: std::ops::Range<usize>) -> Vec<(String, String)> {
    let dates = bars::sessions("2020-01-02", counts.end);
    counts
        .flat_map(|count| {
            let id = format!("{symbol}:{}:1", dates[count - 1]);
            [
                ("new_signal".to_owned(), id.clone()),
                ("approval_notification".to_owned(), id),
            ]
        })
        .collect()
}

fn recovered(resumed: &Value, count: usize) -> Result<()> {
    check::equal(
        "resumed",
        resumed,
        &json!({"recovered": true, "count": count}),
    )
}

async fn missed(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let path = format!("/ws/{symbol}");
    publish(&ctx, &symbol, 398..399).await?;
    let mut opened = ctx.dial(&path).open().await?;
    let since = opened.socket.position().await?;
    opened.socket.close().await?;
    publish(&ctx, &symbol, 399..402).await?;

    let mut back = ctx
        .dial(&path)
        .resume(&opened.welcome["epoch"], since)
        .resumed()
        .await?;
    check::equal("epoch", &back.welcome["epoch"], &opened.welcome["epoch"])?;
    check::equal(
        "what was missed",
        &told(&back.missed),
        &expected(&symbol, 399..402),
    )?;
    let seqs: Vec<Option<u64>> = back.missed.iter().map(|it| it["seq"].as_u64()).collect();
    let want: Vec<Option<u64>> = (since + 1..=since + 6).map(Some).collect();
    check::equal("seqs", &seqs, &want)?;
    recovered(&back.resumed, 6)?;
    // No snapshot follows: the next thing is live.
    publish(&ctx, &symbol, 402..403).await?;
    let (live, _) = back.socket.barrier().await?;
    check::equal("what came live", &told(&live), &expected(&symbol, 402..403))
}

async fn feed(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let mut opened = ctx.dial("/ws").open().await?;
    let first = publish(&ctx, &symbol, 398..399).await?;
    let seen = opened.socket.reach(first).await?;
    check::equal(
        "approvals seen live",
        &about(&seen, "approval_notification", &symbol).len(),
        &1,
    )?;
    let since = opened.socket.position().await?;
    opened.socket.close().await?;
    publish(&ctx, &symbol, 399..402).await?;
    let back = ctx
        .dial("/ws")
        .resume(&opened.welcome["epoch"], since)
        .resumed()
        .await?;
    // Other cases publish meanwhile: mine come exactly once, and all come without a gap.
    let mine: Vec<Value> = back
        .missed
        .iter()
        .filter(|it| it["data"]["symbol"] == symbol)
        .cloned()
        .collect();
    check::equal(
        "what was missed",
        &told(&mine),
        &expected(&symbol, 399..402),
    )?;
    let seqs: Vec<Option<u64>> = back.missed.iter().map(|it| it["seq"].as_u64()).collect();
    let want: Vec<Option<u64>> = (since + 1..).take(seqs.len()).map(Some).collect();
    check::equal("seqs", &seqs, &want)?;
    recovered(&back.resumed, back.missed.len())
}

async fn filtered(ctx: Ctx) -> Result<()> {
    let (a, b) = (ctx.symbol("A"), ctx.symbol("B"));
    let dial = ctx.dial("/ws").query("symbols", &a);
    let mut opened = dial.open().await?;
    let since = opened.socket.position().await?;
    opened.socket.close().await?;
    publish(&ctx, &a, 399..401).await?;
    publish(&ctx, &b, 399..401).await?;
    let back = dial
        .resume(&opened.welcome["epoch"], since)
        .resumed()
        .await?;
    check::equal(
        "signals of A",
        &about(&back.missed, "new_signal", &a).len(),
        &2,
    )?;
    check::equal(
        "signals of B",
        &about(&back.missed, "new_signal", &b).len(),
        &0,
    )?;
    let approvals = about(&back.missed, "approval_notification", &b).len();
    check::equal("approvals of B, which everybody gets", &approvals, &2)?;
    recovered(&back.resumed, back.missed.len())
}

async fn same_position(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    publish(&ctx, &symbol, 399..400).await?;
    let path = format!("/ws/{symbol}");
    let mut opened = ctx.dial(&path).open().await?;
    let since = opened.socket.position().await?;
    let mut back = ctx
        .dial(&path)
        .resume(&opened.welcome["epoch"], since)
        .resumed()
        .await?;
    check::equal("what was missed", &told(&back.missed), &vec![])?;
    recovered(&back.resumed, 0)?;
    let (before, _) = back.socket.barrier().await?;
    check::equal("messages after resumed", &before, &vec![])
}

async fn from_zero(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let path = format!("/ws/{symbol}");
    publish(&ctx, &symbol, 398..401).await?;
    let opened = ctx.dial(&path).open().await?;
    let back = ctx
        .dial(&path)
        .resume(&opened.welcome["epoch"], 0)
        .resumed()
        .await?;
    check::equal(
        "the whole log",
        &told(&back.missed),
        &expected(&symbol, 398..401),
    )?;
    recovered(&back.resumed, 6)
}

async fn empty_log(ctx: Ctx) -> Result<()> {
    let path = format!("/ws/{}", ctx.symbol("EMPTY"));
    let opened = ctx.dial(&path).open().await?;
    check::equal("seq of an empty log", &opened.welcome["seq"], &json!(0))?;
    let back = ctx
        .dial(&path)
        .resume(&opened.welcome["epoch"], 0)
        .resumed()
        .await?;
    check::equal("what was missed", &told(&back.missed), &vec![])?;
    recovered(&back.resumed, 0)
}

/// A resume that cannot recover: nothing before `resumed`, a snapshot after it.
async fn lost(ctx: &Ctx, path: &str, epoch: &Value, since: u64, symbol: &str) -> Result<()> {
    let mut back = ctx.dial(path).resume(epoch, since).resumed().await?;
    check::equal("events of a failed resume", &told(&back.missed), &vec![])?;
    check::equal("recovered", &back.resumed["recovered"], &json!(false))?;
    check::equal("count", &back.resumed["count"], &json!(0))?;
    let snapshot = back.socket.expect("snapshot").await?;
    ensure!(
        check::array(&snapshot["data"], "signals")?
            .iter()
            .any(|it| it["symbol"] == symbol),
        "expected {symbol} in the snapshot, got {snapshot}"
    );
    Ok(())
}

async fn wrong_epoch(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    publish(&ctx, &symbol, 399..400).await?;
    for path in ["/ws".to_owned(), format!("/ws/{symbol}")] {
        for epoch in ["another-epoch", "0"] {
            lost(&ctx, &path, &json!(epoch), 1, &symbol)
                .await
                .context(path.clone())?;
        }
    }
    Ok(())
}

async fn ahead(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    publish(&ctx, &symbol, 399..400).await?;
    for path in ["/ws".to_owned(), format!("/ws/{symbol}")] {
        let mut opened = ctx.dial(&path).open().await?;
        let top = opened.socket.position().await?;
        let epoch = &opened.welcome["epoch"];
        lost(&ctx, &path, epoch, top + 10_000, &symbol)
            .await
            .context(path.clone())?;
    }
    Ok(())
}

async fn malformed(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    publish(&ctx, &symbol, 399..400).await?;
    let path = format!("/ws/{symbol}");
    let epoch = ctx.dial(&path).open().await?.welcome["epoch"].take();
    let epoch = epoch
        .as_str()
        .map_or_else(|| epoch.to_string(), str::to_owned);
    for since in ["x", "-1", "1.5", "99999999999999999999"] {
        // Refused, or answered by a snapshot; never a recovery from a made-up position.
        let dial = ctx.dial(&path).query("epoch", &epoch).query("since", since);
        match dial.attempt().await? {
            Err(refusal) => check::equal(since, &refusal.status, &422)?,
            Ok(mut socket) => {
                socket.expect("welcome").await?;
                let (before, _) = socket
                    .until("snapshot", |it| it["type"] == "snapshot")
                    .await?;
                ensure!(
                    before.iter().all(|it| it["data"]["recovered"] == false),
                    "since={since}: expected no recovery, got {before:?}"
                );
            }
        }
    }
    Ok(())
}

async fn publishing(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let path = format!("/ws/{symbol}");
    let opened = ctx.dial(&path).open().await?;
    let epoch = &opened.welcome["epoch"];
    let (start, end) = (395, 405);
    let resumes = async {
        // Until the end is seen: resume from where the last socket got to, with what came so far.
        let mut since = 0;
        let mut all: Vec<Value> = Vec::new();
        while all.len() < 2 * (end - start) {
            let mut back = ctx.dial(&path).resume(epoch, since).resumed().await?;
            check::equal("recovered", &back.resumed["recovered"], &json!(true))?;
            let (live, pong) = back.socket.barrier().await?;
            all.extend(back.missed);
            all.extend(live);
            since = check::integer(&pong, "seq")?;
            back.socket.close().await?;
        }
        anyhow::Ok(all)
    };
    let (_, all) = tokio::try_join!(publish(&ctx, &symbol, start..end), resumes)?;
    check::equal(
        "all events, once and in order",
        &told(&all),
        &expected(&symbol, start..end),
    )
}

async fn trimmed(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let room = format!("/ws/{symbol}");
    let epoch_of = async |path: &str| -> Result<Value> {
        Ok(ctx.dial(path).open().await?.welcome["epoch"].take())
    };
    let logs = [
        ("/ws", epoch_of("/ws").await?),
        (&room, epoch_of(&room).await?),
    ];
    // The retention says what is kept at least. How soon older events go is the product's own
    // business, in batches: publish until both logs have let go of their beginning.
    let mut published = 330..330;
    for (path, epoch) in &logs {
        loop {
            let back = ctx.dial(path).resume(epoch, 0).resumed().await?;
            if back.resumed["recovered"] == false {
                break;
            }
            let all = 2 * (published.end - published.start);
            check::equal("never a partial recovery", &back.missed.len(), &all)?;
            ensure!(
                all < 400,
                "expected {path} to keep about 5 events, it still brings {all}"
            );
            let top = publish(&ctx, &symbol, published.end..published.end + 12).await?;
            published.end += 12;
            ctx.dial("/ws").open().await?.socket.reach(top).await?;
        }
    }
    for (path, epoch) in &logs {
        lost(&ctx, path, epoch, 0, &symbol)
            .await
            .context((*path).to_owned())?;
        let seq = ctx.dial(path).open().await?.socket.position().await?;
        let back = ctx.dial(path).resume(epoch, seq - 5).resumed().await?;
        recovered(&back.resumed, 5).with_context(|| format!("the last five of {path}"))?;
        check::equal("the last five", &back.missed.len(), &5)?;
    }
    Ok(())
}

async fn over_the_limit(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    let room = format!("/ws/{symbol}");
    let top = publish(&ctx, &symbol, 395..399).await?;
    ctx.dial("/ws").open().await?.socket.reach(top).await?;
    for path in ["/ws", &room] {
        let opened = ctx.dial(path).open().await?;
        let epoch = &opened.welcome["epoch"];
        check::equal("the top", &opened.welcome["seq"], &json!(8))?;
        lost(&ctx, path, epoch, 1, &symbol)
            .await
            .context(path.to_owned())?;
        let back = ctx.dial(path).resume(epoch, 2).resumed().await?;
        recovered(&back.resumed, 6).with_context(|| format!("as many as may be on {path}"))?;
        check::equal("what was missed", &back.missed.len(), &6)?;
    }
    Ok(())
}
