//! The API's own description, tried by a generator of requests: <https://schemathesis.io>

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::{UNLIMITED, compute};
use crate::bars::{self, Shape};
use crate::case::{Case, Ctx};
use crate::client::Role;
use crate::target::{self, Kind};

/// Names the program; `cargo xtask test` sets it.
const PROGRAM: &str = "SCHEMATHESIS";

/// How long all requests may take.
const DEADLINE: Duration = Duration::from_secs(280);

/// What every answer must do.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance,unsupported_method,\
    allow_header_conformance,ignored_auth";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::own(
            "schema/generated requests are answered as described",
            // What is looked for here is wrong answers, not too many requests.
            UNLIMITED,
            generated,
        )
        .only(&[Kind::Harness, Kind::Workerd]),
    ]
}

async fn generated(ctx: Ctx) -> Result<()> {
    let Some(program) = std::env::var_os(PROGRAM) else {
        println!("skip  schema/… ({PROGRAM} names no program)");
        return Ok(());
    };
    // The description's example symbol, so that some requests find something.
    compute(&ctx, "AAPL", &bars::series(Shape::Buy, 1)).await?;
    let folder = target::root().join("tests/schema");
    let token = ctx.minter().token(&ctx.user("admin"), Role::Admin);
    // A Worker in development takes ten times as long for each.
    let examples = if ctx.kind() == Kind::Workerd {
        "10"
    } else {
        "40"
    };
    let run = Command::new(program)
        .current_dir(ctx.scratch())
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/openapi.json", ctx.url()))
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .args(["-c", CHECKS, "--max-examples", examples, "--seed", "1"])
        // On workerd that one is wrangler's own.
        .args(["--exclude-path-regex", "^/cdn-cgi/"])
        .args(["--continue-on-failure", "--warnings", "off"])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(DEADLINE, run)
        .await
        .context("it did not end in time")?
        .context("it did not start")?;
    let report = String::from_utf8_lossy(&output.stdout);
    if let Some(tally) = report.lines().find(|line| line.contains(" generated, ")) {
        println!("     {tally}");
    }
    ensure!(
        output.status.success(),
        "{report}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
