//! Whose word is believed.

use super::facts::Facts;
use crate::config::problem::Problem;

/// Then every client says itself which host, scheme and address it is.
pub(super) fn everybody_is_trusted(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    if !facts.config.proxy.trusted.has_everybody() {
        return;
    }
    let message = "`server.trusted` holds every address: whoever connects may say that it is another client, asked for another host";
    let help = "name the networks of your own proxies, or leave it out";
    found.push(facts.warn("server.trusted", message).help(help));
}
