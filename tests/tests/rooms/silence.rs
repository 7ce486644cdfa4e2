//! A real socket that falls silent, on a clock that can be pushed on.

use std::time::Duration;

use anyhow::Result;
use signalroom_core::wire::limits::{PING_INTERVAL_MS, SILENCE_MS};
use signalroom_harness::{Hibernate, Limits, Options, Page, PageSource, Server};
use signalroom_tests::client::socket::Opened;
use signalroom_tests::client::{Dial, Minter, Role};
use signalroom_tests::runner::{SECRET, vars};
use tokio::time;

/// Lets time pass for the server.
async fn pass(wait: Duration) {
    time::pause();
    time::advance(wait).await;
    // From here on the kernel carries frames, which a paused clock would not wait for.
    time::resume();
}

async fn open(server: &Server, path: &str) -> Result<Opened> {
    let token = Minter::new(SECRET).token("viewer", Role::Viewer);
    let base = format!("http://{}", server.addr());
    Dial::new(&base, path).bearer(&token).open().await
}

#[tokio::test]
async fn three_intervals_without_a_frame_close_4012_and_a_ping_counts() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::start(Options {
        listen: ([127, 0, 0, 1], 0).into(),
        data: folder.path().to_owned(),
        vars: vars(&[]),
        hibernate: Hibernate::EveryEvent,
        cron: false,
        demo: false,
        page: Page::open(PageSource::Nowhere).expect("needs nothing"),
        limits: Limits::default(),
    })
    .await?;
    let interval = Duration::from_millis(PING_INTERVAL_MS.into());
    let silence = Duration::from_millis(SILENCE_MS.unsigned_abs());
    for path in ["/ws", "/ws/A"] {
        let mut silent = open(&server, path).await?.socket;
        let mut alive = open(&server, path).await?.socket;
        let mut late = open(&server, path).await?.socket;
        for _ in 0..2 {
            pass(interval).await;
            alive.heartbeat().await?;
        }
        pass(interval / 2).await;
        // Still early enough, and any frame counts.
        late.position().await?;
        pass(interval).await;
        assert_eq!(silent.closed().await?, 4012, "{path}");
        // The room itself answers, after whatever it was told of their silence.
        alive.position().await?;
        late.position().await?;
        // What has just been heard counts for three intervals, no longer.
        pass(silence).await;
        assert_eq!(alive.closed().await?, 4012, "{path}");
        assert_eq!(late.closed().await?, 4012, "{path}");
    }
    server.stop().await;
    Ok(())
}
