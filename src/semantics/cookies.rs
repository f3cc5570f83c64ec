//! Cookies by name ([RFC 6265 §4.2.1]): which of them say who asks.
//!
//! Ignored ones are taken out of the request before anything looks at it, the origin included, so that its answer cannot
//! depend on them. Those in the key select the answer. What remains is a credential.
//!
//! [RFC 6265 §4.2.1]: https://www.rfc-editor.org/rfc/rfc6265#section-4.2.1

use super::name_pattern::NamePattern;
use http::{HeaderMap, HeaderValue, header::COOKIE};

/// What scripts of analytics and advertisements set in the browser, and read there: servers do not answer by them.
pub const ANALYTICS: &[&str] = &[
    "_ga",
    "_ga_*",
    "_gid",
    "_gat*",
    "_gac_*",
    "_gcl_*",
    "_dc_gtm_*",
    "__utm*",
    "__gads",
    "__gpi",
    "_fbp",
    "_fbc",
    "_hj*",
    "__hs*",
    "hubspotutk",
    "_pk_*",
    "_mtm_*",
    "_uet*",
    "_clck",
    "_clsk",
    "ajs_*",
    "amplitude_*",
    "amp_*",
    "AMP_*",
    "mp_*",
    "ph_*",
    "_tt_*",
    "_ttp",
    "_scid*",
    "_pin_unauth",
    "_rdt_uuid",
    "_li_*",
    "li_fat_id",
    "_ym_*",
    "_vwo_*",
    "_vis_opt_*",
    "optimizely*",
    "_dd_s",
    "__qca",
    "_sp_*",
    "s_fid",
    "s_vi",
    "s_cc",
    "AMCV_*",
    "AMCVS_*",
    "_parsely_*",
    "_chartbeat*",
    "_cb",
    "_mkto_trk",
    "plausible_*",
];

/// Of more cookies in one request none is told from the others, nor of those that are longer together, in bytes: each is compared
/// with every name that a route lists.
const MOST: usize = 256;
const LONGEST: usize = 8 << 10;

/// Whether `request` has more cookies than are told apart.
pub fn are_too_many(request: &HeaderMap) -> bool {
    let lines = || request.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    // So many of them fit into a byte, which lets the compiler count several at once.
    let ends = |line: &[u8]| -> usize {
        let of_piece = |piece: &[u8]| piece.iter().map(|byte| u8::from(*byte == b';')).sum::<u8>();
        line.chunks(255)
            .map(|piece| usize::from(of_piece(piece)))
            .sum()
    };
    lines().map(<[u8]>::len).sum::<usize>() > LONGEST
        || lines().map(|line| 1 + ends(line)).sum::<usize>() > MOST
}

/// What a route says of cookies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cookies {
    /// The origin does not see them where the cache is asked.
    pub ignore: Box<[NamePattern]>,
    /// They are part of the key, by name.
    pub key: Box<[Box<str>]>,
}

impl Cookies {
    /// Takes what is ignored out of `request`, unless that has [too many](are_too_many); what remains is one line, in the order
    /// in which it came.
    pub fn take_ignored(&self, request: &mut HeaderMap) {
        if self.ignore.is_empty() || !request.contains_key(COOKIE) || are_too_many(request) {
            return;
        }
        let kept: Vec<&[u8]> = pairs(request)
            .filter(|pair| !self.is_ignored(pair))
            .collect();
        let kept = HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok();
        match kept.filter(|kept| !kept.is_empty()) {
            Some(kept) => drop(request.insert(COOKIE, kept)),
            None => drop(request.remove(COOKIE)),
        }
    }

    /// Whether `request` has a cookie that is not in the key.
    pub fn has_others(&self, request: &HeaderMap) -> bool {
        if self.key.is_empty() {
            return request.contains_key(COOKIE);
        }
        pairs(request).any(|pair| {
            let name = name(pair);
            !self.key.iter().any(|known| known.as_bytes() == name)
        })
    }

    /// Each cookie of the key with its value in `request`: all of them where it is sent several times, because origins
    /// disagree about which counts, and what some of them read as it.
    pub fn in_key<'a>(
        &'a self,
        request: &'a HeaderMap,
    ) -> impl Iterator<Item = (&'a str, Option<Vec<u8>>)> {
        let sent = (!self.key.is_empty()).then(|| pairs(request).map(Sent::of));
        let sent: Vec<Sent<'_>> = sent.into_iter().flatten().collect();
        self.key.iter().map(move |known| {
            let same = sent.iter().filter(|sent| sent.may_be_read_as(known));
            let same: Vec<&[u8]> = same.map(|sent| sent.pair).collect();
            let value = (!same.is_empty()).then(|| same.join(&b"; "[..]));
            (&**known, value)
        })
    }

    fn is_ignored(&self, pair: &[u8]) -> bool {
        let name = std::str::from_utf8(name(pair));
        name.is_ok_and(|name| self.ignore.iter().any(|pattern| pattern.matches(name)))
    }
}

/// The pairs of all lines: HTTP/2 clients send several (RFC 9113 §8.2.3).
fn pairs(request: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    request
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty())
}

/// A pair of a request.
struct Sent<'a> {
    pair: &'a [u8],
    name: &'a [u8],
    /// Some servers decode names.
    is_escaped: bool,
}

impl<'a> Sent<'a> {
    fn of(pair: &'a [u8]) -> Self {
        let name = name(pair);
        Self {
            pair,
            name,
            is_escaped: name.contains(&b'%'),
        }
    }

    /// Whether some origin reads the cookie `known` in it: it has that name, or the name stands somewhere in it, because they
    /// separate cookies at white space and commas too, tell quotes and case in their own ways, and PHP puts `_` for `.` and `[`.
    fn may_be_read_as(&self, known: &str) -> bool {
        if self.name == known.as_bytes() || self.is_escaped {
            return true;
        }
        let Some((first, rest)) = known.as_bytes().split_first() else {
            return false; // that is the name of a cookie without one, and stands in every other
        };
        let fold = |byte: &u8| FOLDED[usize::from(*byte)];
        let (first, mut after) = (fold(first), self.pair);
        while let Some(at) = after.iter().position(|byte| fold(byte) == first) {
            after = &after[at + 1..];
            let Some(place) = after.get(..rest.len()) else {
                return false;
            };
            if place.iter().map(fold).eq(rest.iter().map(fold)) {
                return true;
            }
        }
        false
    }
}

/// Letters in lower case, digits, and `_` for everything else.
const FOLDED: [u8; 256] = {
    let mut folded = [b'_'; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() {
            folded[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    folded
};

/// What is before the first `=`; a pair without one has no name.
fn name(pair: &[u8]) -> &[u8] {
    let end = pair.iter().position(|byte| *byte == b'=');
    end.map_or(&b""[..], |end| pair[..end].trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[&'static str]) -> HeaderMap {
        let line = |line: &&'static str| (COOKIE, HeaderValue::from_static(line));
        lines.iter().map(line).collect()
    }

    fn cookies(ignore: &[&str], key: &[&str]) -> Cookies {
        let parse = |text: &&str| NamePattern::parse(text).unwrap();
        Cookies {
            ignore: ignore.iter().map(parse).collect(),
            key: key.iter().map(|name| Box::from(*name)).collect(),
        }
    }

    fn left(ignore: &[&str], lines: &[&'static str]) -> Option<String> {
        let mut request = request(lines);
        cookies(ignore, &[]).take_ignored(&mut request);
        assert!(request.get_all(COOKIE).iter().count() <= 1);
        let left = request.get(COOKIE);
        left.map(|left| left.to_str().unwrap().to_owned())
    }

    #[test]
    fn ignored_cookies_leave_the_request() {
        assert_eq!(left(&["_ga*"], &["_ga=1; _ga_X=2"]), None);
        assert_eq!(
            left(&["_ga*"], &["_ga=1; sid=2 ;_gab=3"]),
            Some("sid=2".into())
        );
        assert_eq!(
            left(&["a"], &["a=1", "b=2; a=3", "c=4"]),
            Some("b=2; c=4".into())
        );
        assert_eq!(left(&["*"], &["a=1; b; =c"]), None);
    }

    #[test]
    fn of_too_many_cookies_none_is_told_from_the_others() {
        for (many, few) in [
            ("a=1;".repeat(256), "a=1;".repeat(255)),
            (format!("a={}", "1".repeat(8191)), "a=1".into()),
        ] {
            let (many, few) = [many, few].map(|line| request(&[&*line.leak()])).into();
            assert!(are_too_many(&many) && !are_too_many(&few));
            let mut left = [many.clone(), few];
            left.iter_mut()
                .for_each(|left| cookies(&["a"], &[]).take_ignored(left));
            assert_eq!(left, [many, HeaderMap::new()]);
        }
    }

    #[test]
    fn a_cookie_is_ignored_by_its_whole_name_and_case() {
        assert_eq!(
            left(&["a"], &["A=1; ab=2; a.b=3"]),
            Some("A=1; ab=2; a.b=3".into())
        );
        // No name, and a value like one.
        assert_eq!(left(&["a"], &["a; =a"]), Some("a; =a".into()));
        // `a` in quotes is another name, and what is in quotes is no value to us: servers disagree about it.
        assert_eq!(left(&["a"], &["\"a\"=1"]), Some("\"a\"=1".into()));
        assert_eq!(left(&["a"], &["a=\"x; sid=1\""]), Some("sid=1\"".into()));
    }

    #[test]
    fn what_is_in_the_key_is_no_credential_and_all_else_is() {
        let rules = cookies(&[], &["lang"]);
        assert!(!rules.has_others(&request(&["lang=de"])));
        assert!(!rules.has_others(&request(&["lang=de;", "lang=en"])));
        assert!(!rules.has_others(&request(&[])));
        for other in ["lang=de; sid=1", "LANG=de", "lang", "=de", "langs=de"] {
            assert!(rules.has_others(&request(&[other])), "{other}");
        }
        assert!(cookies(&[], &[]).has_others(&request(&["lang=de"])));
    }

    #[test]
    fn the_key_has_every_value_of_its_cookies() {
        let rules = cookies(&[], &["lang", "theme"]);
        let key = |lines| -> Vec<_> {
            let request = request(lines);
            let found = rules.in_key(&request);
            found
                .map(|(name, value)| (name.to_owned(), value))
                .collect()
        };
        assert_eq!(
            key(&["lang=de"]),
            [
                ("lang".into(), Some(b"lang=de".to_vec())),
                ("theme".into(), None)
            ]
        );
        assert_ne!(key(&["lang=de; lang=en"]), key(&["lang=en; lang=de"]));
        assert_ne!(key(&["lang="]), key(&[]));
    }

    /// Where an operator shares whatever other cookies there are, those of the key count all the same.
    #[test]
    fn what_some_origin_reads_as_a_cookie_of_the_key_counts() {
        let rules = cookies(&[], &["lang"]);
        let key = |line| -> Vec<_> {
            let request = request(&[line]);
            rules.in_key(&request).map(|(_, value)| value).collect()
        };
        for other in [
            "x=1 lang=de",
            "x=1, lang=de",
            "x=\"a lang=de\"",
            "x\tlang=de",
            "LANG=de",
            "l%61ng=de",
            "lang[]=de",
            "lang.x=de",
            "=lang=de",
            "lang",
        ] {
            assert_ne!(key(other), key("x=1"), "{other}");
        }
        assert_eq!(key("sid=2; theme=%20"), key("x=1"));
    }

    #[test]
    fn a_cookie_without_a_name_can_be_in_the_key() {
        let rules = cookies(&[], &[""]);
        let request = request(&["sid=1; bare"]);
        let found: Vec<_> = rules.in_key(&request).collect();
        assert_eq!(found, [("", Some(b"bare".to_vec()))]);
    }

    #[test]
    fn the_preset_has_no_session() {
        let list = cookies(ANALYTICS, &[]);
        for name in [
            "_ga=1",
            "_ga_ABC=1",
            "_fbp=1",
            "_hjSession_1=1",
            "_pk_id.1=1",
        ] {
            assert!(list.is_ignored(name.as_bytes()), "{name}");
        }
        for name in [
            "sid=1",
            "session=1",
            "sessionid=1",
            "PHPSESSID=1",
            "lang=1",
            "csrftoken=1",
        ] {
            assert!(!list.is_ignored(name.as_bytes()), "{name}");
        }
    }
}
