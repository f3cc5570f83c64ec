//! Tags that the origin gives: `Surrogate-Key: a b`, `Cache-Tag: a,b`, or whatever fields are configured.
//!
//! They are about this cache, so they end here unless the operator passes them on to another one.

use http::{Extensions, HeaderName, Response};

/// More tags on one response are not kept, and then it is not stored: a purge would miss it.
const MAX_TAGS: usize = 1000;

/// Neither are longer ones, in bytes.
const MAX_TAG: usize = 1024;

/// What `[cache]` says about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The fields whose values are tags.
    pub fields: Vec<HeaderName>,
    /// Whether clients see these fields.
    pub pass: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fields: ["surrogate-key", "cache-tag"]
                .map(HeaderName::from_static)
                .to_vec(),
            pass: false,
        }
    }
}

/// The tags of a response, beside its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum OriginTags {
    /// It has none of the fields.
    #[default]
    None,
    /// These.
    These(Vec<Box<str>>),
    /// More, longer or other ones than can be kept.
    Unusable,
}

impl OriginTags {
    /// Takes them out of what comes with a response.
    pub(super) fn of(extensions: &mut Extensions) -> Self {
        extensions.remove().unwrap_or_default()
    }

    /// For a response that is new; `None` where it must not be stored.
    pub(super) fn alone(self) -> Option<Vec<Box<str>>> {
        match self {
            Self::None => Some(Vec::new()),
            Self::These(tags) => Some(tags),
            Self::Unusable => None,
        }
    }

    /// For one that updates what has the tags `stored`: silence takes none away.
    pub(super) fn or(self, stored: &[Box<str>]) -> Option<Vec<Box<str>>> {
        match self {
            Self::None if stored.len() > 2 * MAX_TAGS => None, // they grow by what each update adds
            Self::None => Some(stored.to_vec()),
            Self::These(_) | Self::Unusable => self.alone(),
        }
    }
}

/// Reads the tags of `response` into its extensions, and takes the fields away unless they are to be passed on.
pub(super) fn take<B>(response: &mut Response<B>, settings: &Settings) {
    let headers = response.headers();
    if !settings
        .fields
        .iter()
        .any(|name| headers.contains_key(name))
    {
        return;
    }
    let lines = settings
        .fields
        .iter()
        .flat_map(|name| headers.get_all(name));
    let tags: Vec<&[u8]> = lines
        .flat_map(|line| line.as_bytes().split(|byte| b", \t".contains(byte)))
        .filter(|tag| !tag.is_empty())
        .take(MAX_TAGS + 1)
        .collect();
    let kept = |tag: &&[u8]| {
        let tag = std::str::from_utf8(tag).ok()?;
        (tag.len() <= MAX_TAG).then(|| Box::from(tag))
    };
    let all = (tags.len() <= MAX_TAGS).then(|| tags.iter().map(kept).collect());
    let tags = all
        .flatten()
        .map_or(OriginTags::Unusable, OriginTags::These);
    if !settings.pass {
        for name in &settings.fields {
            response.headers_mut().remove(name);
        }
    }
    response.extensions_mut().insert(tags);
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn taken(lines: &[(&'static str, &str)], pass: bool) -> (OriginTags, usize) {
        let mut response = Response::new(());
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            response.headers_mut().append(*name, value);
        }
        let settings = Settings {
            fields: vec![
                HeaderName::from_static("surrogate-key"),
                HeaderName::from_static("cache-tag"),
            ],
            pass,
        };
        take(&mut response, &settings);
        let tags = response.extensions_mut().remove().unwrap_or_default();
        (tags, response.headers().len())
    }

    #[test]
    fn both_spellings_are_read_and_taken_away() {
        let tags = OriginTags::These(vec!["a".into(), "b:1".into(), "c".into()]);
        let lines = [("surrogate-key", "a  b:1"), ("cache-tag", "c,"), ("x", "y")];
        assert_eq!(taken(&lines, false), (tags.clone(), 1));
        assert_eq!(taken(&lines, true), (tags, 3));
        assert_eq!(taken(&[("x", "y")], false), (OriginTags::None, 1));
    }

    #[test]
    fn what_cannot_be_kept_is_not_cut_short() {
        for line in ["a ".repeat(1001), "a".repeat(1025)] {
            let (tags, _) = taken(&[("surrogate-key", &line)], false);
            assert_eq!(tags, OriginTags::Unusable);
        }
        let mut response = Response::new(());
        let no_text = HeaderValue::from_bytes(b"\xff").unwrap();
        response.headers_mut().insert("cache-tag", no_text);
        let fields = vec![HeaderName::from_static("cache-tag")];
        take(
            &mut response,
            &Settings {
                fields,
                pass: false,
            },
        );
        assert_eq!(
            response.extensions().get(),
            Some(&OriginTags::Unusable),
            "nobody could name it"
        );
    }
}
