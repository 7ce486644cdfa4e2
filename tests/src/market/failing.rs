//! The provider fails as it is told to, and counts who asks.

use std::time::Duration;

use anyhow::{Result, ensure};
use signalroom_core::market::provider::Provider;

use super::tests::{FRED, GRAPH, INDEX, RATIOS, STOOQ, TIINGO, YAHOO, get, market, text};
use super::{Asked, Fault, RetryAfter, Rule};

#[tokio::test]
async fn it_fails_as_told_for_whom_it_is_told_and_so_often() -> Result<()> {
    let market = market().await?;
    let rule = Rule::new(Fault::Status(500))
        .of(Provider::Yahoo)
        .about("aapl")
        .times(2);
    market.misbehave(rule);
    let other = YAHOO.replace("AAPL", "MSFT");
    for (target, status) in [
        (STOOQ, 200),
        (YAHOO, 500),
        (&other, 200),
        (YAHOO, 500),
        (YAHOO, 200),
    ] {
        assert_eq!(get(&market, target).await?.status(), status, "{target}");
    }
    for (after, said) in [
        (RetryAfter::Unsaid, None),
        (RetryAfter::Seconds(60), Some("60")),
        (RetryAfter::Date(60), Some("Mon, 23 Nov 2026 07:01:00 GMT")),
    ] {
        market.misbehave(Rule::new(Fault::RateLimited(after)).times(1));
        let reply = get(&market, YAHOO).await?;
        assert_eq!(reply.status(), 429);
        let told = reply.headers().get("retry-after");
        assert_eq!(told.map(|it| it.to_str()).transpose()?, said);
    }
    market.misbehave(Rule::new(Fault::DailyLimit).of(Provider::Stooq));
    assert_eq!(text(&market, STOOQ).await?, "Exceeded the daily hits limit");
    market.heal();
    assert!(text(&market, STOOQ).await?.starts_with("Date"));
    assert_eq!(market.requests_of(Provider::Yahoo, Some("AAPL")), 6);
    assert_eq!(market.requests_of(Provider::Yahoo, None), 7);
    let statuses: Vec<_> = market.asked().iter().map(|it: &Asked| it.status).collect();
    assert_eq!(statuses[1], Some(500));
    market.forget();
    assert_eq!(market.requests(), 0);
    Ok(())
}

#[tokio::test]
async fn rows_are_damaged_in_every_format() -> Result<()> {
    let market = market().await?;
    for target in [YAHOO, STOOQ, TIINGO, FRED, GRAPH, INDEX, RATIOS] {
        let whole = text(&market, target).await?;
        let mut seen = vec![whole.clone()];
        for fault in [
            Fault::Truncated,
            Fault::WebPage,
            Fault::WrongSymbol,
            Fault::Empty,
            Fault::Duplicated,
            Fault::Unordered,
            Fault::Nulls,
            Fault::Nan,
            Fault::Absurd,
        ] {
            market.misbehave(Rule::new(fault).times(1));
            let told = text(&market, target).await?;
            ensure!(!seen.contains(&told), "{target}: {fault:?} changes nothing");
            if fault == Fault::Truncated {
                assert!(whole.starts_with(&told) && told.len() < whole.len());
            }
            seen.push(told);
        }
        assert_eq!(text(&market, target).await?, whole);
    }
    Ok(())
}

#[tokio::test]
async fn connections_break_hang_and_are_let_go() -> Result<()> {
    let market = market().await?;
    market.misbehave(Rule::new(Fault::Reset).times(1));
    assert!(get(&market, YAHOO).await.is_err());
    market.misbehave(Rule::new(Fault::CutOff).times(1));
    let cut = get(&market, YAHOO).await?;
    assert_eq!(cut.status(), 200);
    assert!(cut.text().await.is_err());
    market.misbehave(Rule::new(Fault::Silent));
    market.forget();
    let ask = || async { get(&market, YAHOO).await.map(|reply| reply.status()) };
    let (first, second, ()) = tokio::join!(ask(), ask(), async {
        market.until_asked(2).await;
        market.release();
    });
    assert!(first.is_err() && second.is_err());
    assert_eq!(market.most_at_once(Some(Provider::Yahoo)), 2);
    assert_eq!(market.most_at_once(Some(Provider::Fred)), 0);
    market.heal();
    market.misbehave(Rule::new(Fault::Stalled).times(1));
    let stalled = get(&market, YAHOO).await?;
    assert_eq!(stalled.status(), 200);
    market.release();
    assert!(stalled.text().await.is_err());
    market.misbehave(Rule::new(Fault::Endless).times(1));
    let mut endless = get(&market, YAHOO).await?;
    let mut bytes = 0;
    while bytes < 16 << 20 {
        bytes += endless.chunk().await?.map_or(0, |chunk| chunk.len());
    }
    drop(endless);
    market.misbehave(Rule::new(Fault::Redirect).times(1));
    let moved = get(&market, YAHOO).await?;
    assert_eq!(moved.status(), 302);
    assert_eq!(moved.headers()["location"], "/cboe/elsewhere");
    market.misbehave(Rule::new(Fault::Slow(30)));
    let begun = tokio::time::Instant::now();
    assert_eq!(get(&market, YAHOO).await?.status(), 200);
    assert!(begun.elapsed() >= Duration::from_millis(30));
    Ok(())
}
