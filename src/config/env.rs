//! The environment: `${NAME}` in strings, and `CACHE_ENABLED`.

use std::{borrow::Cow, ops::Range};

use super::units;

/// Looks up a variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A `${…}` that stands for nothing, and where it is in its string.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
}

/// Replaces each `${NAME}`, `${NAME:-default}` and `${NAME:+instead}`; `$${` is a literal `${`.
///
/// As in a shell, the default also stands in for a variable that is empty, and what is written after `:+` for one that is
/// not: it is empty where that one is.
///
/// # Errors
/// Every `${…}` that is malformed, or unset without a default.
pub(super) fn expand<'t>(text: &'t str, env: Env<'_>) -> Result<Cow<'t, str>, Vec<Fault>> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::new();
    let mut faults = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${").map(|offset| at + offset) {
        if text[at..found].ends_with('$') {
            out += &text[at..found - 1];
            out += "${";
            at = found + 2;
            continue;
        }
        out += &text[at..found];
        let Some(length) = text[found..].find('}') else {
            faults.push(Fault {
                at: found..text.len(),
                message: "`${` is never closed".to_owned(),
                help: "write `${NAME}`, or `$${` for the two characters themselves".to_owned(),
            });
            return Err(faults);
        };
        at = found + length + 1;
        match variable(&text[found + 2..at - 1], env) {
            Ok(value) => out += &value,
            Err((message, help)) => faults.push(Fault {
                at: found..at,
                message,
                help,
            }),
        }
    }
    out += &text[at..];
    if faults.is_empty() {
        Ok(Cow::Owned(out))
    } else {
        Err(faults)
    }
}

/// What `NAME`, `NAME:-default` or `NAME:+instead` stands for, else message and remedy.
fn variable(inside: &str, env: Env<'_>) -> Result<String, (String, String)> {
    let split = |at: usize| (&inside[..at], &inside[at..]);
    let (name, rest) = inside.find(':').map_or((inside, ""), split);
    let (default, instead) = (rest.strip_prefix(":-"), rest.strip_prefix(":+"));
    let name = if default.or(instead).is_some() {
        name
    } else {
        inside
    };
    let is_name = !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if name.is_empty() || !is_name {
        return Err((
            "a variable is named with letters, digits and `_`".to_owned(),
            "write `${NAME}` or `${NAME:-default}`".to_owned(),
        ));
    }
    if let Some(instead) = instead {
        let is_there = env(name).is_some_and(|value| !value.is_empty());
        return Ok(if is_there { instead } else { "" }.to_owned());
    }
    match (env(name), default) {
        (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("`{name}` is not set in the environment"),
            format!("set it, or write `${{{name}:-default}}`"),
        )),
    }
}

/// What `CACHE_ENABLED` says; `None` when it is unset or empty.
///
/// # Errors
/// Its value, when that is neither true nor false.
pub(super) fn cache_enabled(env: Env<'_>) -> Result<Option<bool>, String> {
    match env("CACHE_ENABLED") {
        Some(value) if !value.is_empty() => units::boolean(&value).map(Some).ok_or(value),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("redis".to_owned()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_once() {
        let cases = [
            ("plain $ {x}", "plain $ {x}"),
            ("redis://${HOST}:6379", "redis://redis:6379"),
            ("${HOST}${HOST}", "redisredis"),
            ("${NONE:-a:-b}", "a:-b"),
            ("${NONE:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-x}", "x"),
            ("${HOST:-x}", "redis"),
            ("$${HOST}", "${HOST}"),
            ("$$${HOST}", "$${HOST}"),
            ("é$${é}${HOST}é", "é${é}redisé"),
            ("${NESTED}", "${HOST}"),
            ("${HOST:+0.0.0.0:1}", "0.0.0.0:1"),
            ("${EMPTY:+x}${NONE:+x}", ""),
            ("${NONE:-a:+b}", "a:+b"),
            ("${HOST:+a:-b}", "a:-b"),
        ];
        for (text, expected) in cases {
            assert_eq!(expand(text, &env).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_variable_without_a_value_is_named() {
        let faults = expand("${A}-${HOST}-${B}", &env).unwrap_err();
        assert_eq!(
            faults
                .iter()
                .map(|fault| fault.at.clone())
                .collect::<Vec<_>>(),
            [0..4, 13..17]
        );
        assert_eq!(faults[1].message, "`B` is not set in the environment");
        for (text, at) in [
            ("a${", 1..3),
            ("${}", 0..3),
            ("${1A}", 0..5),
            ("${A B:-}", 0..8),
            ("${A:x}", 0..6),
            ("${:+x}", 0..6),
        ] {
            assert_eq!(expand(text, &env).unwrap_err()[0].at, at, "{text}");
        }
    }
}
