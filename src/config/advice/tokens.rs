//! Tokens that open more than one door.

use super::facts::Facts;
use crate::config::problem::Problem;

/// Who may skip the cache is not who may purge it.
pub(super) fn one_token_for_two_doors(facts: &Facts<'_>, found: &mut Vec<Problem>) {
    let config = facts.config;
    let doors = [
        ("cache.bypass_token", &config.proxy.bypass_token),
        ("cache.purge_token", &config.proxy.purge_token),
        ("admin.token", &config.admin.token),
    ];
    for (number, (key, token)) in doors.iter().enumerate() {
        let same = doors[..number]
            .iter()
            .find(|(_, other)| token.is_some() && other == token);
        if let Some((other, _)) = same {
            let message = format!(
                "`{key}` is the same as `{other}`: who knows one may do what the other is for"
            );
            let help = "make one for each with `openssl rand -hex 16`";
            found.push(facts.warn(key, message).help(help));
        }
    }
}
