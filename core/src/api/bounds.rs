//! What any request must keep to, whatever it asks for: the same on every address, so that it
//! says nothing about which addresses there are.

use super::problem::{Problem, Slug};
use super::{Request, Response};
use crate::wire::limits::{MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES};

/// Refuses a request whose head is too large or whose body is encoded.
///
/// # Errors
/// 414, 431 or 415.
pub(super) fn judge(request: &Request) -> Result<(), Problem> {
    if request.path.len() + request.query.len() > MAX_URL_BYTES {
        let detail = format!("The address is over {MAX_URL_BYTES} bytes.");
        return Err(Problem::new(Slug::TooLarge, detail).status(414));
    }
    let bytes: usize = request
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if request.headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
        let detail = format!(
            "The headers are over {MAX_HEADERS}, or over {MAX_HEADER_BYTES} bytes together."
        );
        return Err(Problem::new(Slug::TooLarge, detail).status(431));
    }
    // A small body that unpacks into a large one would pass the limits on bodies.
    let encoded = request.headers.get("content-encoding");
    if encoded.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let detail = "Send the body as it is, without a Content-Encoding.";
        return Err(
            Problem::new(Slug::UnsupportedMediaType, detail).header("accept-encoding", "identity")
        );
    }
    Ok(())
}

/// Answers a connection that a server has no room for.
pub fn busy() -> Response {
    let detail = "There are as many connections as this server takes. Try again soon.";
    let problem = Problem::new(Slug::Busy, detail);
    problem.header("retry-after", "10").into()
}

/// Answers a client whose headers or body come too slowly.
pub fn late() -> Response {
    Problem::new(Slug::Timeout, "The request came too slowly.").into()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::*;

    fn request() -> Request {
        Request {
            method: Method::GET,
            path: "/healthz".to_owned(),
            query: String::new(),
            headers: HeaderMap::new(),
            peer: None,
            nonce: String::new(),
            secure: false,
            local: false,
        }
    }

    fn status(request: &Request) -> Option<u16> {
        let refused = judge(request).err();
        refused.map(|problem| Response::from(problem).status)
    }

    #[test]
    fn an_address_is_as_long_as_the_limit_at_most() {
        let mut asked = request();
        asked.query = "x".repeat(MAX_URL_BYTES - asked.path.len());
        assert_eq!(status(&asked), None);
        asked.query.push('x');
        assert_eq!(status(&asked), Some(414));
    }

    #[test]
    fn headers_are_as_many_and_as_large_as_the_limits_at_most() {
        let mut asked = request();
        for number in 0..MAX_HEADERS {
            let name = HeaderName::try_from(format!("x-{number}")).expect("a name");
            asked.headers.append(name, HeaderValue::from_static("y"));
        }
        assert_eq!(status(&asked), None);
        asked.headers.append("z", HeaderValue::from_static("y"));
        assert_eq!(status(&asked), Some(431));

        let mut asked = request();
        let value = |bytes| HeaderValue::try_from("y".repeat(bytes)).expect("a value");
        asked.headers.insert("z", value(MAX_HEADER_BYTES - 1));
        assert_eq!(status(&asked), None);
        asked.headers.insert("z", value(MAX_HEADER_BYTES));
        assert_eq!(status(&asked), Some(431));
    }

    #[test]
    fn a_body_comes_as_it_is() {
        for (coding, expected) in [("gzip", Some(415)), ("", Some(415)), ("Identity", None)] {
            let mut asked = request();
            let coding = HeaderValue::from_static(coding);
            asked.headers.insert("content-encoding", coding);
            assert_eq!(status(&asked), expected);
        }
    }
}
