//! Cache directives that are meant for this cache: `CDN-Cache-Control` and its like ([RFC 9213]).
//!
//! [RFC 9213]: https://www.rfc-editor.org/rfc/rfc9213

use super::{
    directives::ResponseDirectives,
    fields::MAX_DELTA_SECONDS,
    structured::{Item, dictionary},
};
use http::{HeaderMap, HeaderName};
use std::time::Duration;

/// The field for caches between the origin and the public ([RFC 9213 §3]).
///
/// [RFC 9213 §3]: https://www.rfc-editor.org/rfc/rfc9213#section-3
pub const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// The directives of the first field in `targets` that is there, valid and not empty; else those of `Cache-Control`
/// ([RFC 9213 §2.2]).
///
/// [RFC 9213 §2.2]: https://www.rfc-editor.org/rfc/rfc9213#section-2.2
pub fn directives(headers: &HeaderMap, targets: &[HeaderName]) -> ResponseDirectives {
    targets
        .iter()
        .find_map(|name| of_field(headers, name))
        .unwrap_or_else(|| ResponseDirectives::of(headers))
}

/// `None` where the field is absent, empty, or no dictionary with members of the right types.
fn of_field(headers: &HeaderMap, name: &HeaderName) -> Option<ResponseDirectives> {
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
            let names = names
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase());
            found
                .withheld_fields
                .extend(names.filter(|name| !name.is_empty()));
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
