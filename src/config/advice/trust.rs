//! Whose word is believed.

use super::facts::Facts;
use crate::config::problem::Problem;

/// Then clients that nobody knows say themselves which host, scheme and address they are.
pub(super) fn everybody_is_trusted(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    if !facts.config.proxy.trusted.has_everybody() {
        return;
    }
    let message = "`server.trusted` holds all addresses, or a large part of all: whoever connects from there may say that it is another client, asked for another host";
    let help = "name the networks of your own proxies, or leave it out";
    found.push(facts.warn("server.trusted", message).help(help));
}
