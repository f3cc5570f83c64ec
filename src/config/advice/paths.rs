//! Paths as other programs write them.

use super::facts::Facts;
use crate::config::problem::Problem;

/// `:id`, `<id>`, `$id` and `[id]` are text here, which no request has.
pub(super) fn a_capture_is_in_braces(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    for line in facts.routes() {
        let mut segments = line.route.path.as_str().split('/');
        let Some((segment, name)) = segments.find_map(|segment| Some((segment, foreign(segment)?)))
        else {
            continue;
        };
        let message =
            format!("`{segment}` is this very text and stands for nothing else: no capture");
        let help = format!("write `{{{name}}}` for any one segment");
        found.push(line.warn("path", message).help(help));
    }
}

/// The name of the capture that `segment` is elsewhere: in Express, Flask, Next.js or a shell.
fn foreign(segment: &str) -> Option<&str> {
    let between = |open, close| segment.strip_prefix(open)?.strip_suffix(close);
    let name = (segment.strip_prefix(':'))
        .or_else(|| segment.strip_prefix('$'))
        .or_else(|| between('[', ']'))
        .or_else(|| between('<', '>').map(|inner| inner.rsplit(':').next().unwrap_or(inner)))?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}
