//! The watchlist as data, past runs, and who may see and change them.

use anyhow::{Result, ensure};
use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Desk, supplied};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::send;
use crate::client::{Reply, Role};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::starting("market/the watchlist is changed by an admin", changed),
        Case::starting("market/what is no watchlist is refused", refused),
        Case::starting(
            "market/runs are listed with what became of each symbol",
            runs,
        ),
        Case::starting("market/sockets follow the market's mood on demand", follow),
    ]
}

async fn call(
    desk: &Desk<'_>,
    role: Role,
    method: Method,
    path: &str,
    body: &str,
) -> Result<Reply> {
    let request = desk.ctx.rest(role)?.request(method, path);
    let request = match body {
        "" => request,
        _ => request
            .header("content-type", "application/json")
            .body(body.to_owned()),
    };
    send(request).await
}

const LIST: &str = "/api/v1/symbols";

async fn changed(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[], |desk| {
        async move {
            let list = desk.read(LIST).await?;
            check::members("the list", &list, &["symbols", "source", "next_cursor"])?;
            check::text(&list, "source", "config")?;
            let names = |list: &Value| -> Result<Vec<Value>> {
                let all = check::array(list, "symbols")?.iter();
                Ok(all.map(|it| it["symbol"].clone()).collect())
            };
            check::equal("symbols", &names(&list)?, &vec![json!("QQQ"), json!("SPY")])?;
            let one = &list["symbols"][0];
            for member in [
                "first_bar",
                "last_bar",
                "data_age",
                "provider",
                "fetched_at",
                "error",
            ] {
                check::equal(member, &one[member], &Value::Null)?;
            }
            check::equal("watched", &one["watched"], &json!(true))?;

            let admin = async |method: Method, path: &str, body: &str| {
                call(&desk, Role::Admin, method, path, body).await?.ok()
            };
            let told =
                |symbols: &[&str], source: &str| json!({"symbols": symbols, "source": source});
            let put = Method::PUT;
            let set = admin(put.clone(), LIST, r#"{"symbols":["nvda","AAPL","NVDA"]}"#).await?;
            check::equal("set", &set, &told(&["AAPL", "NVDA"], "desk"))?;
            let added = admin(put.clone(), "/api/v1/symbols/tsla", "").await?;
            check::equal("added", &added, &told(&["AAPL", "NVDA", "TSLA"], "desk"))?;
            let removed = admin(Method::DELETE, "/api/v1/symbols/AAPL", "").await?;
            check::equal("removed", &removed, &told(&["NVDA", "TSLA"], "desk"))?;

            // A new one gets its history with the next run; one that left is kept and not fetched.
            let report = desk.run(json!({})).await?;
            check::equal("fetched", &report["fetched"], &json!(2))?;
            desk.holds_what_the_market_has("TSLA").await?;
            admin(Method::DELETE, "/api/v1/symbols/TSLA", "").await?;
            check::equal(
                "watched",
                &desk.known("TSLA").await?["watched"],
                &json!(false),
            )?;
            desk.holds_what_the_market_has("TSLA").await?;
            let audit = admin(Method::GET, "/api/v1/audit", "").await?.to_string();
            ensure!(audit.contains("watchlist_change"), "got {audit}");
            let audit = admin(Method::GET, "/api/v1/audit?symbol=TSLA", "").await?;
            let audit = audit.to_string();
            ensure!(audit.contains("bars_fetch"), "got {audit}");
            let reset = admin(Method::DELETE, LIST, "").await?;
            check::equal("reset", &reset, &told(&["QQQ", "SPY"], "config"))?;
            let empty = admin(put, LIST, r#"{"symbols":[]}"#).await?;
            check::equal("an empty one", &empty, &told(&[], "desk"))
        }
        .boxed()
    })
    .await
}

async fn refused(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[], |desk| {
        async move {
            let changes = [
                (Method::PUT, LIST, r#"{"symbols":["AAPL"]}"#),
                (Method::DELETE, LIST, ""),
                (Method::PUT, "/api/v1/symbols/AAPL", ""),
                (Method::DELETE, "/api/v1/symbols/SPY", ""),
            ];
            for (method, path, body) in changes {
                for role in [Role::Viewer, Role::Approver, Role::Service] {
                    let reply = call(&desk, role, method.clone(), path, body).await?;
                    reply.problem(403, "forbidden")?;
                }
            }
            for path in [LIST, "/api/v1/runs", "/api/v1/market/fear-greed"] {
                let reply = desk.ctx.anonymous()?.get(path).await?;
                reply.problem(401, "unauthorized")?;
                desk.read(path).await?;
            }
            for body in [
                "{}",
                r#"{"symbols":"AAPL"}"#,
                r#"{"symbols":["A A"]}"#,
                r#"{"symbols":[1]}"#,
                r#"{"symbols":["ABCDEFGHIJKLMNOP"]}"#,
            ] {
                let reply = call(&desk, Role::Admin, Method::PUT, LIST, body).await?;
                let problem = reply.problem(422, "invalid")?;
                let pointer = problem["pointer"].as_str().unwrap_or_default();
                ensure!(pointer.contains("symbols"), "{body}: got {problem}");
            }
            let reply = call(&desk, Role::Admin, Method::PUT, LIST, "{").await?;
            reply.problem(400, "invalid")?;
            let odd = "/api/v1/symbols/A%20A";
            let reply = call(&desk, Role::Admin, Method::PUT, odd, "").await?;
            reply.problem(422, "invalid")?;
            for body in [
                r#"{"symbols":[""]}"#,
                r#"{"backfill":"yes"}"#,
                r#"{"backfill":true}"#,
            ] {
                let reply = call(&desk, Role::Admin, Method::POST, "/api/v1/runs", body).await?;
                reply.problem(422, "invalid")?;
            }
            let list = desk.read(LIST).await?;
            check::text(&list, "source", "config")
        }
        .boxed()
    })
    .await
}

async fn runs(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "AAA,BBB")], |desk| {
        async move {
            let first = desk.run(json!({"cron": "*/5 * * * *"})).await?;
            desk.run_for(&["AAA"]).await?;
            let list = desk.read("/api/v1/runs").await?;
            check::members("the list", &list, &["runs", "next_cursor"])?;
            let all = check::array(&list, "runs")?;
            check::equal("runs", &all.len(), &2)?;
            let oldest = &all[1];
            check::has_members(
                "a run",
                oldest,
                &[
                    "id",
                    "cron",
                    "started_at",
                    "ended_at",
                    "duration_ms",
                    "planned",
                    "new",
                    "unchanged",
                    "insufficient_history",
                    "fetched",
                    "deferred",
                    "failed",
                    "outcomes",
                    "series",
                ],
            )?;
            check::equal("its id", &oldest["id"], &first["id"])?;
            check::text(oldest, "cron", "*/5 * * * *")?;
            check::time("started_at", &oldest["started_at"])?;
            check::time("ended_at", &oldest["ended_at"])?;
            check::equal("new", &oldest["new"], &json!(2))?;
            let outcomes = check::array(oldest, "outcomes")?;
            check::equal("outcomes", &outcomes.len(), &2)?;
            for line in outcomes {
                let members = [
                    "symbol",
                    "provider",
                    "outcome",
                    "bars",
                    "rejected",
                    "duration_ms",
                    "error",
                ];
                check::members("an outcome", line, &members)?;
                check::text(line, "outcome", "new")?;
                check::text(line, "provider", "yahoo")?;
                let counts = ["accepted", "replaced", "unchanged"];
                check::members("the counts of bars", &line["bars"], &counts)?;
                ensure!(
                    check::integer(&line["bars"], "accepted")? > 2_000,
                    "got {line}"
                );
            }
            ensure!(!check::array(oldest, "series")?.is_empty(), "got {oldest}");
            for line in check::array(oldest, "series")? {
                let members = ["series", "provider", "outcome", "duration_ms", "error"];
                check::members("a series", line, &members)?;
            }
            let page = desk.read("/api/v1/runs?limit=1").await?;
            check::equal("the newest", &page["runs"][0]["id"], &all[0]["id"])?;
            let cursor = check::string(&page, "next_cursor")?;
            let page = desk
                .read(&format!("/api/v1/runs?limit=1&cursor={cursor}"))
                .await?;
            check::equal("the next", &page["runs"][0]["id"], &oldest["id"])
        }
        .boxed()
    })
    .await
}

async fn follow(ctx: Ctx) -> Result<()> {
    supplied(&ctx, &[("WATCHLIST", "SPY")], |desk| {
        async move {
            let opened = desk.ctx.dial("/ws").open().await?;
            check::equal("before any", &opened.snapshot["market"], &Value::Null)?;
            let mut socket = opened.socket;
            desk.run(json!({})).await?;
            // Who did not ask is not told.
            let (before, _) = socket.barrier().await?;
            ensure!(
                before.iter().all(|it| it["type"] != "market_update"),
                "got {before:?}"
            );
            socket.send("subscribe_market", json!({})).await?;
            socket.kind("market_subscription_confirmed").await?;
            let update = socket.kind("market_update").await?;
            let told = desk.read("/api/v1/market/fear-greed").await?;
            check::equal("the value", &update["data"], &told)?;
            socket.send("unsubscribe_market", json!({})).await?;
            socket.kind("market_unsubscription_confirmed").await?;
            Ok(())
        }
        .boxed()
    })
    .await
}
