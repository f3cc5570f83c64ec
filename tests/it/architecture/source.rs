//! Rust source as tokens: no comments, no strings, and nothing that only tests are built with.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub text: String,
    pub line: usize,
}

/// One file of a folder: its path from that folder, and what it says.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    pub text: String,
    pub tokens: Vec<Token>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub name: String,
    pub lines: usize,
    pub parameters: usize,
}

impl Source {
    pub(super) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let tokens = without_tests(&tokens(&text));
        Self { path, text, tokens }
    }

    /// The file's module, by its path: `["store", "redis"]` for `store/redis.rs`.
    pub(super) fn module(&self) -> Vec<String> {
        let path = self.path.with_extension("");
        path.iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect()
    }

    pub(super) fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    pub(super) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether the code has these tokens in this order.
    pub(super) fn says(&self, tokens: &[&str]) -> bool {
        self.tokens
            .windows(tokens.len())
            .any(|found| found.iter().map(|token| &token.text).eq(tokens))
    }

    /// The functions with a body.
    pub(super) fn functions(&self) -> Vec<Function> {
        let named = self.tokens.windows(2).enumerate();
        named
            .filter(|(_, pair)| pair[0].text == "fn" && is_word(&pair[1].text))
            .filter_map(|(at, pair)| function(&pair[1].text, &self.tokens[at..]))
            .collect()
    }
}

/// Every `.rs` file below `folder`.
pub(super) fn all(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    find(&root, &mut found);
    found.sort();
    assert!(found.len() > 5, "{folder} has sources");
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        Source::new(path.strip_prefix(&root).unwrap(), text)
    };
    found.into_iter().map(read).collect()
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::`, `->`, `=>` and single signs; strings and characters are left out.
fn tokens(text: &str) -> Vec<Token> {
    let (mut found, mut rest, mut line) = (Vec::new(), text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, keep) = match blank(rest) {
            Some(length) => (length, false),
            None if is_word(rest) || first.is_ascii_digit() => (word(rest), true),
            None if ["::", "->", "=>"].iter().any(|s| rest.starts_with(s)) => (2, true),
            None => (first.len_utf8(), !first.is_whitespace()),
        };
        let (text, after) = rest.split_at(length);
        if keep {
            let text = text.to_owned();
            found.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    found
}

fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// The length of the comment, string, character or lifetime that `text` begins with.
fn blank(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    let prefix = ["br", "cr", "b", "c", "r"]
        .into_iter()
        .find(|p| {
            text.strip_prefix(p)
                .is_some_and(|t| t.starts_with(['"', '#']))
        })
        .unwrap_or("");
    let body = &text[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    if body[hashes..].starts_with('"') && (hashes == 0 || prefix.ends_with('r')) {
        let end = if prefix.ends_with('r') {
            body[hashes + 1..].find(&format!("\"{}", "#".repeat(hashes)))? + 2 + 2 * hashes
        } else {
            quoted(body, '"')
        };
        return Some(prefix.len() + end);
    }
    let rest = text.strip_prefix('\'')?;
    let is_lifetime = is_word(rest) && !rest[word(rest)..].starts_with('\'');
    Some(if is_lifetime {
        1 + word(rest)
    } else {
        quoted(text, '\'')
    })
}

/// The length of what stands between two `mark`s, the marks included.
fn quoted(text: &str, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == mark => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Drops each item under `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        let starts = |what: &[&str]| {
            rest.len() >= what.len()
                && rest
                    .iter()
                    .zip(what)
                    .all(|(token, text)| token.text == *text)
        };
        if starts(&TEST) {
            rest = &rest[TEST.len()..];
            while rest.first().is_some_and(|token| token.text == "#") {
                rest = &rest[1 + group(&rest[1..])..];
            }
            rest = &rest[item(rest)..];
        } else {
            kept.push(first.clone());
            rest = &rest[1..];
        }
    }
    kept
}

/// The number of tokens up to the `;` or the closing brace that ends the item.
fn item(tokens: &[Token]) -> usize {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            ";" => return at + 1,
            "{" => return at + group(&tokens[at..]),
            "(" | "[" => at += group(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}

/// The number of tokens of the bracketed group that `tokens` begins with.
pub(super) fn group(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 1 => return at + 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Reads `fn name<…>(…) … { … }`; nothing where there is no body.
fn function(name: &str, tokens: &[Token]) -> Option<Function> {
    let mut open = 2;
    let mut generics = 0;
    while generics > 0 || tokens.get(open)?.text != "(" {
        match tokens.get(open)?.text.as_str() {
            "<" => generics += 1,
            ">" => generics -= 1,
            _ => {}
        }
        open += 1;
    }
    let close = open + group(&tokens[open..]);
    let mut body = close;
    while tokens.get(body)?.text != "{" {
        if tokens[body].text == ";" {
            return None;
        }
        body += 1;
    }
    let end = body + group(&tokens[body..]) - 1;
    Some(Function {
        name: name.to_owned(),
        lines: tokens.get(end)?.line - tokens[0].line + 1,
        parameters: parameters(&tokens[open + 1..close - 1]),
    })
}

fn parameters(tokens: &[Token]) -> usize {
    let (mut depth, mut count, mut blank) = (0_usize, 0, true);
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            "," if depth == 0 => {
                blank = true;
                continue;
            }
            _ => {}
        }
        count += usize::from(blank);
        blank = false;
    }
    count
}
