//! Clients that take their time, and too many of them: who does not get on is let go, and told
//! why where that is possible; everybody else is served meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use signalroom_core::auth::{Claims, Role, Secret, Verifier};
use signalroom_harness::{Hibernate, Limits, Options, Page, PageSource, Server, clock};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const SECRET: &str = "a secret of the tests, long enough";

/// Within which what is let go has to be let go; only a hanging test takes as long.
const DEADLINE: Duration = Duration::from_secs(20);

/// The deadlines of these servers: one is short, the others are out of the way.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(3600);

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: desk\r\n\r\n";

fn patient() -> Limits {
    Limits {
        head: LONG,
        idle: LONG,
        body: LONG,
        body_step: LONG,
        ..Limits::default()
    }
}

async fn start(limits: Limits) -> (Server, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(Options {
        listen: ([127, 0, 0, 1], 0).into(),
        data: folder.path().to_owned(),
        vars: BTreeMap::from([("JWT_SECRET".to_owned(), SECRET.to_owned())]),
        hibernate: Hibernate::After(Duration::from_secs(10)),
        cron: false,
        demo: false,
        page: Page::open(PageSource::Nowhere).expect("needs nothing"),
        limits,
    })
    .await;
    (server.expect("starts"), folder)
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.addr()).await.expect("connects")
}

/// Everything up to the end of the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let end = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    // A reset ends it as well.
    let _ = end.expect("the connection ends");
    String::from_utf8(bytes).expect("text")
}

/// Sends `bytes` and waits for the beginning of an answer.
async fn answered(stream: &mut TcpStream, bytes: &str) -> String {
    stream.write_all(bytes.as_bytes()).await.expect("sends");
    let mut buffer = [0; 4096];
    let read = timeout(DEADLINE, stream.read(&mut buffer)).await;
    let read = read.expect("an answer in time").expect("an answer");
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}

async fn is_well(server: &Server) {
    let answer = answered(&mut connect(server).await, HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// The beginning of an upload of bars whose body is announced as 100,000 bytes.
fn upload() -> String {
    let now = clock::now();
    let claims = Claims {
        sub: "test".into(),
        role: Role::Service,
        expires_at: now.plus(600_000),
        issued_at: Some(now),
    };
    let secret = Secret::new(SECRET).expect("long enough");
    let token = Verifier::new(secret, None, None).sign(&claims);
    format!(
        "PUT /api/v1/symbols/A/bars HTTP/1.1\r\nhost: desk\r\nauthorization: Bearer {}\r\n\
         content-type: text/csv\r\ncontent-length: 100000\r\n\r\n",
        token.expect("signs")
    )
}

#[tokio::test]
async fn a_head_that_does_not_end_is_a_408() {
    let limits = Limits {
        head: SHORT,
        ..patient()
    };
    let (server, _folder) = start(limits).await;
    let mut slow = connect(&server).await;
    let begun = Instant::now();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: d")
        .await
        .expect("sends");
    is_well(&server).await;
    let answer = rest(&mut slow).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.ends_with('}') && answer.contains("/problems/timeout"));
    assert!(begun.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_byte_now_and_then_does_not_stretch_a_head() {
    let limits = Limits {
        head: SHORT,
        ..patient()
    };
    let (server, _folder) = start(limits).await;
    let (mut reads, mut writes) = connect(&server).await.into_split();
    // Fails once the server has let go, which is what is waited for.
    let drip = async {
        for byte in HEALTH.bytes().take(30).cycle() {
            if writes.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(SHORT / 10).await;
        }
    };
    let mut answer = String::new();
    tokio::select! {
        _ = reads.read_to_string(&mut answer) => {}
        () = drip => {}
        () = sleep(DEADLINE) => panic!("it is still being listened to"),
    }
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
    is_well(&server).await;
}

#[tokio::test]
async fn who_says_nothing_is_let_go_without_a_word() {
    let limits = Limits {
        head: SHORT,
        ..patient()
    };
    let (server, _folder) = start(limits).await;
    assert_eq!(rest(&mut connect(&server).await).await, "");
}

#[tokio::test]
async fn an_unused_connection_is_closed_and_a_second_head_has_its_deadline() {
    let limits = Limits {
        idle: SHORT,
        ..patient()
    };
    let (server, _folder) = start(limits).await;
    let mut idle = connect(&server).await;
    let answer = answered(&mut idle, HEALTH).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(rest(&mut idle).await, "");

    let limits = Limits {
        head: SHORT,
        ..patient()
    };
    let (server, _folder) = start(limits).await;
    let mut slow = connect(&server).await;
    answered(&mut slow, HEALTH).await;
    slow.write_all(b"GET").await.expect("sends");
    assert_eq!(rest(&mut slow).await, "");
    is_well(&server).await;
}

#[tokio::test]
async fn a_body_that_does_not_get_on_is_a_408() {
    for limits in [
        Limits {
            body_step: SHORT,
            ..patient()
        },
        Limits {
            body: SHORT,
            ..patient()
        },
    ] {
        let (server, _folder) = start(limits).await;
        let mut slow = connect(&server).await;
        let begun = format!("{}date,open", upload());
        slow.write_all(begun.as_bytes()).await.expect("sends");
        let answer = rest(&mut slow).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("/problems/timeout"), "{answer}");
        is_well(&server).await;
    }
}

#[tokio::test]
async fn a_body_that_gets_on_may_take_several_steps() {
    let limits = Limits {
        body_step: SHORT,
        ..patient()
    };
    let (server, _folder) = start(limits).await;
    let mut steady = connect(&server).await;
    steady.write_all(upload().as_bytes()).await.expect("sends");
    let begun = Instant::now();
    for _ in 0..20 {
        steady.write_all(&[b'\n'; 5000]).await.expect("sends");
        // A step has to pass while the body is on its way.
        sleep(SHORT / 10).await;
    }
    let answer = answered(&mut steady, "").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(begun.elapsed() > SHORT);
}

#[tokio::test]
async fn one_connection_too_many_is_a_503_until_another_ends() {
    let limits = Limits {
        connections: 2,
        ..patient()
    };
    let (server, _folder) = start(limits).await;
    let mut held = [connect(&server).await, connect(&server).await];
    for stream in &mut held {
        answered(stream, HEALTH).await;
    }
    let answer = rest(&mut connect(&server).await).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("/problems/busy"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    drop(held);
    let free = async {
        loop {
            let answer = answered(&mut connect(&server).await, HEALTH).await;
            if answer.starts_with("HTTP/1.1 200 ") {
                return;
            }
        }
    };
    timeout(DEADLINE, free)
        .await
        .expect("a place is free again");
}
