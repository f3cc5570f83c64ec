//! Cache directives that are meant for this cache: `CDN-Cache-Control` and its like ([RFC 9213]).
//!
//! [RFC 9213]: https://www.rfc-editor.org/rfc/rfc9213

use super::{
    directives::ResponseDirectives,
    fields::{MAX_DELTA_SECONDS, is_too_long},
    structured::{Item, dictionary},
};
use http::{HeaderMap, HeaderName};
use std::time::Duration;

/// The field for caches between the origin and the public ([RFC 9213 §3]).
///
/// [RFC 9213 §3]: https://www.rfc-editor.org/rfc/rfc9213#section-3
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

const SURROGATE_CONTROL: HeaderName = HeaderName::from_static("surrogate-control");

/// The directives of the first field in `targets` that is there, valid and not empty; else those of `Cache-Control`
/// ([RFC 9213 §2.2]). What a field forbids that is not valid is forbidden all the same, and so is what a valid one forbids
/// in a form that is not quite a member of its own.
///
/// [RFC 9213 §2.2]: https://www.rfc-editor.org/rfc/rfc9213#section-2.2
pub fn directives(headers: &HeaderMap, targets: &[HeaderName]) -> ResponseDirectives {
    let mut forbidden = for_surrogates(headers);
    for name in targets.iter().filter(|name| headers.contains_key(*name)) {
        if let Some(mut valid) = of_field(headers, name) {
            valid.add_restrictions(ResponseDirectives::forbidden_by(headers, name));
            return with(valid, forbidden);
        }
        let mut said = ResponseDirectives::of_field(headers, name);
        said.malformed_lifetime = said.max_age.or(said.s_maxage).is_some();
        forbidden = Some(with(said, forbidden));
    }
    with(ResponseDirectives::of(headers), forbidden)
}

/// What `Surrogate-Control` forbids, which is meant for servers in the origin's place as this one; what it permits does not count
/// unless it is among the targets ([Edge Architecture §2.3]).
///
/// [Edge Architecture §2.3]: https://www.w3.org/TR/edge-arch/
fn for_surrogates(headers: &HeaderMap) -> Option<ResponseDirectives> {
    let is_there = headers.contains_key(SURROGATE_CONTROL);
    is_there.then(|| ResponseDirectives::forbidden_by(headers, &SURROGATE_CONTROL))
}

/// `found`, and what is `forbidden` beside it.
fn with(
    mut found: ResponseDirectives,
    forbidden: Option<ResponseDirectives>,
) -> ResponseDirectives {
    if let Some(forbidden) = forbidden {
        found.add_restrictions(forbidden);
    }
    found
}

/// `None` where the field is absent, empty, longer than is read, or no dictionary with members of the right types.
fn of_field(headers: &HeaderMap, name: &HeaderName) -> Option<ResponseDirectives> {
    if is_too_long(headers, name) {
        return None;
    }
    let lines: Vec<&[u8]> = headers
        .get_all(name)
        .iter()
        .map(|line| line.as_bytes())
        .collect();
    let members = dictionary(&lines.join(&b", "[..])).filter(|members| !members.is_empty())?;
    let mut found = ResponseDirectives {
        targeted: true,
        ..ResponseDirectives::default()
    };
    for (name, item) in members {
        match name.as_str() {
            "no-store" => found.no_store = flag(&item)?,
            "no-cache" => restrict(&mut found, item, |d| &mut d.no_cache)?,
            "private" => restrict(&mut found, item, |d| &mut d.private)?,
            "public" => found.public = flag(&item)?,
            "must-revalidate" => found.must_revalidate = flag(&item)?,
            "proxy-revalidate" => found.proxy_revalidate = flag(&item)?,
            "must-understand" => found.must_understand = flag(&item)?,
            "no-transform" => found.no_transform = flag(&item)?,
            "max-age" => found.max_age = Some(seconds(&item)?),
            "s-maxage" => found.s_maxage = Some(seconds(&item)?),
            "stale-while-revalidate" => found.stale_while_revalidate = Some(seconds(&item)?),
            "stale-if-error" => found.stale_if_error = Some(seconds(&item)?),
            _ => {}
        }
    }
    Some(found)
}

fn flag(item: &Item) -> Option<bool> {
    match item {
        Item::Boolean(flag) => Some(*flag),
        Item::Integer(_) | Item::String(_) | Item::Token(_) | Item::Strings(_) | Item::Other => {
            None
        }
    }
}

/// With a string of field names the directive withholds these, as in `Cache-Control`.
fn restrict(
    found: &mut ResponseDirectives,
    item: Item,
    flag: impl Fn(&mut ResponseDirectives) -> &mut bool,
) -> Option<()> {
    match item {
        Item::Boolean(all) => *flag(found) = all,
        Item::String(names) => {
            if !found.withhold(&names) {
                *flag(found) = true;
            }
        }
        Item::Integer(_) | Item::Token(_) | Item::Strings(_) | Item::Other => return None,
    }
    Some(())
}

/// Negative lifetimes are stale at once.
fn seconds(item: &Item) -> Option<Duration> {
    match item {
        Item::Integer(number) => {
            let seconds = u64::try_from(*number).unwrap_or(0).min(MAX_DELTA_SECONDS);
            Some(Duration::from_secs(seconds))
        }
        Item::Boolean(_) | Item::String(_) | Item::Token(_) | Item::Strings(_) | Item::Other => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(cdn: &[&'static str], cache_control: &'static str) -> ResponseDirectives {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CACHE_CONTROL,
            HeaderValue::from_static(cache_control),
        );
        for line in cdn {
            headers.append(CDN_CACHE_CONTROL, HeaderValue::from_static(line));
        }
        directives(&headers, &[CDN_CACHE_CONTROL])
    }

    #[test]
    fn a_field_that_is_longer_than_is_read_forbids() {
        let long: &'static str = Box::leak(format!("max-age=60{}", ", a=1".repeat(1000)).into());
        assert!(read(&[long], "max-age=60").no_store);
    }

    fn secs(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn a_targeted_field_takes_the_place_of_cache_control() {
        let found = read(&["max-age=60, foobar"], "no-store");
        assert!(found.targeted && !found.no_store);
        assert_eq!(found.max_age, secs(60));
        assert!(read(&["no-cache"], "max-age=60").no_cache);
        assert_eq!(read(&["max-age=2147483648"], "").max_age, secs(1 << 31));
        assert_eq!(read(&["max-age=-1"], "").max_age, secs(0));
    }

    #[test]
    fn several_lines_are_one_dictionary() {
        let found = read(&["max-age=60", "private"], "");
        assert!(found.private);
        assert_eq!(found.max_age, secs(60));
    }

    #[test]
    fn an_invalid_or_empty_field_falls_back() {
        for invalid in [
            "max-age=\"60\"",
            "max-age=60.5",
            "max-age",
            "max-age=60,",
            "MAX-AGE=60",
            "no-store=1",
            "",
            "max-age = 60",
        ] {
            let found = read(&[invalid], "no-store");
            assert!(found.no_store && !found.targeted, "{invalid:?}");
        }
    }

    #[test]
    fn what_an_invalid_field_forbids_is_forbidden() {
        for private in [
            "Private",
            "private,",
            "private=",
            "private=\"x",
            "\"private\"",
            "private; max-age=60,",
            "max-age=60;private",
        ] {
            let found = read(&[private], "max-age=600");
            assert!(found.private, "{private:?}");
        }
        for no_store in [
            "No-Store",
            "no-store, max-age = 60",
            "no-store;",
            "no-store=1",
            "\tno-store, Max-Age=1",
        ] {
            let found = read(&[no_store], "max-age=600, must-understand");
            assert!(found.no_store && !found.must_understand, "{no_store:?}");
            assert_eq!((found.targeted, found.max_age), (false, secs(600)));
        }
        assert!(read(&["No-Cache"], "max-age=600").no_cache);
        assert!(read(&["Must-Revalidate"], "max-age=600").proxy_revalidate);
        assert!(!read(&["Must-Revalidate"], "max-age=600").must_revalidate);
        let withheld = read(&["private=\"x-user\", Max-Age=60"], "max-age=600");
        assert_eq!(withheld.withheld_fields, ["x-user"]);
        assert!(!withheld.private);
    }

    #[test]
    fn a_field_may_say_that_something_is_not_so() {
        let found = read(&["max-age=60, no-store=?0, ext=\"private\""], "no-store");
        assert!(!found.no_store && !found.private);
        assert_eq!(found.max_age, secs(60));
    }

    #[test]
    fn a_lifetime_of_an_invalid_field_is_no_silence() {
        assert!(read(&["max-age = 60"], "").malformed_lifetime);
        assert!(read(&["max-age=60,"], "max-age=5").malformed_lifetime);
        assert!(!read(&["max-age=60"], "").malformed_lifetime);
        assert!(!read(&["foobar,"], "").malformed_lifetime);
    }

    #[test]
    fn the_first_of_the_list_that_is_there_counts() {
        let own = HeaderName::from_static("sidecache-cache-control");
        let mut headers = HeaderMap::new();
        headers.insert(CDN_CACHE_CONTROL, HeaderValue::from_static("max-age=1"));
        headers.insert(own.clone(), HeaderValue::from_static("max-age=2"));
        assert_eq!(
            directives(&headers, &[own.clone(), CDN_CACHE_CONTROL]).max_age,
            secs(2)
        );
        assert_eq!(
            directives(&headers, &[CDN_CACHE_CONTROL, own]).max_age,
            secs(1)
        );
        assert_eq!(directives(&headers, &[]).max_age, None);
    }
}
