//! Which token a request carries, and what its sender is told.
//!
//! A refusal is the same to the byte whatever the reason; whether a token came shows in
//! `WWW-Authenticate` alone (RFC 6750 section 3.1).

use http::HeaderMap;

use super::origin::Origin;
use super::params::Params;
use super::problem::{Problem, Slug};
use super::routes::Route;
use super::{Request, sockets};
use crate::auth::{AuthError, Claims, Need, Verifier};
use crate::time::Millis;

/// Where Cloudflare Access puts the token of whoever it let through.
/// <https://developers.cloudflare.com/cloudflare-one/identity/authorization-cookie/validating-json/>
const ACCESS: &str = "cf-access-jwt-assertion";

/// Seconds after which a request that found no keys is worth another try.
const RETRY_SECONDS: &str = "5";

/// The token of a request: what the client itself says counts before what a proxy adds. `params`
/// are those of a socket, which may carry a token or a ticket.
///
/// The proxy goes by a cookie, which a browser sends for any page: from a foreign one its word is
/// not taken, or that page could decide in its visitor's name.
pub(super) fn token<'a>(
    headers: &'a HeaderMap,
    params: Option<&'a Params>,
    origin: &Origin,
) -> Option<&'a str> {
    let said = match params {
        Some(params) => sockets::token(headers, params),
        None => bearer(headers),
    };
    let ticket = params.and_then(|params| params.text("ticket"));
    let vouched = ticket.is_none() && *origin != Origin::Foreign;
    said.or_else(|| only(headers, ACCESS).filter(|_| vouched))
}

/// The token of `Authorization`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = only(headers, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A header that came once: of two, runtimes would choose differently.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The request's token, if the keys it is judged with have to be seen to before.
pub(super) fn lacking_keys(
    verifier: &Verifier,
    request: &Request,
    route: &Route,
    origin: &Origin,
    now: Millis,
) -> Option<String> {
    let params = route.is_socket().then(|| Params::new(&request.query));
    let token = token(&request.headers, params.as_ref(), origin)?;
    let lacking = route.need != Need::Nothing && verifier.lacks_keys(token, now);
    lacking.then(|| token.to_owned())
}

/// Who sends the request.
///
/// # Errors
/// The one refusal; or 503 where nobody can tell, since signing in again would not help.
pub(super) fn judge(
    verifier: &Verifier,
    token: Option<&str>,
    now: Millis,
) -> Result<Claims, Problem> {
    let verdict = verifier.verify(token.unwrap_or_default(), now);
    verdict.map_err(|error| match error {
        AuthError::Missing => Problem::unauthorized(),
        AuthError::Invalid | AuthError::Expired | AuthError::NotYet => Problem::invalid_token(),
        AuthError::NoKeys => Problem::new(
            Slug::Misconfigured,
            "The identity provider's keys cannot be fetched just now. Try again.",
        )
        .header("retry-after", RETRY_SECONDS),
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn what_the_client_says_counts_before_what_a_proxy_adds() {
        let both = headers(&[("authorization", "Bearer a"), (ACCESS, "b")]);
        assert_eq!(token(&both, None, &Origin::Own), Some("a"));
        let access = headers(&[(ACCESS, "b")]);
        assert_eq!(token(&access, None, &Origin::Own), Some("b"));
        let params = Params::new("token=c");
        assert_eq!(token(&access, Some(&params), &Origin::Own), Some("c"));
        assert_eq!(
            token(&access, Some(&Params::new("")), &Origin::Own),
            Some("b")
        );
        assert_eq!(
            token(&access, Some(&Params::new("ticket=c")), &Origin::Own),
            None
        );
        let other = headers(&[("authorization", "Basic QTpC"), (ACCESS, "b")]);
        assert_eq!(token(&other, None, &Origin::Own), Some("b"));
        assert_eq!(token(&headers(&[]), None, &Origin::Own), None);
    }

    #[test]
    fn a_foreign_page_has_no_use_of_its_visitors_cookie() {
        let access = headers(&[(ACCESS, "b")]);
        assert_eq!(token(&access, None, &Origin::Foreign), None);
        let allowed = Origin::Allowed("https://desk.example".into());
        assert_eq!(token(&access, None, &allowed), Some("b"));
        // What a page sends itself, it knows itself.
        let bearer = headers(&[("authorization", "Bearer a"), (ACCESS, "b")]);
        assert_eq!(token(&bearer, None, &Origin::Foreign), Some("a"));
    }

    #[test]
    fn a_header_that_comes_twice_is_none() {
        let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(token(&headers(&twice), None, &Origin::Own), None);
        assert_eq!(
            token(
                &headers(&[(ACCESS, "a"), (ACCESS, "a")]),
                None,
                &Origin::Own
            ),
            None
        );
    }

    #[test]
    fn a_bearer_is_a_scheme_in_any_case_and_a_token() {
        for good in ["Bearer a", "bearer a", "BEARER  a "] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_static(good));
            assert_eq!(bearer(&headers), Some("a"), "{good}");
        }
        for bad in ["Bearer", "a", "Bearera", "Token a", ""] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_static(bad));
            assert_eq!(bearer(&headers), None, "{bad}");
        }
    }
}
