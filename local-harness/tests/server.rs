//! The server from outside, where it differs from a Worker: starts that fail, rooms that come
//! and go, sockets that outlive a room's memory, stops and crashes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use signalroom_core::auth::{Claims, Role, Secret, Verifier};
use signalroom_harness::{
    DATA_HEADER, Demo, Hibernate, Limits, Options, Page, PageSource, Server, StartError, clock,
};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Bytes, ClientRequestBuilder, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const SECRET: &str = "a secret of the tests, long enough";
const HEADER: &str = "date,open,high,low,close,volume\n";
const DEADLINE: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn options(data: &Path, hibernate: Hibernate) -> Options {
    Options {
        listen: ([127, 0, 0, 1], 0).into(),
        data: data.to_owned(),
        vars: BTreeMap::from([("JWT_SECRET".to_owned(), SECRET.to_owned())]),
        hibernate,
        cron: false,
        demo: false,
        page: Page::open(PageSource::Nowhere).expect("needs nothing"),
        limits: Limits::default(),
    }
}

async fn start(data: &Path, hibernate: Hibernate) -> Server {
    Server::start(options(data, hibernate))
        .await
        .expect("starts")
}

fn token() -> String {
    let now = clock::now();
    let claims = Claims {
        sub: "test".into(),
        role: Role::Admin,
        expires_at: now.plus(600_000),
        issued_at: Some(now),
    };
    let secret = Secret::new(SECRET).expect("long enough");
    Verifier::new(secret, None, None)
        .sign(&claims)
        .expect("signs")
}

#[test]
fn what_a_server_is_started_with_shows_no_secret() {
    let shown = format!("{:?}", options(Path::new("data"), LAZY));
    assert!(shown.contains("JWT_SECRET"), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

/// Whether answers say that the data are generated.
async fn marked(server: &Server) -> bool {
    let page = reqwest::get(format!("http://{}/", server.addr())).await;
    let headers = page.expect("answers").headers().clone();
    headers
        .get(DATA_HEADER)
        .is_some_and(|mark| mark == "generated")
}

/// Status and body of a request to `/api/v1`.
async fn ask(server: &Server, method: &str, path: &str, body: String) -> (u16, serde_json::Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("http://{}/api/v1{path}", server.addr());
    let response = reqwest::Client::new()
        .request(method.parse().expect("a method"), url)
        .bearer_auth(token())
        .header(
            "content-type",
            if method == "PUT" {
                "text/csv"
            } else {
                "application/json"
            },
        )
        .body(body)
        .send()
        .await
        .expect("answers");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn connect(server: &Server, path: &str) -> Socket {
    let uri = format!("ws://{}{path}", server.addr())
        .parse()
        .expect("an address");
    let request = ClientRequestBuilder::new(uri)
        .with_sub_protocol("signalroom.v1")
        .with_sub_protocol(format!("bearer.{}", token()));
    connect_async(request).await.expect("connects").0
}

/// The next message of this type, or the code the socket closed with.
async fn next(socket: &mut Socket, kind: &str) -> Result<serde_json::Value, Option<u16>> {
    loop {
        match timeout(DEADLINE, socket.next()).await.expect("in time") {
            Some(Ok(Message::Text(text))) => {
                let message: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                if message["type"] == kind {
                    return Ok(message);
                }
            }
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(None),
        }
    }
}

async fn failure(options: Options) -> StartError {
    let error = Server::start(options).await.expect_err("must not start");
    let line = error.to_string();
    assert!(!line.is_empty() && !line.contains('\n'), "{line}");
    error
}

const LAZY: Hibernate = Hibernate::After(Duration::from_secs(10));

#[tokio::test]
async fn what_prevents_a_start_is_said_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = start(&data, LAZY).await;

    let mut taken = options(&folder.path().join("other"), LAZY);
    taken.listen = server.addr();
    assert!(matches!(failure(taken).await, StartError::AddressInUse(_)));
    assert!(!folder.path().join("other").exists());

    assert!(matches!(
        failure(options(&data, LAZY)).await,
        StartError::FolderInUse(_)
    ));

    let file = folder.path().join("file");
    fs::write(&file, "kept").expect("writes");
    assert!(matches!(
        failure(options(&file, LAZY)).await,
        StartError::Folder { .. }
    ));
    assert_eq!(fs::read_to_string(&file).expect("is there"), "kept");

    for secret in [None, Some("short")] {
        let mut options = options(&folder.path().join("none"), LAZY);
        options.vars.clear();
        options
            .vars
            .extend(secret.map(|secret| ("JWT_SECRET".to_owned(), secret.to_owned())));
        assert!(matches!(failure(options).await, StartError::Config(_)));
    }
    assert!(!folder.path().join("none").exists());
    server.stop().await;
}

#[tokio::test]
async fn a_corrupt_database_prevents_a_start_and_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path(), LAZY).await;
    let bars = format!("{HEADER}2024-01-02,1,2,1,2,5\n");
    assert_eq!(ask(&server, "PUT", "/symbols/A/bars", bars).await.0, 200);
    server.stop().await;
    let file = folder.path().join("rooms/symbol%2FA.sqlite");
    let damaged = "no database, whatever its name says\n".repeat(400);
    fs::write(&file, &damaged).expect("writes");
    let error = failure(options(folder.path(), LAZY)).await;
    assert!(error.to_string().contains("symbol%2FA.sqlite"), "{error}");
    assert_eq!(fs::read_to_string(&file).expect("is there"), damaged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rooms_that_come_and_go_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    // Rooms hibernate and leave between almost any two messages.
    let server = start(folder.path(), Hibernate::After(Duration::from_millis(1))).await;
    let days = 40;
    let put = async |symbol: usize| {
        for day in 0..days {
            let date = format!("2024-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
            let bars = format!("{HEADER}{date},1,2,1,2,5\n");
            let (status, counts) =
                ask(&server, "PUT", &format!("/symbols/S{symbol}/bars"), bars).await;
            assert_eq!((status, &counts["accepted"]), (200, &1.into()), "{counts}");
            if day % 5 == symbol {
                sleep(Duration::from_millis(3)).await;
            }
        }
    };
    let look = async || {
        for n in 0..100 {
            let (status, _) = ask(
                &server,
                "GET",
                &format!("/signals/S{}", n % 5),
                String::new(),
            )
            .await;
            assert_eq!(status, 404);
        }
    };
    tokio::join!(join_all((0..4).map(put)), look(), look());
    for symbol in 0..4 {
        let path = format!("/symbols/S{symbol}/bars?limit=500");
        let (_, list) = ask(&server, "GET", &path, String::new()).await;
        assert_eq!(
            list["bars"].as_array().map(Vec::len),
            Some(days),
            "S{symbol}"
        );
    }
    // Every room's state has reached the feed, and nobody asked for S4.
    let (_, report) = ask(&server, "POST", "/runs", String::new()).await;
    assert_eq!(report["planned"], 4, "{report}");
    assert!(!folder.path().join("rooms/symbol%2FS4.sqlite").exists());
    server.stop().await;
}

#[tokio::test]
async fn a_socket_outlives_the_memory_of_its_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path(), Hibernate::After(Duration::from_millis(1))).await;
    let mut socket = connect(&server, "/ws?symbols=A").await;
    next(&mut socket, "snapshot").await.expect("a snapshot");
    for _ in 0..3 {
        sleep(Duration::from_millis(20)).await;
        socket.send(Message::text("ping")).await.expect("sends");
        let pong = next(&mut socket, "pong").await.expect("a pong");
        assert_eq!(pong["data"]["seq"], 0);
        socket
            .send(Message::text(r#"{"type":"ping","data":{}}"#))
            .await
            .expect("sends");
        let pong = next(&mut socket, "pong").await.expect("a pong");
        assert!(pong["data"]["timestamp"].is_string(), "{pong}");
    }
    server.stop().await;
    assert_eq!(next(&mut socket, "none").await, Err(Some(1012)));
}

#[tokio::test]
async fn messages_beyond_any_measure_close_with_1009() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = start(folder.path(), LAZY).await;
    for bytes in [17 * 1024, 100 * 1024, 3 * 1024 * 1024] {
        for message in [
            Message::text("x".repeat(bytes)),
            Message::Binary(Bytes::from(vec![0; bytes])),
        ] {
            let mut socket = connect(&server, "/ws").await;
            // The server may close before it has read everything.
            let _ = socket.send(message).await;
            assert_eq!(next(&mut socket, "none").await, Err(Some(1009)), "{bytes}");
        }
    }
    let mut socket = connect(&server, "/ws").await;
    socket
        .send(Message::Binary(Bytes::from(vec![0; 10])))
        .await
        .expect("sends");
    let error = next(&mut socket, "error").await.expect("an error");
    assert_eq!(error["data"]["code"], "binary");
    server.stop().await;
}

#[tokio::test]
async fn a_crash_ends_sockets_and_leaves_the_folder_free() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sockets = Vec::new();
    for start_number in 0..3 {
        let server = start(folder.path(), LAZY).await;
        let bars = format!("{HEADER}2024-01-{:02},1,2,1,2,5\n", 2 + start_number);
        assert_eq!(ask(&server, "PUT", "/symbols/A/bars", bars).await.0, 200);
        let (_, list) = ask(&server, "GET", "/symbols/A/bars", String::new()).await;
        assert_eq!(
            list["bars"].as_array().map(Vec::len),
            Some(start_number + 1)
        );
        let mut socket = connect(&server, "/ws").await;
        next(&mut socket, "snapshot").await.expect("a snapshot");
        // Nobody reads these sockets while the next server starts.
        sockets.push(socket);
        drop(server);
    }
    for mut socket in sockets {
        let end = next(&mut socket, "none").await;
        assert!(matches!(end, Err(None | Some(1012))), "{end:?}");
    }
}

#[tokio::test]
async fn a_demo_fills_an_empty_folder_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let demo = Options {
        demo: true,
        ..options(folder.path(), LAZY)
    };
    let server = Server::start(demo.clone()).await.expect("starts");
    assert_eq!(server.demo(), Demo::Loading);
    let all = async {
        loop {
            let (status, list) = ask(&server, "GET", "/signals", String::new()).await;
            assert_eq!(status, 200);
            if list["signals"]
                .as_array()
                .is_some_and(|signals| signals.len() == 5)
            {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), all)
        .await
        .expect("data within a minute");
    assert!(marked(&server).await);
    server.stop().await;
    assert!(folder.path().join("GENERATED").exists());

    let real = tempfile::tempdir().expect("a folder");
    let server = start(real.path(), LAZY).await;
    let bars = format!("{HEADER}2024-01-02,1,2,1,2,5\n");
    assert_eq!(ask(&server, "PUT", "/symbols/A/bars", bars).await.0, 200);
    assert!(!marked(&server).await);
    server.stop().await;
    let server = Server::start(Options {
        demo: true,
        ..options(real.path(), LAZY)
    })
    .await;
    assert_eq!(server.expect("starts").demo(), Demo::Real);
    assert!(!real.path().join("GENERATED").exists());
}
