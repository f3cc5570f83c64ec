//! How long something may be kept: `[ttl]`, `cache.default_ttl`, and what routes say.

use std::{collections::BTreeMap, time::Duration};

use super::{
    nearest::nearest,
    problem::Problem,
    reader::{Read, Setting},
    section::Section,
    typed::{self, ANY_DURATION, within},
    units::print_duration,
    value::{Scalar, Value},
};

/// The durations that have names, and the limit of all of them.
pub(super) struct Lifetimes<'a> {
    /// `None` for one that is wrong.
    names: BTreeMap<&'a str, Option<Duration>>,
    /// `cache.max_lifetime`
    longest: Setting<Duration>,
}

// === impl Lifetimes ===

impl<'a> Lifetimes<'a> {
    /// Reads `[ttl]`.
    pub(super) fn read(section: Section<'a>, longest: Setting<Duration>) -> Self {
        let mut lifetimes = Self {
            names: BTreeMap::new(),
            longest,
        };
        for (name, value) in section.entries() {
            // Even one that is wrong is a name: a route that uses it is not a second mistake.
            let ttl = lifetimes.lifetime(&value);
            let ttl = if is_name(name, &value) { ttl } else { None };
            lifetimes.names.insert(name, ttl);
        }
        lifetimes
    }

    /// By number or by name. What is wrong with a name is reported where its duration is.
    pub(super) fn ttl(&self, value: &Value<'_>) -> Option<Duration> {
        if let Scalar::Text(text) = value.scalar()? {
            if let Some(named) = self.names.get(text.value.as_ref()) {
                return *named;
            }
            if text
                .value
                .starts_with(|c: char| c.is_alphabetic() || c == '_')
            {
                if !value.reader.all_readable() {
                    return None; // the name may be in what could not be read
                }
                let help = match nearest(&text.value, self.names.keys().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "name it under `[ttl]`, or write a duration such as \"5m\"".to_owned(),
                };
                return value.fail_text(&text, "has no such name under `[ttl]`", &help);
            }
        }
        self.lifetime(value)
    }

    /// As [`Lifetimes::ttl`]; empty says that there is none.
    pub(super) fn ttl_or_none(&self, value: &Value<'_>) -> Read<Duration> {
        match value.scalar() {
            None => Read::Wrong,
            Some(Scalar::Text(text)) if text.value.is_empty() => Read::Empty,
            Some(_) => self.ttl(value).into(),
        }
    }

    /// A duration, or a number of seconds as `max-age` has it.
    fn lifetime(&self, value: &Value<'_>) -> Option<Duration> {
        let seconds = match value.scalar()? {
            Scalar::Integer(number) => Some(number),
            Scalar::Text(text) if text.expanded => text.value.trim().parse().ok().map(Some),
            Scalar::Text(_) | Scalar::Boolean(_) | Scalar::Other => None,
        };
        let ttl = match seconds {
            Some(Some(number)) if number < 0 => {
                return value.fail("must be at least 0s", "write `0` to revalidate every time");
            }
            // Whatever has more digits than that is above the limit too.
            Some(number) => {
                let seconds = number.and_then(|number| u64::try_from(number).ok());
                Duration::from_secs(seconds.unwrap_or(u64::MAX))
            }
            None => typed::duration(value)?,
        };
        let ttl = within(
            value,
            ttl,
            &ANY_DURATION,
            print_duration,
            "write a shorter one",
        )?;
        self.is_allowed(value, ttl).then_some(ttl)
    }

    fn is_allowed(&self, value: &Value<'_>, ttl: Duration) -> bool {
        let longest = self.longest;
        if !longest.sound || ttl <= longest.value {
            return true;
        }
        let limit = print_duration(longest.value);
        let message = format!(
            "`{}` is longer than `cache.max_lifetime`, {limit}",
            value.path
        );
        let problem = Problem::new(message, value.at);
        let problem = problem.help("shorten it, or raise `max_lifetime` under `[cache]`");
        value.report(match longest.at {
            Some(at) => problem.note("the limit is here", at),
            None => problem,
        });
        false
    }
}

fn is_name(name: &str, value: &Value<'_>) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let message = if !(1..=32).contains(&name.len()) || !name.chars().all(allowed) {
        "a ttl is named with 1 to 32 of a to z, 0 to 9 and `_`"
    } else if name.starts_with(|c: char| c.is_ascii_digit()) {
        "a ttl is not named like a duration"
    } else {
        return true;
    };
    value.fail_at::<()>(
        value.key,
        message,
        "name it for what it is, such as `short`",
    );
    false
}
