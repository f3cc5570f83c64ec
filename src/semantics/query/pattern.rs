//! Names of parameters, of which one part may be left open.

use super::reading::Reading;
use crate::semantics::name_pattern::NamePattern;

/// What campaigns, mail and search engines add to links, and what no answer depends on.
pub const TRACKING: [&str; 44] = [
    "utm_*",
    "gclid",
    "gclsrc",
    "gbraid",
    "wbraid",
    "dclid",
    "gad_source",
    "gad_campaignid",
    "srsltid",
    "_ga",
    "_gl",
    "fbclid",
    "fb_action_ids",
    "fb_action_types",
    "fb_source",
    "igsh",
    "igshid",
    "msclkid",
    "mc_cid",
    "mc_eid",
    "yclid",
    "ysclid",
    "_openstat",
    "twclid",
    "ttclid",
    "li_fat_id",
    "epik",
    "rdt_cid",
    "sccid",
    "irclickid",
    "wickedid",
    "vero_id",
    "vero_conv",
    "mkt_tok",
    "oly_*",
    "_hsenc",
    "_hsmi",
    "__hstc",
    "__hssc",
    "__hsfp",
    "hsCtaTracking",
    "_kx",
    "pk_*",
    "mtm_*",
];

/// A name of parameters, or all names with its beginning and its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParameterPattern {
    pattern: NamePattern,
    /// The same as origins may read it that do not take it literally.
    read: Reading,
    read_end: Option<Reading>,
}

impl ParameterPattern {
    /// `utm_*`: at most one `*`, which stands for anything. `None` where there are more, and for an empty name.
    pub fn parse(text: &str) -> Option<Self> {
        let pattern = NamePattern::parse(text).ok().filter(|_| !text.is_empty())?;
        Some(Self {
            read: Reading::of(pattern.beginning()),
            read_end: pattern.end().map(Reading::of),
            pattern,
        })
    }

    /// This one name.
    pub fn exactly(name: &str) -> Self {
        Self {
            pattern: NamePattern::exactly(name),
            read: Reading::of(name),
            read_end: None,
        }
    }

    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.pattern.matches(name)
    }

    /// Whether it is one name, and this.
    pub(super) fn is(&self, name: &str) -> bool {
        self.pattern.end().is_none() && self.pattern.beginning() == name
    }

    /// Whether an origin may read a name so that it is meant.
    pub(super) fn may_be_read_in(&self, reading: &Reading) -> bool {
        let ends: &[&str] = match &self.read_end {
            None => &[],
            Some(end) => &end.all(),
        };
        self.read.all().iter().any(|beginning| {
            reading.all().iter().any(|name| match self.pattern.end() {
                None => beginning == name,
                Some(_) => ends.iter().any(|end| is_between(beginning, end, name)),
            })
        })
    }
}

fn is_between(beginning: &str, end: &str, name: &str) -> bool {
    let rest = name.strip_prefix(beginning);
    rest.is_some_and(|rest| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_once() {
        let matches = |pattern, name| ParameterPattern::parse(pattern).unwrap().matches(name);
        assert!(matches("utm_*", "utm_source") && matches("utm_*", "utm_"));
        assert!(!matches("utm_*", "utm") && !matches("utm_*", "xutm_"));
        assert!(matches("a*z", "abcz") && !matches("a*a", "a"));
        assert!(matches("*", "") && matches("*_id", "x_id"));
        assert!(!matches("utm", "utm_"));
        assert_eq!(ParameterPattern::parse("a*b*"), None);
        assert_eq!(ParameterPattern::parse(""), None);
    }

    #[test]
    fn every_name_of_the_preset_is_one() {
        assert!(
            TRACKING
                .iter()
                .all(|name| ParameterPattern::parse(name).is_some())
        );
    }
}
