//! Static files as a browser asks for them.

use std::fs;

use http_body_util::BodyExt;
use tempfile::TempDir;

use super::*;

const RULES: &str = "# all\n/*\n  X-One: a: b\n\n/assets/*\n  X-One: again\n  Cache-Control: immutable\n/signals\n  X-Two: 2\n";

/// A built page, and the folder that a stranger would like to read.
fn page() -> (TempDir, Files) {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page");
    fs::create_dir_all(page.join("assets")).expect("a folder");
    let write = |name: &str, text: &str| fs::write(page.join(name), text).expect("writes");
    write("../secret", "secret");
    write("index.html", "<!doctype html>");
    write("_headers", RULES);
    write(".stamp", "hidden");
    write("assets/a.js", &"let a;\n".repeat(1000));
    write("assets/a.png", &"png".repeat(1000));
    #[cfg(unix)]
    std::os::unix::fs::symlink("../secret", page.join("link")).expect("a link");
    let files = Files::load(&page).expect("loads");
    (folder, files)
}

fn get(files: &Files, path: &str, headers: &[(HeaderName, &str)]) -> Response<Full<Bytes>> {
    let asked = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.parse().expect("a value")))
        .collect();
    files.serve(&Method::GET, path, &asked)
}

async fn body(response: Response<Full<Bytes>>) -> Bytes {
    let collected = response.into_body().collect().await;
    collected.expect("infallible").to_bytes()
}

fn header<'a>(response: &'a Response<Full<Bytes>>, name: &str) -> Vec<&'a str> {
    let values = response.headers().get_all(name).into_iter();
    values.map(|value| value.to_str().expect("text")).collect()
}

#[tokio::test]
async fn the_page_is_at_both_of_its_addresses() {
    let (_folder, files) = page();
    for path in ["/", "/signals"] {
        let response = get(&files, path, &[]);
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(
            header(&response, "content-type"),
            ["text/html; charset=utf-8"]
        );
        assert_eq!(body(response).await, "<!doctype html>");
    }
    for (path, address) in [
        ("/index.html", "/"),
        ("/index", "/"),
        ("/signals.html", "/signals"),
        ("/signals/", "/signals"),
    ] {
        let response = get(&files, path, &[]);
        assert_eq!(response.status(), 307, "{path}");
        assert_eq!(header(&response, "location"), [address], "{path}");
    }
    let posted = files.serve(&Method::POST, "/", &HeaderMap::new());
    assert_eq!(posted.status(), 405);
    assert_eq!(header(&posted, "allow"), ["GET, HEAD"]);
}

#[test]
fn nothing_else_can_be_reached() {
    let (_folder, files) = page();
    for path in [
        "/../secret",
        "/assets/../../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "//secret",
        "/link",
        "/_headers",
        "/.stamp",
        "/assets",
        "/assets/",
        "/none",
        "/none.html",
        "/none/index.html",
        "",
        "*",
    ] {
        assert_eq!(get(&files, path, &[]).status(), 404, "{path}");
    }
}

#[test]
fn rules_apply_to_their_paths_alone() {
    let (_folder, files) = page();
    let one = |path| get(&files, path, &[]);
    assert_eq!(header(&one("/"), "x-one"), ["a: b"]);
    assert_eq!(header(&one("/assets/a.js"), "x-one"), ["a: b", "again"]);
    assert_eq!(header(&one("/"), "x-two"), [""; 0]);
    assert_eq!(header(&one("/signals"), "x-two"), ["2"]);
    let usual = ["public, max-age=0, must-revalidate"];
    assert_eq!(header(&one("/"), "cache-control"), usual);
    assert_eq!(header(&one("/assets/a.js"), "cache-control"), ["immutable"]);
}

#[tokio::test]
async fn text_is_compressed_for_those_who_take_it() {
    let (_folder, files) = page();
    let script = |accepted| {
        get(
            &files,
            "/assets/a.js",
            &[(header::ACCEPT_ENCODING, accepted)],
        )
    };
    for accepted in ["gzip", "br, GZIP;q=0.5"] {
        let response = script(accepted);
        assert_eq!(
            header(&response, "content-encoding"),
            ["gzip"],
            "{accepted}"
        );
        let mut text = String::new();
        let gzipped = body(response).await;
        assert!(gzipped.len() < 1000, "{}", gzipped.len());
        let mut decoder = flate2::read::GzDecoder::new(&gzipped[..]);
        io::Read::read_to_string(&mut decoder, &mut text).expect("gzip");
        assert_eq!(text, "let a;\n".repeat(1000));
    }
    for accepted in ["", "br", "gzip;q=0", "gzip;q=x"] {
        let response = script(accepted);
        assert_eq!(header(&response, "content-encoding"), [""; 0], "{accepted}");
        assert_eq!(header(&response, "vary"), ["accept-encoding"]);
        assert_eq!(body(response).await.len(), 7000);
    }
    let image = get(
        &files,
        "/assets/a.png",
        &[(header::ACCEPT_ENCODING, "gzip")],
    );
    assert_eq!(header(&image, "content-encoding"), [""; 0]);
    assert_eq!(header(&image, "content-type"), ["image/png"]);
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let (_folder, files) = page();
    for accepted in ["gzip", "identity"] {
        let accepted = (header::ACCEPT_ENCODING, accepted);
        let first = get(&files, "/assets/a.js", std::slice::from_ref(&accepted));
        let tag = header(&first, "etag")[0].to_owned();
        for held in [tag.clone(), format!("\"other\", {tag}"), "*".to_owned()] {
            let held = (header::IF_NONE_MATCH, held.as_str());
            let again = get(&files, "/assets/a.js", &[accepted.clone(), held]);
            assert_eq!(again.status(), 304);
            assert_eq!(header(&again, "etag"), [tag.as_str()]);
            assert_eq!(header(&again, "cache-control"), ["immutable"]);
            assert!(body(again).await.is_empty());
        }
        let other = (header::IF_NONE_MATCH, "\"other\"");
        assert_eq!(
            get(&files, "/assets/a.js", &[accepted, other]).status(),
            200
        );
    }
}

#[test]
fn a_folder_without_a_page_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Files::load(folder.path()).expect_err("is empty");
    assert!(error.to_string().contains("index.html"), "{error}");
    let error = Files::load(&folder.path().join("none")).expect_err("is not there");
    assert!(error.to_string().contains("none"), "{error}");
}
