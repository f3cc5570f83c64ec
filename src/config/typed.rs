//! Settings of each type, with their limits and defaults.

use std::{ops::RangeInclusive, time::Duration};

use http::HeaderName;

use super::{
    document::clip,
    nearest::nearest,
    reader::Setting,
    section::Section,
    units::{self, print_duration, print_size},
    value::{Scalar, Text, Value},
};

/// A timeout that would be over before it began helps nobody.
pub(super) const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=units::LONGEST;
pub(super) const ANY_DURATION: RangeInclusive<Duration> = Duration::ZERO..=units::LONGEST;

impl Section<'_> {
    /// A duration with a unit.
    pub(super) fn duration(
        &self,
        key: &'static str,
        default: Duration,
        limits: RangeInclusive<Duration>,
    ) -> Setting<Duration> {
        let leave = leave(&print_duration(default));
        self.read(key, |value| {
            within(value, duration(value)?, &limits, print_duration, &leave)
        })
        .or(default)
    }

    /// A size, as a number of bytes or with a unit.
    pub(super) fn size(
        &self,
        key: &'static str,
        default: u64,
        limits: RangeInclusive<u64>,
    ) -> Setting<u64> {
        let leave = leave(&print_size(default));
        self.read(key, |value| {
            within(value, size(value)?, &limits, print_size, &leave)
        })
        .or(default)
    }

    /// As [`Section::size`], for what is off unless it is written.
    pub(super) fn optional_size(
        &self,
        key: &'static str,
        limits: RangeInclusive<u64>,
    ) -> Setting<Option<u64>> {
        let leave = "leave it out to have none";
        self.read(key, |value| {
            within(value, size(value)?, &limits, print_size, leave)
        })
    }

    /// A whole number.
    pub(super) fn count(
        &self,
        key: &'static str,
        default: usize,
        limits: RangeInclusive<usize>,
    ) -> Setting<usize> {
        let leave = leave(&default.to_string());
        let limits = *limits.start() as i128..=*limits.end() as i128;
        self.read(key, |value| {
            let number = within(
                value,
                integer(value)?,
                &limits,
                |number| number.to_string(),
                &leave,
            )?;
            usize::try_from(number).ok()
        })
        .or(default)
    }

    pub(super) fn boolean(&self, key: &'static str, default: bool) -> Setting<bool> {
        self.read(key, boolean).or(default)
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        default: T,
        words: &[(&'static str, T)],
    ) -> Setting<T> {
        self.read(key, |value| word(value, &value.text()?, words))
            .or(default)
    }

    /// A list of strings, each read by `parse`.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        mut parse: impl FnMut(&Value<'_>, &Text<'_>) -> Option<T>,
    ) -> Setting<Option<Vec<T>>> {
        self.read(key, |value| {
            let items = value.items()?;
            let read: Vec<_> = items
                .iter()
                .map(|item| parse(item, &item.text()?))
                .collect();
            read.into_iter().collect::<Option<Vec<T>>>() // only now: the first mistake must not hide the next
        })
    }
}

/// A duration of any length; a number without a unit is a problem.
pub(super) fn duration(value: &Value<'_>) -> Option<Duration> {
    const EXPECTED: &str = "a duration";
    match value.scalar()? {
        Scalar::Text(text) => match units::duration(&text.value) {
            Ok(duration) => Some(duration),
            Err(fault) => value.fail_text(&text, fault.clause, &fault.help),
        },
        Scalar::Integer(number) => {
            let digits = number.map_or_else(String::new, |number| number.to_string());
            let fault = units::without_unit(&digits);
            value.fail(fault.clause, fault.help)
        }
        Scalar::Boolean(_) | Scalar::Other => value.fail_type(EXPECTED, units::DURATION_HELP),
    }
}

fn size(value: &Value<'_>) -> Option<u64> {
    match value.scalar()? {
        Scalar::Text(text) => match units::size(&text.value) {
            Ok(bytes) => Some(bytes),
            Err(fault) => value.fail_text(&text, fault.clause, &fault.help),
        },
        Scalar::Integer(number) => match number.map(u64::try_from) {
            Some(Ok(bytes)) => Some(bytes),
            Some(Err(_)) | None => value.fail("is not a size", units::SIZE_HELP),
        },
        Scalar::Boolean(_) | Scalar::Other => value.fail_type("a size", units::SIZE_HELP),
    }
}

fn integer(value: &Value<'_>) -> Option<i128> {
    match value.scalar()? {
        Scalar::Integer(Some(number)) => Some(number),
        Scalar::Integer(None) => value.fail("has too many digits", "write a smaller number"),
        Scalar::Text(text) if text.expanded => {
            let number = text.value.trim().parse().ok();
            number.or_else(|| value.fail_text(&text, "is not a whole number", "write digits"))
        }
        Scalar::Text(text) if text.value.parse::<i128>().is_ok() => {
            value.fail_type("an integer", format!("write {} without quotes", text.value))
        }
        Scalar::Text(_) | Scalar::Boolean(_) | Scalar::Other => {
            value.fail_type("an integer", "write it in digits, without quotes")
        }
    }
}

pub(super) fn boolean(value: &Value<'_>) -> Option<bool> {
    match value.scalar()? {
        Scalar::Boolean(flag) => Some(flag),
        Scalar::Text(text) if text.expanded => units::boolean(&text.value)
            .or_else(|| value.fail_text(&text, "is not a boolean", "make it `true` or `false`")),
        Scalar::Text(_) | Scalar::Integer(_) | Scalar::Other => {
            value.fail_type("a boolean", "write `true` or `false`, without quotes")
        }
    }
}

/// What one of a few words means.
pub(super) fn word<T: Copy>(
    value: &Value<'_>,
    text: &Text<'_>,
    words: &[(&'static str, T)],
) -> Option<T> {
    let found = words.iter().find(|(word, _)| *word == text.value);
    found.map(|(_, meaning)| *meaning).or_else(|| {
        let names = words.iter().map(|(word, _)| *word);
        let help = match nearest(&text.value, names.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!(
                "it is one of \"{}\"",
                names.collect::<Vec<_>>().join("\", \"")
            ),
        };
        value.fail(&format!("cannot be \"{}\"", clip(&text.value)), help)
    })
}

/// The name of a field.
pub(super) fn field_name(value: &Value<'_>, text: &Text<'_>) -> Option<HeaderName> {
    HeaderName::from_bytes(text.value.as_bytes())
        .ok()
        .or_else(|| {
            let message = "holds what is not the name of a field";
            value.fail_text(text, message, "write it like \"accept-language\"")
        })
}

/// `found` if it is within `limits`, else the limit that it broke.
pub(super) fn within<T: PartialOrd + Copy>(
    value: &Value<'_>,
    found: T,
    limits: &RangeInclusive<T>,
    print: impl Fn(T) -> String,
    help: &str,
) -> Option<T> {
    if found < *limits.start() {
        value.fail(
            &format!("must be at least {}", print(*limits.start())),
            help,
        )
    } else if found > *limits.end() {
        value.fail(&format!("must be at most {}", print(*limits.end())), help)
    } else {
        Some(found)
    }
}

fn leave(default: &str) -> String {
    format!("leave it out for the default of {default}")
}
