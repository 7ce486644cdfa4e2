//! What HTTP asks of a request before anybody looks at what it is about, and what RFC 6455 asks
//! of a WebSocket handshake.

use bytes::Bytes;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body_util::Full;
use signalroom_core::api::problem::{Problem, Slug};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Refuses a request that says in two ways, or in none, whom it is for, or that expects what
/// nobody does here.
///
/// # Errors
/// 400, or 417.
pub(crate) fn judge(head: &Parts) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(Slug::Invalid, detail).status(400));
    if head.method == Method::CONNECT {
        return refused("This is no proxy.");
    }
    // RFC 9112 section 3.2: exactly one Host, which is an authority.
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => match authority(host) {
            Some(host) => Some(host),
            None => return refused("The Host header names no host."),
        },
        (None, None) if head.version == Version::HTTP_10 => None,
        (None, _) => return refused("The Host header is missing."),
        (Some(_), Some(_)) => return refused("There is more than one Host header."),
    };
    if let (Some(target), Some(host)) = (head.uri.authority(), host)
        && *target != host
    {
        return refused("The address and the Host header name different hosts.");
    }
    // RFC 9110 section 10.1.1.
    let expected = head.headers.get(header::EXPECT);
    if expected.is_some_and(|it| !it.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        let problem = Problem::new(Slug::Invalid, "Only 100-continue can be expected.");
        return Err(problem.status(417));
    }
    Ok(())
}

/// The authority that a Host header names, without user information.
fn authority(host: &HeaderValue) -> Option<Authority> {
    let host: Authority = host.to_str().ok()?.parse().ok()?;
    (!host.as_str().contains('@')).then_some(host)
}

/// The answer that turns the connection into a WebSocket (RFC 6455 section 4.2).
///
/// # Errors
/// 426 for another version of the protocol, 400 for what is no handshake.
pub(crate) fn switching(
    head: &Parts,
    protocol: Option<&'static str>,
) -> Result<Response<Full<Bytes>>, Problem> {
    let refused = |detail: &str| Problem::new(Slug::Invalid, detail).status(400);
    if only(&head.headers, &header::SEC_WEBSOCKET_VERSION).is_none_or(|it| it != "13") {
        let detail = "This address speaks version 13 of WebSocket.";
        return Err(Problem::new(Slug::Invalid, detail)
            .status(426)
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13"));
    }
    let connection = head.headers.get_all(header::CONNECTION);
    let upgrades = connection
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    if head.version != Version::HTTP_11 || !upgrades {
        return Err(refused("A handshake is HTTP/1.1 with Connection: Upgrade."));
    }
    let key = only(&head.headers, &header::SEC_WEBSOCKET_KEY)
        .map(HeaderValue::as_bytes)
        .filter(|key| is_key(key))
        .ok_or_else(|| refused("Sec-WebSocket-Key is 16 bytes in base64, once."))?;
    let accept = HeaderValue::try_from(derive_accept_key(key))
        .map_err(|_| refused("Sec-WebSocket-Key cannot be answered."))?;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(protocol),
        );
    }
    Ok(response)
}

/// A header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether it is the base64 of 16 bytes: 21 digits of six bits, one of two, and the padding.
fn is_key(key: &[u8]) -> bool {
    let Some((digits, [last, b'=', b'='])) = key.split_last_chunk() else {
        return false;
    };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    digits.len() == 21 && digits.iter().all(is_digit) && b"AQgw".contains(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_sixteen_bytes() {
        // The example of RFC 6455 section 1.3.
        assert!(is_key(b"dGhlIHNhbXBsZSBub25jZQ=="));
        for wrong in [
            "",
            "==",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25j",
            "dGhlIHNhbXBsZSBub25jZWU=",
            "dGhlIHNhbXBsZSBub25jZWVlZQ==",
            "dGhlIHNhbXBsZSBub25\nZQ==",
            "dGhlIHNhbXBsZS-ub25jZQ==",
        ] {
            assert!(!is_key(wrong.as_bytes()), "{wrong:?}");
        }
    }
}
