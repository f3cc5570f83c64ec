//! What is printed.

use std::io::Write;

/// Prints to standard error. A closed standard error is no reason to fail.
pub(super) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints to standard output. A closed pipe is no reason to fail.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
