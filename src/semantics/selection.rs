//! Which fields of a request a response was selected by, also where its `Vary` forgets to say so ([RFC 9111 §4.1]).
//!
//! [RFC 9111 §4.1]: https://www.rfc-editor.org/rfc/rfc9111#section-4.1

use super::{
    fields::all_members,
    vary::{Selecting, Selects, VaryStar},
};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN,
        CONTENT_ENCODING, HOST, ORIGIN, VARY,
    },
};

const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// What selected `response`, given the request that fetched it: what `Vary` names, and what can be seen in it.
///
/// # Errors
/// As [`Selecting::of`], and where a field is too long to be compared.
pub fn selection(response: &HeaderMap, request: &Selects<'_>) -> Result<Selecting, VaryStar> {
    let mut selecting = Selecting::of(response, request)?;
    if is_for_one_site(response, request.fields()) {
        selecting = selecting.and(ORIGIN, request);
    }
    if is_coded(response) {
        selecting = selecting.and(ACCEPT_ENCODING, request);
    }
    if selecting.is_of_none() {
        return Err(VaryStar);
    }
    Ok(selecting)
}

/// Whether another site would have got another response: every site that asks gets its own answer, unless the response allows
/// every one, because an origin that refuses a site says so by what is not there. A response that speaks of credentials can
/// only be meant for one ([Fetch, CORS protocol and HTTP caches]).
///
/// [Fetch, CORS protocol and HTTP caches]: https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches
fn is_for_one_site(response: &HeaderMap, request: &HeaderMap) -> bool {
    !is_for_every_site(response)
        && (request.contains_key(ORIGIN) || response.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS))
        || repeats_origin_for_timing(response, request)
}

/// `Timing-Allow-Origin` names the site, also where every one may read the rest.
fn repeats_origin_for_timing(response: &HeaderMap, request: &HeaderMap) -> bool {
    request.get(ORIGIN).is_some_and(|origin| {
        all_members(response, &TIMING_ALLOW_ORIGIN)
            .any(|site| site.eq_ignore_ascii_case(origin.as_bytes().trim_ascii()))
    })
}

/// Whether any site may read the response: `Access-Control-Allow-Origin: *`.
pub(super) fn is_for_every_site(response: &HeaderMap) -> bool {
    response
        .get(ACCESS_CONTROL_ALLOW_ORIGIN)
        .is_some_and(|site| site.as_bytes().trim_ascii() == b"*")
}

/// Whether the origin coded the content, which it does for those who accept that ([RFC 9110 §12.5.3]).
///
/// [RFC 9110 §12.5.3]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3
fn is_coded(response: &HeaderMap) -> bool {
    all_members(response, &CONTENT_ENCODING).any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

/// Whether two responses of one resource are in the same coding, as far as their fields say.
pub fn are_coded_alike(one: &HeaderMap, other: &HeaderMap) -> bool {
    is_coded(one) == is_coded(other)
}

/// Names in `Vary` what selected the response and is not named there: caches behind this one have to know it too.
pub fn name_in_vary(response: &mut HeaderMap, selecting: &Selecting) {
    // Every cache has the host in its key.
    for name in selecting.names().filter(|name| **name != HOST) {
        let named = |member: &[u8]| member.eq_ignore_ascii_case(name.as_str().as_bytes());
        if !all_members(response, &VARY).any(named) {
            let name = match name.as_str() {
                "origin" => HeaderValue::from_static("Origin"),
                "accept-encoding" => HeaderValue::from_static("Accept-Encoding"),
                other => HeaderValue::from_str(other).expect("a name is visible ASCII"),
            };
            response.append(VARY, name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::semantics::veil::tests::Thin;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    fn names(response: &[(&'static str, &'static str)], origin: Option<&'static str>) -> String {
        let origin = origin.map(|origin| ("origin", origin));
        let request: Vec<_> = origin.into_iter().collect();
        let request = map(&request);
        let selecting = selection(&map(response), &Selects::new(&request, &Thin)).unwrap();
        let names: Vec<_> = selecting.names().map(HeaderName::as_str).collect();
        names.join(" ")
    }

    #[test]
    fn a_response_to_a_site_is_for_that_site() {
        let allow = "access-control-allow-origin";
        for site in ["https://a.example", "null"] {
            assert_eq!(names(&[(allow, site)], Some(site)), "origin", "{site}");
        }
        let both = "https://a.example, https://b.example";
        assert_eq!(names(&[(allow, both)], Some(both)), "origin");
        let timing = (
            "timing-allow-origin",
            "https://b.example, https://a.example",
        );
        assert_eq!(names(&[timing], Some("https://a.example")), "origin");
        for (response, origin) in [
            (&[(allow, "*")][..], Some("https://a.example")),
            (&[(allow, "https://a.example")], None),
            (&[], None),
        ] {
            assert_eq!(names(response, origin), "", "{response:?}");
        }
        // What is refused to one site says nothing of another.
        for refused in [&[(allow, "https://a.example")][..], &[]] {
            assert_eq!(names(refused, Some("https://b.example")), "origin");
        }
    }

    #[test]
    fn a_response_that_allows_credentials_is_for_one_site() {
        let credentials = ("access-control-allow-credentials", "true");
        let main = ("access-control-allow-origin", "https://main.example");
        for origin in [None, Some("https://a.example")] {
            assert_eq!(names(&[credentials, main], origin), "origin");
            assert_eq!(names(&[credentials], origin), "origin");
        }
        let all = ("access-control-allow-origin", "*");
        assert_eq!(names(&[credentials, all], Some("https://a.example")), "");
    }

    #[test]
    fn a_coded_response_was_selected_by_what_its_client_accepts() {
        assert_eq!(
            names(&[("content-encoding", "br")], None),
            "accept-encoding"
        );
        assert_eq!(names(&[("content-encoding", "identity")], None), "");
    }

    #[test]
    fn what_is_too_long_to_be_compared_selects_nothing_that_is_stored() {
        let long = HeaderValue::from_str(&"x".repeat(5000)).unwrap();
        let request: HeaderMap = [(ORIGIN, long)].into_iter().collect();
        let selects = Selects::new(&request, &Thin);
        assert_eq!(selection(&map(&[]), &selects), Err(VaryStar));
    }

    #[test]
    fn what_selected_is_named_once() {
        let request = map(&[("origin", "https://a.example")]);
        for (vary, expected) in [
            ("", "|Origin"),
            ("x-a", "x-a|Origin"),
            ("X-A, ORIGIN", "X-A, ORIGIN"),
        ] {
            let mut response = map(&[("vary", vary)]);
            let selects = Selects::new(&request, &Thin);
            let selecting = Selecting::of(&response, &selects).unwrap();
            name_in_vary(&mut response, &selecting.and(ORIGIN, &selects));
            let lines: Vec<_> = response.get_all(VARY).iter().collect();
            let lines: Vec<_> = lines.iter().map(|line| line.to_str().unwrap()).collect();
            assert_eq!(lines.join("|"), expected);
        }
    }
}
