//! Which parts of a text must not be shown: it works on the text alone, so that a line that does
//! not even parse keeps its secrets.

use std::{borrow::Cow, ops::Range};

use super::nearest::nearest;

/// What gives a key away, whatever else its name says.
const SECRET_WORDS: [&str; 6] = [
    "token",
    "secret",
    "passwd",
    "password",
    "passphrase",
    "apikey",
];

/// Whether the value of a key with this name is not for display.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
        || name == "pass"
        || nearest(&name, ["bypass_token"]).is_some()
}

/// `text` with `…` in the place of each secret.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let ranges = ranges(text);
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut at = 0;
    for range in ranges.into_iter().filter(|range| !range.is_empty()) {
        if range.start >= at {
            out += &text[at..range.start];
            out.push('…');
        }
        at = at.max(range.end);
    }
    Cow::Owned(out + &text[at..])
}

/// The secrets in `text`, by their first byte; they may overlap.
pub(super) fn ranges(text: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.trim_end_matches(['\r', '\n']).len();
        ranges.extend(user_info(text, start..end));
        values(text, start..end, &mut ranges);
        start += line.len();
    }
    ranges.sort_by_key(|range| range.start);
    ranges
}

/// What stands between `://` and the last `@` of a line: a password may hold any character.
///
/// Without `@`, what looks like a password where the port should be.
fn user_info(text: &str, line: Range<usize>) -> Option<Range<usize>> {
    let start = line.start + text[line.clone()].find("://")? + "://".len();
    let rest = &text[start..line.end];
    if let Some(length) = rest.rfind('@') {
        return Some(start..start + length);
    }
    let host = rest.split(['/', '"', '\'', '`', '}', ' ']).next()?;
    let (_, port) = host.rsplit_once(':').filter(|_| !host.contains("${"))?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    (!is_port).then(|| start..start + host.len())
}

/// Adds the values of the keys on a line that sound secret.
fn values(text: &str, line: Range<usize>, ranges: &mut Vec<Range<usize>>) {
    let is_key = |c: char| is_word(c) || c == '.';
    let opening = text[line.clone()].trim_start();
    let opening_end = line.end - opening.trim_start_matches(is_key).len();
    let mut done = line.start;
    for word in words(&text[line.clone()]) {
        let word = line.start + word.start..line.start + word.end;
        if word.start < done || !is_secret(&text[word.clone()]) {
            continue;
        }
        let rest = text[word.end..line.end].trim_start_matches(['"', '\'', ' ', '\t']);
        let hidden = match rest.chars().next() {
            Some('=') => value(text, line.end - rest.len() + 1, line.end),
            // No TOML, but somebody meant a key and a value.
            Some(_) if word.end <= opening_end => word.end..line.end,
            _ => continue,
        };
        done = hidden.end;
        if !is_variable(&text[hidden.clone()]) {
            ranges.push(hidden);
        }
    }
}

/// Whether it says only where the value comes from: `${NAME}`, or with an empty default.
fn is_variable(value: &str) -> bool {
    let inside = value
        .strip_prefix("${")
        .and_then(|value| value.strip_suffix('}'));
    inside.is_some_and(|inside| {
        let name = inside.strip_suffix(":-").unwrap_or(inside);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// The value that begins at `at`: inside its quotes, or up to the end of the line.
fn value(text: &str, at: usize, line_end: usize) -> Range<usize> {
    let line = text[at..line_end].trim_start_matches([' ', '\t']);
    let start = line_end - line.len();
    for fence in ["\"\"\"", "'''"] {
        if line.starts_with(fence) {
            let start = start + fence.len();
            let length = text[start..].find(fence);
            return start..length.map_or(text.len(), |length| start + length);
        }
    }
    let quote = line.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote.and_then(|quote| closing(&line[1..], quote)) {
        Some(length) => start + 1..start + 1 + length,
        None => start..line_end,
    }
}

/// Where the string that began before `text` ends.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && quote == '"' && !escaped;
        ends.then_some(at)
    })
}

/// Runs of the characters that a bare key is made of.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    text.split(|c| !is_word(c)).filter_map(move |word| {
        let start = text[at..].find(word)? + at;
        at = start + word.len();
        (!word.is_empty()).then_some(start..at)
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_and_nothing_else() {
        let cases = [
            (
                "url = \"redis://me:pw@host/0\" # x",
                "url = \"redis://…@host/0\" # x",
            ),
            ("url = \"redis://:p @ w@host\"", "url = \"redis://…@host\""),
            (
                "url = \"${A:-redis://:pw@h}\"",
                "url = \"${A:-redis://…@h}\"",
            ),
            ("url = \"redis://:pw", "url = \"redis://…"),
            ("url = \"redis://me:pw/0\"", "url = \"redis://…/0\""),
            (
                "url = \"${A:-redis://h:6379}\"",
                "url = \"${A:-redis://h:6379}\"",
            ),
            ("url = \"http://${H:-h}:1\"", "url = \"http://${H:-h}:1\""),
            ("url = \"redis://h?pass=pw\"", "url = \"redis://h?pass=…"),
            ("bypass_token = \"abc\" # why", "bypass_token = \"…\" # why"),
            ("bypass_token = 'a\"c'", "bypass_token = '…'"),
            ("bypass_token=\"a\\\"c\"", "bypass_token=\"…\""),
            ("bypass_token = \"abc", "bypass_token = …"),
            ("bypass_token: abc", "bypass_token…"),
            ("cache.bypass_token abc", "cache.bypass_token…"),
            ("bypass_token abc\nb = 1", "bypass_token…\nb = 1"),
            ("\"bypass_token\" = \"abc\"", "\"bypass_token\" = \"…\""),
            (
                "cache = { bypass_token = \"abc\", x = 1 }",
                "cache = { bypass_token = \"…\", x = 1 }",
            ),
            ("cache.bypas_tokn=abc def", "cache.bypas_tokn=…"),
            (
                "bypass_token = \"\"\"\nabc\n\"\"\"\nb = 1",
                "bypass_token = \"\"\"…\"\"\"\nb = 1",
            ),
            ("bypass_token = '''abc", "bypass_token = '''…"),
            ("bypass_token = \"\"", "bypass_token = \"\""),
            ("token = \"${A_1}\"", "token = \"${A_1}\""),
            ("token = \"${A:-}\" # x", "token = \"${A:-}\" # x"),
            ("token = \"${A:-abc}\"", "token = \"…\""),
            ("token = \"${A}abc\"", "token = \"…\""),
            ("token = \"${A}${B}\"", "token = \"…\""),
            ("tags = [\"token:{id}\"]", "tags = [\"token:{id}\"]"),
            (
                "url = \"http://127.0.0.1:9000\"",
                "url = \"http://127.0.0.1:9000\"",
            ),
            (
                "`cache.bypass_token` is too short",
                "`cache.bypass_token` is too short",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(masked(text), expected, "{text}");
        }
    }
}
