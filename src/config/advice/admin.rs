//! The admin port beyond this machine.

use super::facts::Facts;
use crate::config::{admin::is_loopback, problem::Problem};

/// Who reaches it may purge everything.
pub(super) fn open_to_the_network(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let admin = &facts.config.admin;
    if is_loopback(admin.listen.ip()) || admin.token.is_some() || !admin.open {
        return;
    }
    let message = format!(
        "whoever reaches {} may purge everything and read the metrics: `open = true` asks nobody for a token",
        admin.listen
    );
    let help = "write `token = \"${ADMIN_TOKEN}\"` under `[admin]` unless the network keeps all others out";
    found.push(facts.warn("admin.open", message).help(help));
}

/// A bearer token is as secret as the way that it takes (RFC 6750 §5.3).
pub(super) fn without_encryption(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let admin = &facts.config.admin;
    if is_loopback(admin.listen.ip()) || admin.token.is_none() {
        return;
    }
    let message =
        "the admin port speaks no TLS: whoever sees its traffic sees `admin.token`".to_owned();
    let problem = Problem::remark(message, facts.at("admin.listen")).key("admin.listen");
    found.push(problem.help("let only your own network reach it, or put TLS in front of it"));
}
