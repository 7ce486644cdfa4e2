//! Runs cases against a target: shared ones side by side, then those with servers of their own.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, stream};

use crate::case::{Case, Ctx, Needs};
use crate::client::token;
use crate::target::{Kind, Server, Start, Stop};

/// The secret of the servers that a run starts.
pub const SECRET: &str = "conformance-secret-of-forty-two-characters";

/// The origin that the servers of a run allow.
pub const ALLOWED_ORIGIN: &str = "https://desk.example";

/// How long one case may take in all.
const CASE_DEADLINE: Duration = Duration::from_secs(300);

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The target.
    pub kind: Kind,
    /// Only cases whose name contains this.
    pub filter: Option<String>,
    /// A server that runs already: only the cases that share one run against it.
    pub url: Option<String>,
    /// The secret of that server.
    pub secret: String,
    /// How many cases run at a time.
    pub jobs: usize,
}

/// How many cases passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
}

/// The vars of every server that a run starts.
pub fn vars(extra: &[(&str, &str)]) -> BTreeMap<String, String> {
    let usual = [
        ("JWT_SECRET", SECRET),
        ("WATCHLIST", "SPY,QQQ"),
        ("ALLOWED_ORIGINS", ALLOWED_ORIGIN),
        ("HISTORY_LIMIT", "100"),
        ("MESSAGE_RETENTION", "10000"),
    ];
    // Nobody is asked for data but by who brings somebody to ask.
    let alone = extra.iter().all(|(name, _)| *name != "PROVIDER_URL");
    let nobody = alone.then_some(("PROVIDERS", "none"));
    usual
        .iter()
        .chain(&nobody)
        .chain(extra)
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// Runs what `plan` names of `cases`, printing a line per case.
pub async fn run(cases: Vec<Case>, plan: &Plan) -> Result<Tally> {
    let folder = tempfile::Builder::new()
        .prefix("signalroom-")
        .tempdir()
        .context("a folder")?;
    let nonce = base36(token::now().unsigned_abs() % 46_656, 3);
    let wanted = |case: &Case| {
        case.on.contains(&plan.kind)
            && plan
                .filter
                .as_ref()
                .is_none_or(|filter| case.name.contains(filter.as_str()))
    };
    let mut shared = Vec::new();
    let mut own = Vec::new();
    for (number, case) in (0_u64..).zip(cases) {
        let tag = format!("{}{nonce}", base36(number, 2));
        match (wanted(&case), case.needs) {
            (false, _) => {}
            (true, Needs::Shared) => shared.push((tag, case)),
            (true, Needs::Own(_) | Needs::Nothing) if plan.url.is_some() => {
                println!("skip  {} (it needs a server of its own)", case.name);
            }
            (true, Needs::Own(_) | Needs::Nothing) => own.push((tag, case)),
        }
    }

    let mut tally = Tally::default();
    let folder = folder.path();
    if !shared.is_empty()
        && let Err(error) = together(shared, plan, folder, &mut tally).await
    {
        tally.count("the shared server", (Duration::ZERO, Err(error)));
    }

    let mut outcomes = stream::iter(own.into_iter().map(|(tag, case)| async move {
        let outcome = timed(alone(&case, plan, tag, folder)).await;
        (case.name, outcome)
    }))
    .buffer_unordered(plan.jobs.clamp(1, 2));
    while let Some((name, outcome)) = outcomes.next().await {
        tally.count(name, outcome);
    }
    Ok(tally)
}

/// The cases that share a server.
async fn together(
    shared: Vec<(String, Case)>,
    plan: &Plan,
    folder: &Path,
    tally: &mut Tally,
) -> Result<()> {
    let start = Start {
        vars: vars(&[]),
        data: folder.join("shared").join("data"),
    };
    let mut server = match &plan.url {
        Some(_) => None,
        None => Some(
            Server::start(plan.kind, &start)
                .await
                .context("its start")?,
        ),
    };
    let url = match (&plan.url, &server) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(server)) => server.url().to_owned(),
        (None, None) => bail!("no server"),
    };
    let (start, url) = (&start, &url);
    let mut outcomes = stream::iter(shared.into_iter().map(|(tag, case)| async move {
        let scratch = folder.join(&tag);
        let ctx = Ctx::new(
            plan.kind,
            tag,
            &plan.secret,
            scratch,
            start.clone(),
            None,
            url.clone(),
        );
        (case.name, timed(case.run(ctx)).await)
    }))
    .buffer_unordered(plan.jobs.max(1));
    while let Some((name, outcome)) = outcomes.next().await {
        tally.count(name, outcome);
    }
    drop(outcomes);
    match &mut server {
        Some(server) => server.stop(Stop::Gently).await.context("its stop"),
        None => Ok(()),
    }
}

/// One case with a server of its own.
async fn alone(case: &Case, plan: &Plan, tag: String, folder: &Path) -> Result<()> {
    let scratch = folder.join(&tag);
    std::fs::create_dir_all(&scratch)?;
    let extra = match case.needs {
        Needs::Own(extra) => extra,
        Needs::Shared | Needs::Nothing => &[],
    };
    let start = Start {
        vars: vars(extra),
        data: scratch.join("data"),
    };
    let server = match case.needs {
        Needs::Nothing => None,
        Needs::Shared | Needs::Own(_) => Some(
            Server::start(plan.kind, &start)
                .await
                .context("a server of its own")?,
        ),
    };
    let url = server
        .as_ref()
        .map(|it| it.url().to_owned())
        .unwrap_or_default();
    let ctx = Ctx::new(plan.kind, tag, SECRET, scratch, start, server, url);
    let outcome = case.run(ctx.clone()).await;
    match outcome {
        Ok(()) => ctx.shut_down().await.context("stopping at the end"),
        Err(error) => {
            print_log(case.name, &ctx.log().await);
            ctx.shut_down().await.ok();
            Err(error)
        }
    }
}

async fn timed(case: impl Future<Output = Result<()>>) -> (Duration, Result<()>) {
    let begun = tokio::time::Instant::now();
    let outcome = match tokio::time::timeout(CASE_DEADLINE, case).await {
        Ok(outcome) => outcome,
        Err(_) => Err(anyhow::anyhow!("it did not end within {CASE_DEADLINE:?}")),
    };
    (begun.elapsed(), outcome)
}

impl Tally {
    fn count(&mut self, name: &str, (took, outcome): (Duration, Result<()>)) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok    {name} ({} ms)", took.as_millis());
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL  {name} ({} ms)", took.as_millis());
                println!("      {}", format!("{error:#}").replace('\n', "\n      "));
            }
        }
    }
}

fn print_log(whose: &str, log: &str) {
    if !log.is_empty() {
        println!(
            "      last lines of {whose}:\n      | {}",
            log.replace('\n', "\n      | ")
        );
    }
}

fn base36(mut number: u64, digits: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        *place = DIGITS[usize::try_from(number % 36).unwrap_or(0)];
        number /= 36;
    }
    String::from_utf8_lossy(&text).into_owned()
}
