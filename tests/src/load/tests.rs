//! The load against the harness in this process.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use signalroom_harness::{Hibernate, Limits, Options, Page, PageSource, Server};
use tempfile::TempDir;

use super::{Count, Load, Needle, Plan, Ready, Watch, now};
use crate::bars::{self, Bar, Shape};
use crate::client::{Minter, Rest, Role};
use crate::runner::SECRET;

const CLIENTS: usize = 300;

async fn server(folder: &TempDir) -> Server {
    let vars = [
        ("JWT_SECRET", SECRET),
        ("MAX_CONNECTIONS_PER_USER", "1000"),
        ("PROVIDERS", ""),
    ];
    let options = Options {
        listen: ([127, 0, 0, 1], 0).into(),
        data: folder.path().join("data"),
        vars: BTreeMap::from(vars.map(|(name, value)| (name.to_owned(), value.to_owned()))),
        hibernate: Hibernate::EveryEvent,
        cron: false,
        demo: false,
        page: Page::open(PageSource::Nowhere).expect("no page"),
        limits: Limits::default(),
    };
    Server::start(options).await.expect("a server")
}

fn plan(address: SocketAddr, protocol: Option<&'static str>) -> Plan {
    Plan {
        address,
        path: "/ws".to_owned(),
        token: Some(Minter::new(SECRET).token("load", Role::Viewer)),
        protocol,
        deflate: false,
        greeting: None,
        watch: Watch {
            ready: Ready::Text(Needle::new("\"type\":\"snapshot\"")),
            count: Count::Text(Needle::new("\"type\":\"new_signal\"")),
        },
    }
}

/// Bars whose last has another volume each time: another revision of a pending signal.
fn revision(last: &Bar, number: u64) -> Vec<Bar> {
    let volume = last.volume + number as f64;
    vec![Bar {
        volume,
        ..last.clone()
    }]
}

#[tokio::test]
async fn all_clients_get_every_signal_and_their_latency_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = server(&folder).await;
    let token = Minter::new(SECRET).token("feeder", Role::Service);
    let rest = Rest::new(&format!("http://{}", server.addr()), Some(token)).expect("a client");
    let mut bars = bars::series(Shape::Buy, 7);
    let put = rest.put_bars("SYM", "?compute=now", &bars).await;
    put.expect("an answer").ok().expect("the first bars");
    let last = bars.pop().expect("the last bar");

    let mut load = Load::start(None).expect("a load");
    let mut published = 0;
    for protocol in [None, Some("signalroom.v1")] {
        let plan = plan(server.addr(), protocol);
        load.connect(&plan, CLIENTS).await.expect("open clients");
        for number in 1..=3 {
            load.publishing(now());
            published += 1;
            let put = rest
                .put_bars("SYM", "?compute=now", &revision(&last, published))
                .await;
            put.expect("an answer").ok().expect("a revision");
            let arrival = load.reached(number).await.expect("an arrival");
            assert!(arrival.first <= arrival.last);
        }
        load.send("ping").expect("pings");
        let latencies = load.latencies().await.expect("latencies");
        assert_eq!(latencies.count(), 3 * CLIENTS as u64);
        assert!(latencies.quantile(0.0) < latencies.quantile(1.0));
        // Asked again, nothing is new.
        assert_eq!(load.latencies().await.expect("latencies").count(), 0);
    }
    load.close().await.expect("gone clients");

    let refused = Plan {
        token: None,
        ..plan(server.addr(), None)
    };
    let error = load.connect(&refused, 1).await.expect_err("no token");
    assert!(format!("{error:#}").contains("401"), "{error:#}");

    let plan = plan(server.addr(), None);
    load.connect(&plan, 5).await.expect("a load goes on");
    server.stop().await;
    let error = load.next().await.expect_err("the server has stopped");
    assert!(format!("{error:#}").contains("1012"), "{error:#}");
}

#[tokio::test]
async fn where_nobody_listens_clients_fail() {
    let mut load = Load::start(None).expect("a load");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let plan = plan(free.expect("a port"), None);
    let error = load.connect(&plan, 3).await.expect_err("nobody");
    assert!(format!("{error:#}").contains("cannot connect"), "{error:#}");
    assert!(
        Load::start(Some(1_000_000)).is_err(),
        "there is no such core"
    );
}
