//! The record: who did what, from where; and nobody changes it unseen.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use signalroom_core::audit::{Hash, Head, Record, follow};
use signalroom_core::store::Sql;
use signalroom_harness::sql::SqliteSql;

use super::{approve, command_line, compute, import, pending};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::check;
use crate::client::rest::send;
use crate::client::{Reply, Role};
use crate::target::{Kind, Stop};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::shared(
            "audit/decisions, refusals and imports are on record with who and from where",
            recorded,
        ),
        Case::shared(
            "audit/pages, one room or all, newest or oldest first",
            paged,
        ),
        Case::shared("audit/an export can be checked by others", exported),
        Case::shared("audit/only an admin sees it", refused),
        Case::shared("audit/wrong questions are named", wrong),
        Case::own("audit/new epochs are on record", &[], renewed),
        Case::own("audit/what is changed in the file is named", &[], tampered)
            .only(&[Kind::Inproc, Kind::Harness]),
        Case::shared("approvals/as CSV, page by page, without formulas", csv),
    ]
}

async fn admin(ctx: &Ctx, path: &str) -> Result<Value> {
    ctx.rest(Role::Admin)?.get(path).await?.ok()
}

/// A symbol's record, newest row first.
async fn entries(ctx: &Ctx, symbol: &str) -> Result<Vec<Value>> {
    let list = admin(ctx, &format!("/api/v1/audit?symbol={symbol}")).await?;
    check::members("the list", &list, &["entries", "next_cursor"])?;
    check::equal("the next page", &list["next_cursor"], &Value::Null)?;
    check::array(&list, "entries").cloned()
}

/// What a check says of a symbol's room.
async fn verified(ctx: &Ctx, symbol: &str) -> Result<Value> {
    let report = admin(ctx, &format!("/api/v1/audit/verify?symbol={symbol}")).await?;
    let rooms = check::array(&report, "rooms")?;
    check::equal("rooms", &rooms.len(), &1)?;
    check::text(&rooms[0], "room", &format!("symbol/{symbol}"))?;
    check::equal("ok", &report["ok"], &rooms[0]["ok"])?;
    Ok(rooms[0].clone())
}

async fn recorded(ctx: Ctx) -> Result<()> {
    let (symbol, signal) = pending(&ctx, "A", Shape::Buy).await?;
    import(&ctx, &symbol, &bars::series(Shape::Buy, 1)).await?;
    let (ann, bob) = (ctx.user("ann"), ctx.user("bob"));
    let path = format!("/api/v1/signals/{symbol}/approve");
    let decide = |sub: &str, body: Value, key: &str| {
        let rest = ctx.rest_as(sub, Role::Approver);
        let (path, key) = (path.clone(), key.to_owned());
        async move {
            let request = rest?
                .request(Method::POST, &path)
                .header("user-agent", "desk/1 (test)")
                .header("idempotency-key", key)
                .body(body.to_string());
            send(request).await
        }
    };
    let stale = json!({"status": "RISK", "signal_id": "other:1", "note": "no"});
    decide(&bob, stale, "k1")
        .await?
        .problem(409, "stale-signal")?;
    let body = json!({"status": "BUY", "note": "as discussed"});
    for _ in 0..2 {
        decide(&ann, body.clone(), "k2").await?.ok()?;
    }
    decide(&bob, json!({"status": "RISK"}), "k3")
        .await?
        .problem(409, "already-decided")?;
    let unknown = ctx.symbol("NONE");
    approve(&ctx, &bob, &unknown, "BUY")
        .await?
        .problem(404, "no-signal")?;
    ctx.rest(Role::Admin)?
        .get(&format!("/api/v1/audit?symbol={unknown}"))
        .await?
        .problem(404, "not-found")?;

    let rows = entries(&ctx, &symbol).await?;
    let said = |row: &Value| format!("{} {} {}", row["n"], row["action"], row["sub"]);
    let got: Vec<String> = rows.iter().map(said).collect();
    let service = ctx.user(Role::Service.name());
    let want = [
        format!("4 \"approval_refused\" \"{bob}\""),
        format!("3 \"approval\" \"{ann}\""),
        format!("2 \"approval_refused\" \"{bob}\""),
        format!("1 \"bars_import\" \"{service}\""),
    ];
    check::equal("the rows", &got, &want.to_vec())?;
    for row in &rows {
        check::members(
            "a row",
            row,
            &[
                "action",
                "at",
                "details",
                "hash",
                "ip",
                "n",
                "prev",
                "role",
                "room",
                "sub",
                "user_agent",
                "v",
            ],
        )?;
        check::time("at", &row["at"])?;
        let ip = check::string(row, "ip")?;
        ensure!(
            ip.parse::<std::net::IpAddr>().is_ok(),
            "expected the client's IP address, got {row}"
        );
    }
    for (newer, older) in rows.iter().zip(&rows[1..]) {
        check::equal("the hash before", &newer["prev"], &older["hash"])?;
    }
    let decided = &rows[1];
    check::text(decided, "role", "approver")?;
    check::text(decided, "user_agent", "desk/1 (test)")?;
    check::equal(
        "the decision",
        &decided["details"],
        &json!({"note": "as discussed", "signal_id": signal["id"], "status": "BUY"}),
    )?;
    check::equal(
        "the refusal",
        &rows[2]["details"],
        &json!({
            "current": signal["id"], "expected": ["other:1"], "note": "no",
            "reason": "stale-signal", "status": "RISK",
        }),
    )?;
    check::text(&rows[0]["details"], "reason", "already-decided")?;
    let imported = &rows[3]["details"];
    check::equal("accepted", &imported["accepted"], &json!(400))?;
    check::equal("its digest", &check::string(imported, "sha256")?.len(), &64)?;

    let room = verified(&ctx, &symbol).await?;
    check::equal("ok", &room["ok"], &json!(true))?;
    check::equal("entries", &room["entries"], &json!(4))?;
    check::equal("the head", &room["head"], &rows[0]["hash"])?;
    check::equal("broken", &room["broken"], &Value::Null)
}

async fn paged(ctx: Ctx) -> Result<()> {
    let symbol = ctx.symbol("A");
    for bar in bars::series(Shape::Buy, 1).iter().take(5) {
        import(&ctx, &symbol, std::slice::from_ref(bar)).await?;
    }
    let other = ctx.symbol("B");
    import(&ctx, &other, &bars::series(Shape::Buy, 1)).await?;
    let mut path = format!("/api/v1/audit?symbol={symbol}&limit=2");
    let mut numbers = Vec::new();
    loop {
        let page = admin(&ctx, &path).await?;
        let rows = check::array(&page, "entries")?;
        ensure!(rows.len() <= 2, "expected two rows at most, got {page}");
        numbers.extend(rows.iter().map(|row| row["n"].clone()));
        let Some(next) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/audit?symbol={symbol}&limit=2&cursor={next}");
    }
    check::equal("the rows", &json!(numbers), &json!([5, 4, 3, 2, 1]))?;

    // All rooms, however many others are at work: each row once, each room's in order.
    let rest = ctx.rest(Role::Admin)?;
    let mut rows = Vec::new();
    let mut next = Some("/api/v1/audit?format=jsonl&limit=3".to_owned());
    while let Some(path) = next {
        let reply = rest.get(&path).await?;
        rows.extend(lines(&reply)?);
        next = link(&reply)?;
    }
    let of = |symbol: &str| -> Vec<i64> {
        let room = format!("symbol/{symbol}");
        let own = rows.iter().filter(|row| row.room.to_string() == room);
        own.map(|row| row.n).collect()
    };
    check::equal("the rows among all", &of(&symbol), &vec![1, 2, 3, 4, 5])?;
    check::equal("the other's", &of(&other), &vec![1])?;

    let mut path = "/api/v1/audit/verify?limit=3".to_owned();
    let mut rooms = Vec::new();
    loop {
        let report = admin(&ctx, &path).await?;
        check::equal("ok", &report["ok"], &json!(true)).context(report.to_string())?;
        rooms.extend(check::array(&report, "rooms")?.iter().cloned());
        let Some(next) = report["next_cursor"].as_str() else {
            break;
        };
        path = format!("/api/v1/audit/verify?limit=3&cursor={next}");
    }
    for symbol in [&symbol, &other] {
        let room = format!("symbol/{symbol}");
        let found = rooms.iter().filter(|it| it["room"] == room).count();
        check::equal("how often it was checked", &found, &1)?;
    }
    check::text(&rooms[0], "room", "feed")
}

/// The rows of an export.
fn lines(reply: &Reply) -> Result<Vec<Record>> {
    ensure!(reply.status == 200, "expected 200, got {reply}");
    check::equal(
        "its type",
        &reply.header("content-type"),
        &"application/jsonl",
    )?;
    let lines = reply.body.lines();
    lines
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect()
}

/// The path of the next page.
fn link(reply: &Reply) -> Result<Option<String>> {
    let header = reply.header("link");
    if header.is_empty() {
        return Ok(None);
    }
    let path = header.strip_suffix(">; rel=\"next\"");
    let path = path.and_then(|it| it.strip_prefix('<'));
    Ok(Some(path.with_context(|| header.to_owned())?.to_owned()))
}

async fn exported(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let note = "Größe \"x\" \\ \u{1F600}\n\ttab /";
    ctx.rest(Role::Approver)?
        .post(
            &format!("/api/v1/signals/{symbol}/approve"),
            &json!({"status": "BUY", "note": note}),
        )
        .await?
        .ok()?;
    let request = ctx
        .rest(Role::Admin)?
        .request(Method::GET, &format!("/api/v1/audit?symbol={symbol}"))
        .header("accept", "application/x-ndjson");
    let reply = send(request).await?;
    check::equal(
        "its name",
        &reply.header("content-disposition"),
        &"attachment; filename=\"audit.jsonl\"",
    )?;
    let mut head = Head::START;
    for (line, record) in reply.body.lines().zip(lines(&reply)?) {
        head = follow(&head, &record).map_err(|it| anyhow::anyhow!("{it:?} in {line}"))?;
        // As `docs/audit.md` tells others to: sorted members, no spaces, without the hash.
        let mut row: Value = serde_json::from_str(line)?;
        let hash = row.as_object_mut().and_then(|row| row.remove("hash"));
        let computed = Hash::of(row.to_string().as_bytes()).to_string();
        check::equal("the hash", &hash, &Some(json!(computed)))?;
        check::equal("its room", &row["room"], &json!(format!("symbol/{symbol}")))?;
    }
    check::equal("rows", &head.n, &2)
}

async fn refused(ctx: Ctx) -> Result<()> {
    for role in [Role::Viewer, Role::Approver, Role::Service] {
        for path in ["/api/v1/audit", "/api/v1/audit/verify"] {
            ctx.rest(role)?
                .get(path)
                .await?
                .problem(403, "forbidden")
                .with_context(|| format!("{path} as {}", role.name()))?;
        }
    }
    for path in ["/api/v1/audit", "/api/v1/audit/verify"] {
        ctx.anonymous()?
            .get(path)
            .await?
            .problem(401, "unauthorized")?;
    }
    Ok(())
}

async fn wrong(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Admin)?;
    for path in ["/api/v1/audit", "/api/v1/audit/verify"] {
        for (query, field) in [
            ("symbol=A%20B", "symbol"),
            ("room=nowhere", "room"),
            ("limit=0", "limit"),
            ("limit=501", "limit"),
            ("cursor=7", "cursor"),
            ("cursor=feed@x", "cursor"),
        ] {
            rest.get(&format!("{path}?{query}"))
                .await?
                .invalid_at(field)
                .with_context(|| format!("{path}?{query}"))?;
        }
        let nobody = format!("{path}?symbol={}", ctx.symbol("NONE"));
        rest.get(&nobody).await?.problem(404, "not-found")?;
    }
    rest.get("/api/v1/audit?format=xml")
        .await?
        .invalid_at("format")?;
    Ok(())
}

async fn renewed(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    let root = ctx.user("root");
    ctx.rest_as(&root, Role::Admin)?
        .post("/api/v1/epochs", &json!({}))
        .await?
        .ok()?;
    for query in [format!("symbol={symbol}"), "room=feed".to_owned()] {
        let list = admin(&ctx, &format!("/api/v1/audit?{query}")).await?;
        let newest = &check::array(&list, "entries")?[0];
        check::text(newest, "action", "epoch_renewed")?;
        check::text(newest, "sub", &root)?;
        check::text(newest, "role", "admin")?;
        check::members("what it says", &newest["details"], &["from", "to"])?;
    }
    let report = admin(&ctx, "/api/v1/audit/verify").await?;
    check::equal("ok", &report["ok"], &json!(true))
}

/// The database of the symbol's room, there being one symbol.
fn database(data: &Path) -> Result<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                folders.push(path);
            } else if name.starts_with("symbol") && name.ends_with(".sqlite") {
                found.push(path);
            }
        }
    }
    ensure!(found.len() == 1, "expected one symbol, got {found:?}");
    found.pop().context("a database")
}

async fn tampered(ctx: Ctx) -> Result<()> {
    let (symbol, _) = pending(&ctx, "A", Shape::Buy).await?;
    approve(&ctx, "ann", &symbol, "BUY").await?.ok()?;
    approve(&ctx, "bob", &symbol, "RISK")
        .await?
        .problem(409, "already-decided")?;
    compute(&ctx, &symbol, &bars::series_of(Shape::Risk, 1, 401)).await?;
    approve(&ctx, "bob", &symbol, "RISK").await?.ok()?;
    let room = verified(&ctx, &symbol).await?;
    check::equal("ok", &room["ok"], &json!(true))?;
    check::equal("entries", &room["entries"], &json!(5))?;

    let columns = "at, sub, role, ip, user_agent, action, details, v, prev, hash";
    let inserted =
        format!("INSERT INTO audit (n, {columns}) SELECT n + 1, {columns} FROM audit WHERE n = 5");
    let cases: &[(&[&str], i64, &str)] = &[
        (
            &["UPDATE audit SET details = replace(details, 'BUY', 'RISK') WHERE n = 2"],
            2,
            "changed",
        ),
        (&["DELETE FROM audit WHERE n = 3"], 3, "removed"),
        (&["DELETE FROM audit WHERE n = 5"], 5, "cut-off"),
        (
            &[
                "DELETE FROM audit WHERE n = 5",
                "UPDATE meta SET value = (SELECT '4 ' || hash || ' 0' FROM audit WHERE n = 4) \
                 WHERE key = 'audit'",
            ],
            5,
            "cut-off",
        ),
        (&[&inserted], 6, "changed"),
        (
            &[
                "UPDATE audit SET n = -1 WHERE n = 2",
                "UPDATE audit SET n = 2 WHERE n = 3",
                "UPDATE audit SET n = 3 WHERE n = -1",
            ],
            2,
            "changed",
        ),
    ];
    let data = ctx.start().data.clone();
    for (statements, n, reason) in cases {
        let kept = ctx.scratch().join("kept.sqlite");
        ctx.restart_after(Stop::Gently, || {
            let database = database(&data)?;
            std::fs::copy(&database, &kept)?;
            let sql = SqliteSql::new(database);
            for statement in *statements {
                sql.run(statement, &[])?;
            }
            Ok(())
        })
        .await?;
        let room = verified(&ctx, &symbol).await?;
        check::equal(
            "broken",
            &room["broken"],
            &json!({"n": n, "reason": reason}),
        )
        .with_context(|| format!("{statements:?}"))?;
        let all = admin(&ctx, "/api/v1/audit/verify").await?;
        check::equal("all are ok", &all["ok"], &json!(false))?;
        if ctx.kind() == Kind::Harness {
            let ended = command_line::run(&ctx, &["audit", "verify"]).await?;
            check::equal("the exit code", &ended.code, &Some(1))?;
            let said = format!("BROKEN at row {n}");
            ensure!(
                ended.stdout.contains(&said),
                "expected {said:?}, got {}",
                ended.stdout
            );
        }
        ctx.restart_after(Stop::Gently, || {
            let database = database(&data)?;
            std::fs::copy(&kept, &database)?;
            Ok(())
        })
        .await?;
        let room = verified(&ctx, &symbol).await?;
        check::equal("ok again", &room["ok"], &json!(true))?;
    }
    Ok(())
}

async fn csv(ctx: Ctx) -> Result<()> {
    let rest = ctx.rest(Role::Viewer)?;
    let symbol = ctx.symbol("A");
    let notes = [
        "plain",
        "=HYPERLINK(\"http://evil.example\",\"a,b\")",
        "two\nlines",
    ];
    let ann = ctx.user("ann");
    let mut signals = Vec::new();
    for (day, note) in notes.iter().enumerate() {
        let bars = bars::series_of(Shape::Buy, 1, 400 + day);
        let signal = compute(&ctx, &symbol, &bars).await?;
        ctx.rest_as(&ann, Role::Approver)?
            .post(
                &format!("/api/v1/signals/{symbol}/approve"),
                &json!({"status": "BUY", "note": note}),
            )
            .await?
            .ok()?;
        signals.push(check::string(&signal, "id")?);
    }
    let header = "approved_at,symbol,approved_status,approved_by,note,signal_id\r\n";
    let cells = [
        "plain",
        "\"'=HYPERLINK(\"\"http://evil.example\"\",\"\"a,b\"\")\"",
        "\"two\nlines\"",
    ];
    for path in [
        format!("/api/v1/signals/{symbol}/approvals"),
        format!("/api/v1/approvals?symbol={symbol}"),
    ] {
        let get = |path: String| {
            let request = rest.request(Method::GET, &path);
            send(request.header("accept", "text/csv, */*;q=0.1"))
        };
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut next = Some(format!("{path}{joint}limit=2"));
        let mut rows = String::new();
        let mut pages = 0;
        while let Some(path) = next {
            let reply = get(path).await?;
            ensure!(reply.status == 200, "expected 200, got {reply}");
            check::equal(
                "its type",
                &reply.header("content-type"),
                &"text/csv; charset=utf-8; header=present",
            )?;
            check::equal(
                "its name",
                &reply.header("content-disposition"),
                &"attachment; filename=\"approvals.csv\"",
            )?;
            let page = reply.body.strip_prefix(header);
            rows += page.with_context(|| format!("expected the header, got {reply}"))?;
            next = link(&reply)?;
            pages += 1;
        }
        check::equal("pages", &pages, &2)?;
        for (cell, id) in cells.iter().zip(&signals) {
            let end = format!(",{symbol},BUY,{ann},{cell},{id}\r\n");
            ensure!(rows.contains(&end), "expected {end:?} in {rows:?}");
        }
    }
    Ok(())
}
